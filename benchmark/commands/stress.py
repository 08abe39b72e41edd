"""Adversaries against a task: what each reached, with and without the defences."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.commands.options import (
    csv_option,
    device_option,
    json_option,
    print_csv,
    print_folders,
    print_json,
    quiet_option,
    task_options,
    workdir_option,
)

if TYPE_CHECKING:
    from benchmark.analysis.numbers import Interval
    from benchmark.analysis.results import Rank
    from benchmark.board.plain_rows import Cell
    from benchmark.stress.table import StressRow


@click.command()
@task_options
@workdir_option
@click.option("--only", multiple=True, metavar="ID", help="Only this generator or adversary; may be repeated.")
@click.option(
    "--with",
    "more",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Further adversaries, as 'generators' in a task file; may be repeated.",
)
@device_option()
@quiet_option
@json_option
@csv_option
def stress(
    task: str,
    overrides: tuple[str, ...],
    limit_users: int | None,
    workdir: Path,
    only: tuple[str, ...],
    more: tuple[Path, ...],
    device: str,
    quiet: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Run adversaries against a task: what do they gain, and which keep a rank?

    They are added to the task's own generators; cached images are used. The
    defences are added where the task has none. The page shows every row.
    """
    from benchmark.runner.folders import check_folders, page_folder
    from benchmark.runner.progress import Reporter
    from benchmark.runner.start import running, task_to_run
    from benchmark.site.build import build_site
    from benchmark.stress.stressed_task import stressed
    from benchmark.stress.table import stress_rows
    from benchmark.task.resolve import limited

    reporter = Reporter(quiet=quiet or as_json or as_csv)
    plain = task_to_run(task, overrides, limit_users, (), device)
    resolved = stressed(plain, more, reporter.info)
    adversaries = {each.id for each in resolved.generators} - {each.id for each in plain.generators}
    resolved = limited(resolved, only) if only else resolved
    folder = page_folder(workdir, resolved)
    check_folders(workdir, folder, None)
    with running(resolved, workdir, device, reporter, ["rebeca-bench", *sys.argv[1:]]) as (_, result):
        page = build_site([result.records], folder)
    rows = stress_rows(result.records, adversaries)
    if as_json:
        print_json(rows)
    elif as_csv:
        print_csv(map(_plain, rows))
    else:
        _print(rows)
        print_folders(result.records, None, page)


def _plain(row: StressRow) -> dict[str, Cell]:
    """A row of CSV: of intervals the estimate and the ends."""
    out: dict[str, Cell] = {}
    for field in fields(row):
        value = getattr(row, field.name)
        if field.name in INTERVALS:
            ends = (None, None, None) if value is None else (value.estimate, value.low, value.high)
            out |= dict(zip((field.name, f"{field.name}_low", f"{field.name}_high"), ends, strict=True))
        elif field.name in RANKS:
            out[field.name] = None if value is None else value.with_letters
        else:
            out[field.name] = "; ".join(value) if isinstance(value, tuple) else value
    return out | {"slips": row.slips}


INTERVALS = ("preference", "lift", "lift_auditor", "confirmed", "lift_confirming", "known", "lift_known")
RANKS = ("undefended", "defended")


def _print(rows: Sequence[StressRow]) -> None:
    from benchmark.board.format_numbers import number
    from benchmark.commands.layout import BREAK, Column, print_rows, terminal

    def values(name: str, sign: bool = False) -> list[str]:
        intervals: list[Interval | None] = [getattr(row, name) for row in rows]
        return ["" if each is None else number(each.estimate, 3, sign) for each in intervals]

    def ranks(name: str) -> list[str]:
        own: list[Rank | None] = [getattr(row, name) for row in rows]
        return ["–" if rank is None else rank.with_letters for rank in own]

    console = terminal()
    print_rows(
        console,
        [
            Column("generator", [row.id for row in rows], least=16),
            Column("preference", values("preference"), right=True),
            Column("confirmed", values("confirmed"), right=True),
            Column("lift", values("lift", sign=True), right=True),
            Column("lift, auditor", values("lift_auditor", sign=True), right=True),
            Column("lift, confirming", values("lift_confirming", sign=True), right=True),
            Column("best informed", values("known"), right=True),
            Column("lift, best informed", values("lift_known", sign=True), right=True),
            Column("rank without defences", ranks("undefended")),
            Column("rank", ranks("defended")),
            Column("flags", [BREAK.join(row.flags) for row in rows], least=16, optional=True),
        ],
    )
    adversaries = [row for row in rows if row.adversary]
    counted_ones = [row for row in adversaries if row.counted]
    ranked = [row for row in counted_ones if row.ranked]
    first, slipping = [row.id for row in ranked if row.first_letter], [row.id for row in adversaries if row.slips]
    honest = [row.id for row in rows if not row.adversary and row.undefended is not None and not row.ranked]
    console.print()
    if all(row.defended is None for row in rows):
        console.print("With the defences nothing was compared: too few generators, or not the reference, are ranked.")
    console.print(
        f"Adversaries: {len(adversaries)}; {len(counted_ones)} reach the reference without the defences, of which"
        f" {len(ranked)} keep a rank with them."
    )
    console.print(f"In the first letter: {', '.join(first) or 'none'}.")
    console.print(f"Ranked, with a lift that may be none by the best-informed scorer: {', '.join(slipping) or 'none'}.")
    console.print(f"Honest generators that lose their rank: {', '.join(honest) or 'none'}.")
