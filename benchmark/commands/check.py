"""``rebeca-bench check run``: does a task still give what was published?"""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from benchmark.commands.show import wide_console
from benchmark.runner.reproduce import TOLERANCE, Check

SHOWN = 20
"""Rows printed per list."""


def print_check(check: Check) -> None:
    """Prints the verdict, and what moved."""
    console = wide_console()
    if check.equal:
        how = f"within {TOLERANCE:g} (largest {check.largest:.1g})" if check.bytes else "byte for byte"
        other = f", {len(check.images)} images are others of the same scores" if check.images else ""
        console.print(f"equal to {check.against} {how}, with the same verdicts{other}")
        return
    console.print(f"not equal to {check.against}, on {check.machine} machine, with weights {check.weights}")
    lists: list[tuple[str, Sequence[object], tuple[str, ...]]] = [
        ("rows", check.rows, ("generator on one side only",)),
        ("images", check.images, ("generator", "user", "image")),
        ("scores", check.scores, ("generator", "scorer", "user", "image", "published", "here")),
        ("measures", check.measures, ("generator", "measure", "user", "published", "here")),
        ("verdicts", check.verdicts, ("measure", "a", "b", "published", "here")),
        ("files", [] if check.machine == "another" else check.bytes, ("file",)),
    ]
    for name, rows, columns in lists:
        if not rows:
            continue
        table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
        table.title = f"{name}: {len(rows):,} {'differ' if name == 'files' else 'moved'}"
        for column in columns:
            table.add_column(column, no_wrap=True)
        for row in rows[:SHOWN]:
            table.add_row(*(str(cell) for cell in (row if isinstance(row, tuple) else (row,))))
        console.print(table)
        if len(rows) > SHOWN:
            console.print(f"and {len(rows) - SHOWN:,} more (--json names all)")
    named = f" ({', '.join(check.users[:SHOWN])})" if check.users else ""
    console.print(f"users moved: {len(check.users)}{named}", markup=False)
