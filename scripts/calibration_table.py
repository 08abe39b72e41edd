"""Writes docs/calibration.csv: level and coverage of every test of the board, on a grid of shapes.

    python scripts/calibration_table.py                 # goes on where it was stopped
    python scripts/calibration_table.py --runs 200 --out /tmp/short.csv

The rates come from ``benchmark.calibration``, which asks the board's own functions; ``rebeca-bench calibrate TASK``
does the same for one task's shape.
"""

from __future__ import annotations

import csv
import itertools
import time
from pathlib import Path

import click

from benchmark.calibration import calibrate, cells
from benchmark.stats.simulation import Shape

PEOPLE = (8, 30, 60, 210)
CORRELATIONS = (0.0, 0.1, 0.3, 0.6)
PICTURES = 8
LIFT = 0.3
"""Planted lift, in standard deviations of a picture's score."""
SEED = 1


@click.command()
@click.option("--runs", default=2000, show_default=True, help="Simulated runs a cell.")
@click.option("--workers", default=2, show_default=True, help="Processes; the numbers do not depend on them.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("docs/calibration.csv"), show_default=True)
def main(runs: int, workers: int, out: Path) -> None:
    """Counts rejections and coverage; shapes that the file already holds are not made again."""
    done = set()
    if out.exists():
        with out.open(newline="", encoding="utf-8") as stream:
            done = {(int(row["people"]), float(row["correlation"])) for row in csv.DictReader(stream)}
    for people, correlation in itertools.product(PEOPLE, CORRELATIONS):
        if (people, correlation) in done:
            continue
        started = time.perf_counter()
        rates = calibrate(cells(Shape(people, PICTURES, correlation), LIFT, runs), SEED, workers)
        lines = [rate.to_json() for rate in rates]
        new = not out.exists()
        with out.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(lines[0]))
            if new:
                writer.writeheader()
            writer.writerows(lines)
        off = sum(rate.off and rate.quantity.on_board for rate in rates)
        click.echo(f"{people} people, correlation {correlation}: {len(rates)} rates, {off} off,"
                   f" {time.perf_counter() - started:.0f} s")  # fmt: skip


if __name__ == "__main__":
    main()
