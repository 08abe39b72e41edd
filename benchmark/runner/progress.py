"""Progress on a terminal, with rate and time left; silence elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Task as RichTask
from rich.text import Text

from rebeca.errors import printable

Report = Callable[[int, int, str], None]


class Reporter:
    """Tells the terminal what is going on.

    Messages go to standard error, so that ``--json`` output stays clean; bars appear on a terminal only.
    """

    def __init__(self, console: Console | None = None, quiet: bool = False) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self.quiet = quiet

    def say(self, text: str) -> None:
        """One line."""
        if not self.quiet:
            self.console.print(printable(text), markup=False)

    def warn(self, text: str) -> None:
        """One line that is said even to who asked for silence."""
        self.console.print(printable(text), markup=False)

    @contextmanager
    def stage(self, title: str) -> Iterator[Report]:
        """A bar while something runs; the block gets a function (done, total, note)."""
        if self.quiet or not self.console.is_terminal:
            yield silent
            return
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(24),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            bar = progress.add_task(title, total=None, note="")

            def report(done: int, total: int, note: str) -> None:
                progress.update(bar, completed=done, total=total, note=note)

            yield report


class _Rate(ProgressColumn):
    """Steps a second."""

    def render(self, task: RichTask) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.3g}/s")


def silent(done: int, total: int, note: str) -> None:
    """A report that nobody reads."""


@dataclass(slots=True)
class Timing:
    """Wall seconds by stage of what this run made itself."""

    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        """Adds to a stage."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
