"""Writes docs/reports/calibration.csv, level and coverage of every test on a grid of shapes, and its tables.

    python scripts/calibration_table.py                 # the numbers; goes on where it was stopped
    python scripts/calibration_table.py --runs 200 --out /tmp/short.csv
    python scripts/calibration_table.py --page          # the tables of docs/reports/calibration.md from the numbers

The rates come from ``benchmark.planning.calibration``, which calls the functions that the leaderboard uses;
``rebeca-bench calibrate TASK`` does the same for one task's shape.
"""

from __future__ import annotations

import csv
import itertools
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from benchmark.planning.calibration import QUANTITIES, calibrate, cells
from benchmark.stats.simulation import Shape

USERS = (8, 30, 60, 210)
CORRELATIONS = (0.0, 0.1, 0.3, 0.6)
IMAGES = 8
LIFT = 0.3
"""Planted lift, in standard deviations of an image's score."""
SEED = 1
DOCS = Path(__file__).resolve().parent.parent / "docs" / "reports"
START, END = "<!-- tables: made by scripts/calibration_table.py --page -->", "<!-- end of tables -->"
SKEWED = "skewed"


def read(path: Path) -> list[dict[str, Any]]:
    """Rates of a table, numbers as numbers."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows: list[dict[str, Any]] = list(csv.DictReader(stream))
    for row in rows:
        row |= {name: int(row[name]) for name in ("users", "runs")}
        row |= {name: float(row[name]) for name in ("correlation", "rate")}
        row |= {name: row[name] == "True" for name in ("off", "on_board")}
    return rows


def tables(rows: list[dict[str, Any]]) -> str:
    """Markdown: what the leaderboard uses, without and with skewed values; what it does not; every rate that is off."""
    used = [row for row in rows if row["on_board"]]
    off = sorted({(row["quantity"], row["condition"], row["users"]) for row in used if row["off"]})
    by_case = [[row for row in used if (row["quantity"], row["condition"], row["users"]) == case] for case in off]
    lines = [
        f"| {quantity} | {condition} | {users} | {min(r['rate'] for r in case):.3f} to"
        f" {max(r['rate'] for r in case):.3f} | {sum(r['off'] for r in case)} of {len(case)} |"
        for (quantity, condition, users), case in zip(off, by_case, strict=True)
    ]
    count = sum(row["off"] for row in used)
    return "\n".join(
        [
            "### Values that are not skewed",
            "",
            *_table(used, lambda row: not row["condition"].startswith(SKEWED)),
            "",
            "### Skewed values",
            "",
            *_table(used, lambda row: row["condition"].startswith(SKEWED)),
            "",
            "### Shown beside, decides nothing",
            "",
            *_table([row for row in rows if not row["on_board"]], lambda row: True),
            "",
            "### All cases that are off",
            "",
            f"{count} of {len(used)} rates are off. For each case the table shows the range over the four correlations,"
            " and how many of the four are off.",
            "",
            "| quantity | condition | users | rate | off |",
            "|---|---|---|---|---|",
            *lines,
        ]
    )


def _table(rows: list[dict[str, Any]], chosen: Callable[[dict[str, Any]], bool]) -> list[str]:
    lines = [
        f"| | nominal | {' | '.join(f'{users} users' for users in USERS)} |",
        "|---|---|" + "---|" * len(USERS),
    ]
    for name, quantity in QUANTITIES.items():
        own = [row for row in rows if row["quantity"] == name and chosen(row)]
        if own:
            cells_ = [_cell([row for row in own if row["users"] == users]) for users in USERS]
            nominal = "" if quantity.nominal is None else f"{quantity.nominal:.2f}"
            lines.append(f"| {quantity.kind}: {name} | {nominal} | {' | '.join(cells_)} |")
    return lines


def _cell(rows: list[dict[str, Any]]) -> str:
    rates = [row["rate"] for row in rows]
    mark = " **off**" if any(row["off"] for row in rows) else ""
    return f"{sum(rates) / len(rates):.3f} ({min(rates):.3f} to {max(rates):.3f}){mark}" if rates else ""


def page(rows: list[dict[str, Any]]) -> str:
    """docs/reports/calibration.md with these tables."""
    before, rest = (DOCS / "calibration.md").read_text(encoding="utf-8").split(START)
    return f"{before}{START}\n\n{tables(rows)}\n\n{END}{rest.split(END)[1]}"


@click.command()
@click.option("--runs", default=2000, show_default=True, help="Simulated runs per cell.")
@click.option("--workers", default=2, show_default=True, help="Processes; the numbers do not depend on them.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("docs/reports/calibration.csv"), show_default=True)
@click.option("--page", "write_page", is_flag=True, help="Only write the tables of docs/reports/calibration.md.")
def main(runs: int, workers: int, out: Path, write_page: bool) -> None:
    """Counts rejections and coverage; shapes that the file already holds are skipped."""
    if write_page:
        (DOCS / "calibration.md").write_text(page(read(out)), encoding="utf-8")
        return
    done = set()
    if out.exists():
        with out.open(newline="", encoding="utf-8") as stream:
            done = {(int(row["users"]), float(row["correlation"])) for row in csv.DictReader(stream)}
    for users, correlation in itertools.product(USERS, CORRELATIONS):
        if (users, correlation) in done:
            continue
        started = time.perf_counter()
        rates = calibrate(cells(Shape(users, IMAGES, correlation), LIFT, runs), SEED, workers)
        lines = [asdict(rate) for rate in rates]
        new = not out.exists()
        with out.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(lines[0]))
            if new:
                writer.writeheader()
            writer.writerows(lines)
        off = sum(rate.off and rate.on_board for rate in rates)
        click.echo(f"{users} users, correlation {correlation}: {len(rates)} rates, {off} off,"
                   f" {time.perf_counter() - started:.0f} s")  # fmt: skip


if __name__ == "__main__":
    main()
