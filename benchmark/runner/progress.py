"""What a run prints: on a terminal the current stage and the time left in the run, elsewhere plain lines."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from benchmark.runner.estimate import Costs, Estimate, Left, Step
from benchmark.runner.status import StatusFile
from rebeca.errors import printable
from rebeca.parallel import in_part
from rebeca.spans import Part, span

Item = TypeVar("Item")
Report = Callable[[int, int, str], None]
SECONDS_BETWEEN_LINES = 30.0
"""Outside a terminal; in a long run a twentieth of what has passed, if that is more."""
NOTABLE = 10.0
"""Seconds from which the end of a stage is printed whatever its kind, and a time left that is not complete."""
SHORTEST = 1.0
"""Seconds from which the end of an announced stage is printed."""
LEAST_SHARE = 0.01
"""Stages that took less of a run are summed up at its end."""
BAR = 24
SUMMARY_WIDTH = 78


class Reporter:
    """Prints what a run does, and how long it still takes.

    Messages go to standard error, so that ``--json`` output stays clean. Bars appear on a terminal only.

    Args:
        console: Where to print.
        quiet: Print warnings only; times are still noted for later runs.
        clock: Seconds.
    """

    def __init__(
        self, console: Console | None = None, quiet: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self.quiet = quiet
        self._clock, self._began = clock, clock()
        self._estimate, self._after = Estimate(clock=clock), tuple[Step, ...]()
        self._status: StatusFile | None = None
        self._shown = False
        self._count = ""
        self._next_line = 0.0

    def info(self, text: str) -> None:
        if not self.quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Prints a line, also where the reporter is quiet."""
        if not in_part():  # there, another process may hold the console for ever
            self.console.print(printable(text), markup=False)

    @contextmanager
    def run(self, *after: Step) -> Iterator[None]:
        """Shows one display for all stages of the block, and at its end the time that they took.

        Args:
            after: Stages that follow those of :meth:`begin`.
        """
        self._began, self._after = self._clock(), after
        with self._display():
            yield
        self._end()
        for line in summary(self._estimate.spent if self._estimate.total else {}, self.elapsed()):
            self.info(line)

    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._began

    def left(self) -> Left | None:
        """Time left in the run."""
        return self._estimate.left()

    def begin(self, steps: Sequence[Step], costs: Costs) -> None:
        """Names the stages that follow, so that the time left is known from the first one on."""
        self._estimate = Estimate([*steps, *self._after], costs, self._clock)
        self._note()

    @contextmanager
    def followed(self, status: StatusFile) -> Iterator[None]:
        """Notes in a file how far the block is, and the stages that follow it in :meth:`run`."""
        self._status = status
        self._note()
        yield
        if not self._after:
            self._end()

    def _end(self) -> None:
        if self._status is not None:
            self._status.write(self._estimate, finished=True)
        self._status = None

    def _note(self) -> None:
        if self._status is not None:
            self._status.write(self._estimate, self._count)

    @contextmanager
    def stage(self, title: str, announce: bool = True) -> Iterator[Report]:
        """Shows a stage while the block runs; the block is given a function (done, total, note).

        Args:
            title: Its title.
            announce: Whether to print the title of a short stage.
        """
        estimate, self._count = self._estimate, ""
        estimate.start(title)
        self._note()
        bar = self.console.is_terminal
        if announce and not bar:
            self.info(f"  {title} ...")
        self._next_line = self._clock() + SECONDS_BETWEEN_LINES

        def report(done: int, total: int, note: str) -> None:
            if in_part():
                return
            estimate.report(done, total)
            self._count = f"{done:,}/{total:,} {note}"
            if self._status is not None and self._status.due():
                self._note()
            if not bar and self._clock() >= self._next_line:
                self._line()

        with ExitStack() as stopped:
            stopped.callback(estimate.abandon)
            with self._display(), span(Part.STAGE, title):
                yield report
            stopped.pop_all()
        seconds, self._count = estimate.finish(), ""
        self._note()
        if seconds >= (SHORTEST if announce else NOTABLE):
            self.info(f"  {title}: {duration(seconds)}{time_left(estimate.left())}")

    def _line(self) -> None:
        elapsed = self.elapsed()
        self._next_line = self._clock() + max(SECONDS_BETWEEN_LINES, elapsed / 20)
        title = "" if self._estimate.current is None else self._estimate.current.title
        self.info(f"  {title}: {self._count}, {duration(elapsed)} elapsed{time_left(self.left())}")

    @contextmanager
    def _display(self) -> Iterator[None]:
        """Draws the current stage on a terminal, once however often it is entered."""
        if self.quiet or not self.console.is_terminal or self._shown:
            yield
            return
        self._shown = True
        try:
            with Live(get_renderable=self._drawn, console=self.console, transient=True):
                yield
        finally:
            self._shown = False

    def _drawn(self) -> Group:
        """The current stage, and below it the whole run; no line is wider than the terminal."""
        estimate, elapsed = self._estimate, duration(self.elapsed())
        of = f", step {estimate.number} of {estimate.total}" if estimate.total > 1 and estimate.number else ""
        lines = [Text(f"  {elapsed} elapsed{time_left(estimate.left())}{of}")]
        step = estimate.current
        if step is not None:
            lines.insert(0, self._bar(step.title, estimate.share(), self._count or duration(estimate.seconds)))
        for line in lines:
            line.no_wrap, line.overflow = True, "crop"
        return Group(*lines)

    def _bar(self, title: str, share: float | None, count: str) -> Text:
        width = self.console.width
        title = title[: max(width - len(count) - BAR - 6, width // 3)]
        line = Text(f"  {title}  ")
        if share is not None:
            done, (full, rest) = round(BAR * share), ("#-" if self.console.options.ascii_only else "━━")
            line.append(full * done, "green").append(rest * (BAR - done), "bright_black").append("  ")
        return line.append(count)


def duration(seconds: float) -> str:
    """For readers: ``under 1 s``, ``4 s``, ``2 min 5 s``, ``3 h 20 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if seconds >= 1 else "under 1 s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def time_left(left: Left | None) -> str:
    """`` , about 7 min left`` with its comma; empty where too little is known to be of use."""
    if left is None or (not left.complete and left.seconds < NOTABLE):
        return ""
    seconds = left.seconds
    if seconds >= 90:  # no reader needs the seconds of a guess
        seconds = 60 * round(seconds / 60)
    return f", {'about' if left.complete else 'at least'} {duration(seconds)} left"


def summary(spent: dict[str, float], seconds: float) -> list[str]:
    """What a run says at its end: the time in all, and by kind of stage."""
    if not spent:
        return [f"done in {duration(seconds)}; everything was cached"]
    kinds = {kind: sum(own) for kind, own in by_kind(spent.items()).items()}
    shown = {kind: own for kind, own in kinds.items() if own >= LEAST_SHARE * seconds}
    rest = seconds - sum(shown.values())
    if rest >= LEAST_SHARE * seconds:
        shown["other"] = rest
    parts = ", ".join(f"{kind} {duration(own)}".replace(" ", "\N{NO-BREAK SPACE}") for kind, own in shown.items())
    lines = textwrap.wrap(f"done in {duration(seconds)}: {parts}", SUMMARY_WIDTH, subsequent_indent="  ")
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def by_kind(steps: Iterable[tuple[str, Item]]) -> dict[str, list[Item]]:
    """What belongs to steps, given with their titles, by the kind of step: ``fit``, ``images``, ``score``."""
    kinds: dict[str, list[Item]] = {}
    for title, item in steps:
        kinds.setdefault(title.split()[0], []).append(item)
    return kinds
