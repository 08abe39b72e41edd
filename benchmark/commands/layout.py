"""How commands lay out rows on a terminal: as a table where it fits, as stanzas where it does not. Nothing is cut.

All commands print through :func:`terminal`, which shows text as it is: brackets in a title are no markup.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rebeca.errors import printable

STANZAS_BELOW = 100
"""Columns of a terminal. Below, a table is printed only if it is complete."""
PIPED = 100
"""Columns where there is no terminal and ``COLUMNS`` is not set."""
NARROWEST = 40
GAP = 2
"""Spaces between two columns."""
BREAK = "\x1e"
"""Within a cell: a line break in a table that lacks room, elsewhere a comma."""


class _Terminal(Console):
    def print(self, *objects: Any, **options: Any) -> None:
        """As the base, without spaces at the ends of lines."""
        with self.capture() as captured:
            super().print(*objects, **options)
        self.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
        self.file.flush()

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


def terminal() -> Console:
    """Standard output, as wide as ``COLUMNS`` says or the terminal is."""
    width = shutil.get_terminal_size((PIPED, 24)).columns
    return _Terminal(width=max(NARROWEST, width), markup=False, emoji=False, highlight=False)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, which is a line of each stanza.

    Attributes:
        heading: Its name.
        cells: One per row, with :data:`BREAK` where they may be broken; an empty cell has no line in a stanza.
        least: Narrowest width to which cells may be wrapped; None where they are not wrapped.
        optional: Whether a table may leave it out for want of room.
        below_name: Whether a table shows it below the name of the row for want of room.
        right: Whether it is aligned on the right.
    """

    heading: str
    cells: Sequence[str]
    least: int | None = None
    optional: bool = False
    below_name: bool = False
    right: bool = False

    @property
    def full(self) -> int:
        """Width without a further line break in a cell."""
        return max(_width(self.heading.split()), _width([_on_one_line(cell) for cell in self.cells]))

    @property
    def narrow(self) -> int:
        """Width with as many line breaks as are allowed."""
        cells = _width([cell.replace(BREAK, "\n") for cell in self.cells])
        return max(_width(self.heading.split()), cells if self.least is None else min(cells, self.least))


def print_rows(console: Console, columns: Sequence[Column], lead: int = 1) -> None:
    """Prints a table, or stanzas where it does not fit or the terminal is narrow.

    Args:
        console: Where to.
        columns: What to print, the most important first; those without any text are left out.
        lead: How many columns share the first line of a stanza, 1 or 2; the last of them holds the names of the rows.
    """
    name = columns[lead - 1].heading
    columns = [column for column in columns if any(column.cells)]
    shown = _that_fit(columns, name, console.width)
    if shown is None:
        console.print(_stanzas(columns, lead, console.width // 2))
        return
    console.print(_table(shown, console.width))
    seen = {column.heading for column in shown}
    hidden = [column.heading for column in columns if not column.below_name and column.heading not in seen]
    if hidden:
        console.print(f"not shown for want of room: {'; '.join(hidden)}")


def print_pairs(console: Console, rows: Sequence[tuple[str, str]]) -> None:
    """Prints names and texts side by side; a long text goes on below its own beginning."""
    console.print(_pairs(rows, _width([name for name, _ in rows])))


def _that_fit(columns: Sequence[Column], name: str, width: int) -> list[Column] | None:
    """Columns of a table, or None where it has to be stanzas."""
    if _total([column.full for column in columns]) <= width:
        return list(columns)
    if width < STANZAS_BELOW:
        return None
    below = next((column for column in columns if column.below_name), None)
    shown = [_noted(column, below) if column.heading == name else column for column in columns if column != below]
    room = width - _total([column.narrow for column in shown if not column.optional])
    if room < 0:
        return None
    fitting = []
    for column in shown:
        if not column.optional or column.narrow + GAP <= room:
            room -= (column.narrow + GAP) * column.optional
            fitting.append(column)
    return fitting


def _noted(column: Column, below: Column | None) -> Column:
    """A column with the texts of another one below its own."""
    if below is None:
        return column
    pairs = zip(column.cells, below.cells, strict=True)
    return replace(column, cells=[f"{cell}\n  {note}" if note else cell for cell, note in pairs])


def _table(columns: Sequence[Column], width: int) -> Table:
    widths = [column.narrow for column in columns]
    for heading in (False, True):  # first room for cells, then for headings
        for place, column in enumerate(columns):
            wish = max(column.full, cell_len(column.heading) * heading)
            widths[place] += max(0, min(wish - widths[place], width - _total(widths)))
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for column, own in zip(columns, widths, strict=True):
        justify = "right" if column.right else "left"
        table.add_column(column.heading, width=own, overflow="fold", justify=justify, vertical="top")  # type: ignore[arg-type]
    for cells in zip(*(column.cells for column in columns), strict=True):
        roomy = (own >= column.full for column, own in zip(columns, widths, strict=True))
        table.add_row(
            *(
                _on_one_line(cell) if room else cell.replace(BREAK, "\n")
                for cell, room in zip(cells, roomy, strict=True)
            )
        )
    return table


def _stanzas(columns: Sequence[Column], lead: int, most: int) -> RenderableType:
    """One block per row: its name, and below it a line per column, whose heading takes at most so many columns."""
    before, after = columns[:lead], columns[lead:]
    label = min(most, _width([column.heading for column in after]))
    margin = _width(before[0].cells) if lead > 1 else 0
    blocks = []
    for row, texts in enumerate(zip(*(column.cells for column in before), strict=True)):
        pairs = [(column.heading, _on_one_line(column.cells[row])) for column in after if column.cells[row]]
        first, *rest = texts
        name = Text(printable(rest[0] if rest else first), style="bold", overflow="fold")
        if not rest:
            blocks.append(Group(name, Padding(_pairs(pairs, label), (0, 0, 0, GAP))))
            continue
        block = Table.grid(padding=(0, GAP, 0, 0))
        block.add_column(width=margin)
        block.add_column(overflow="fold")
        block.add_row(first, Group(name, _pairs(pairs, label)))
        blocks.append(Group(block))
    return Group(*(Padding(block, (0, 0, int(block is not blocks[-1]), 0)) for block in blocks))


def _pairs(rows: Sequence[tuple[str, str]], label: int) -> Table:
    grid = Table.grid(padding=(0, GAP, 0, 0))
    grid.add_column(width=label, overflow="fold")
    grid.add_column(overflow="fold")
    for row in rows:
        grid.add_row(*row)
    return grid


def _on_one_line(cell: str) -> str:
    return cell.replace(BREAK, ", ")


def _width(texts: Sequence[str]) -> int:
    return max((cell_len(line) for text in texts for line in text.split("\n")), default=0)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)
