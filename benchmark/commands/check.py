"""``rebeca-bench check run``: does a task still give its published results?"""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.commands.layout import Column, print_rows, terminal
from benchmark.records.verify_cross import OTHER_MACHINE
from benchmark.runner.reproduce import Check

SHOWN = 20
"""Rows printed per list."""


def print_check(check: Check) -> None:
    """Prints the verdict, and what changed."""
    console = terminal()
    if check.equal:
        how = f"within {OTHER_MACHINE:g} (largest {check.largest:.1g})" if check.bytes else "byte for byte"
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
        console.print(f"\n{name}: {len(rows):,} {'differ' if name == 'files' else 'moved'}", style="bold")
        cells = zip(*((row if isinstance(row, tuple) else (row,)) for row in rows[:SHOWN]), strict=True)
        print_rows(
            console,
            [
                Column(heading, [str(cell) for cell in own], least=8)
                for heading, own in zip(columns, cells, strict=True)
            ],
        )
        if len(rows) > SHOWN:
            console.print(f"and {len(rows) - SHOWN:,} more (--json names all)")
    names = f" ({', '.join(check.users[:SHOWN])})" if check.users else ""
    console.print(f"users moved: {len(check.users)}{names}")
