"""Progress on a terminal, with rate and time left; silence elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from rebeca.errors import printable
from rebeca.interfaces import no_progress

Report = Callable[[int, int, str], None]


class Reporter:
    """Prints what a run does.

    Messages go to standard error, so that ``--json`` output stays clean. Bars appear on a terminal only.
    """

    def __init__(self, console: Console | None = None, quiet: bool = False) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self.quiet = quiet

    def info(self, text: str) -> None:
        if not self.quiet:
            self.console.print(printable(text), markup=False)

    def warn(self, text: str) -> None:
        """Prints a line, also where the reporter is quiet."""
        self.console.print(printable(text), markup=False)

    @contextmanager
    def stage(self, title: str) -> Iterator[Report]:
        """Shows a bar while the block runs; the block is given a function (done, total, note)."""
        if self.quiet or not self.console.is_terminal:
            yield no_progress
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
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.3g}/s")
