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
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import click

from benchmark.planning.calibration import MEASURED_FIT_VARIANCE, USERS_OF_A_GROUP, WORLDS, calibrate, cells
from benchmark.planning.rates import QUANTITIES, Cell, Rate
from benchmark.stats.simulation import OWN_CANDIDATES, RETRIEVALS, Shape

USERS = (8, 30, 60, 210)
CORRELATIONS = (0.0, 0.1, 0.3, 0.6)
IMAGES = 8
LIFT = 0.3
"""Planted lift, in standard deviations of an image's score."""
FITS = (1, 3, 5)
FIT_VARIANCES = (0.0, MEASURED_FIT_VARIANCE, 0.25, 0.5, 1.0)
USERS_WITH_FITS = (8, 30, 100)
IMAGES_WITH_FITS = 15
"""A multiple of all numbers of fits."""
CORRELATION_WITH_FITS = 0.3
SHARE_OF_RUNS = 0.5
"""For all cells with fits but those of the power, and of equal methods with 100 users and the measured variance."""
ASSUMED_VARIANCES = (MEASURED_FIT_VARIANCE, 0.25, 1.0)
"""For generators that share their fits or differ in their variance, with three fits."""
POWER = {"lift": (0.06, 0.085, 0.0146), "preference": (0.05, 0.06, 0.0078)}
"""Effect, and standard deviations between users and between fits, on tinyworld; within, .12 per fit and user."""
WITHIN = 0.12
POWER_USERS = 100
ITEMS = (25, 100)
IMAGES_WITH_ITEMS = 4
SEED = 1
KEYS = ("world", "condition", "users", "images", "correlation", "fits", "fit_variance", "items")
"""Columns that identify a cell."""
DOCS = Path(__file__).resolve().parent.parent / "docs" / "reports"
START, END = "<!-- tables: made by scripts/calibration_table.py --page -->", "<!-- end of tables -->"
SKEWED = "skewed"


def read(path: Path) -> list[dict[str, Any]]:
    """Rates of a table, numbers as numbers."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows: list[dict[str, Any]] = list(csv.DictReader(stream))
    for row in rows:
        row |= {name: int(row[name]) for name in ("users", "images", "fits", "items", "runs")}
        row |= {name: float(row[name]) for name in ("correlation", "fit_variance", "rate")}
        row |= {name: row[name] == "True" for name in ("off", "on_board")}
    return rows


def tables(rows: list[dict[str, Any]]) -> str:
    """Markdown: what the leaderboard uses, without and with skewed values; what it does not; every rate that is off."""
    with_fits = [row for row in rows if row["world"] in ("fits", "power")]
    with_items = [row for row in rows if row["world"] == "items"]
    rows = [row for row in rows if row["world"] not in ("fits", "power", "items")]
    used = [row for row in rows if row["on_board"]]
    off = sorted({(row["quantity"], row["condition"], row["users"]) for row in used if row["off"]})
    by_case = [[row for row in used if (row["quantity"], row["condition"], row["users"]) == case] for case in off]
    lines = [
        f"| {quantity} | {condition} | {users} | {_range(case)} | {sum(r['off'] for r in case)} of {len(case)} |"
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
            *fit_tables(with_fits),
            "",
            *item_table(with_items),
            "",
            "### All cases that are off",
            "",
            f"{count} of {len(used)} rates without a variance between fits are off. For each case the table shows the"
            " range over the four correlations, and how many of the four are off.",
            "",
            "| quantity | condition | users | rate | off |",
            "|---|---|---|---|---|",
            *lines,
            "",
            *_fits_off([row for row in with_fits if row["on_board"]]),
        ]
    )


def fit_tables(rows: list[dict[str, Any]]) -> list[str]:
    """Power; level and coverage per condition; what one fit says."""
    lines = [
        "### Several fits: power",
        "",
        "| measure | fits | power | pooled t-test | level | of the t-test | beside three |",
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for measure, fits in itertools.product(POWER, FITS[1:]):
        rates = {row["quantity"]: row["rate"] for row in rows if (row["condition"], row["fits"]) == (measure, fits)}
        columns = [rates[f"{test}, {what}, 11 comparisons"]
                   for what in ("power", "no difference") for test in ("methods", "pooled t-test")]  # fmt: skip
        columns.append(rates["methods, power, 11 comparisons and 3 with strangers"])
        lines.append(f"| {measure} | {fits} | {' | '.join(f'{rate:.3f}' for rate in columns)} |")
    for condition in WORLDS["fits"]:
        own = [row for row in rows if row["condition"] == condition and row["fits"] > 1 and row["world"] == "fits"]
        lines += ["", f"### Several fits: {condition}", "", *_by_variance(own, "fits")]
    single = [row for row in rows if row["world"] == "fits" and row["fits"] == 1]
    return [*lines, "", "### One fit", "", *_by_variance(single, "users")]


def item_table(rows: list[dict[str, Any]]) -> list[str]:
    """A line per quantity and number of items, a column per number of users; ranges over the generators."""
    columns = " | ".join(f"{users} users" for users in USERS_WITH_FITS)
    lines = [
        "### Held-out items",
        "",
        f"| | nominal | items | {columns} |",
        "|---|---|---|" + "---|" * len(USERS_WITH_FITS),
    ]
    for (name, quantity), items in itertools.product(QUANTITIES.items(), ITEMS):
        own = [row for row in rows if (row["quantity"], row["items"]) == (name, items)]
        if own:
            cells_ = [_cell([row for row in own if row["users"] == users]) for users in USERS_WITH_FITS]
            lines.append(f"| {quantity.kind}: {name} | {quantity.nominal:.2f} | {items} | {' | '.join(cells_)} |")
    return lines


def _by_variance(rows: list[dict[str, Any]], by: str) -> list[str]:
    """A line per quantity and number of fits or users, a column per variance between fits."""
    lines = [f"| | nominal | {by} | {' | '.join(f'{variance:g}' for variance in FIT_VARIANCES)} |"]
    lines.append("|---|---|---|" + "---|" * len(FIT_VARIANCES))
    for (name, quantity), value in itertools.product(QUANTITIES.items(), sorted({row[by] for row in rows})):
        own = [row for row in rows if row["quantity"] == name and row[by] == value]
        if own:
            cells_ = [_cell([row for row in own if row["fit_variance"] == variance]) for variance in FIT_VARIANCES]
            nominal = "" if quantity.nominal is None else f"{quantity.nominal:.2f}"
            lines.append(f"| {quantity.kind}: {name} | {nominal} | {value} | {' | '.join(cells_)} |")
    return lines


def _fits_off(rows: list[dict[str, Any]]) -> list[str]:
    off = [row for row in rows if row["off"]]
    lines = [f"{len(off)} of {len(rows)} rates with a variance between fits, or with several fits, are off."]
    if off:
        lines += [
            "",
            "| quantity | condition | users | fits | variance between fits | rate |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {r['quantity']} | {r['condition']} | {r['users']} | {r['fits']} | {r['fit_variance']:g} |"
            f" {r['rate']:.3f} |"
            for r in off
        ]
    return lines


def _range(rows: list[dict[str, Any]]) -> str:
    rates = [row["rate"] for row in rows]
    return f"{min(rates):.3f} to {max(rates):.3f}"


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
    if len(rows) < 2:
        return "".join(f"{row['rate']:.3f}{' **off**' if row['off'] else ''}" for row in rows)
    mark = " **off**" if any(row["off"] for row in rows) else ""
    return f"{sum(row['rate'] for row in rows) / len(rows):.3f} ({_range(rows)}){mark}"


def page(rows: list[dict[str, Any]]) -> str:
    """docs/reports/calibration.md with these tables."""
    before, rest = (DOCS / "calibration.md").read_text(encoding="utf-8").split(START)
    return f"{before}{START}\n\n{tables(rows)}\n\n{END}{rest.split(END)[1]}"


def batches(runs: int) -> Iterator[list[Cell]]:
    """The grid, in parts that are computed and written together."""
    for users, correlation in itertools.product(USERS, CORRELATIONS):
        shape = Shape(users, IMAGES, correlation)
        without = {"fits", "groups"} if users <= USERS_OF_A_GROUP else {"fits"}
        own = cells(shape, LIFT, runs)
        yield [cell for cell in own if cell.world not in without and cell.condition != OWN_CANDIDATES]
    for measure, (effect, between, of_fits) in POWER.items():
        score = math.hypot(between, WITHIN)
        correlation, variance = round(between**2 / score**2, 3), round(of_fits**2 / between**2, 4)
        yield [
            Cell(
                "power", measure, Shape(POWER_USERS, fits, correlation), round(effect / score, 3), runs, fits, variance
            )
            for fits in FITS[1:]
        ]
    for fits, variance, users in itertools.product(FITS, FIT_VARIANCES, USERS_WITH_FITS):
        shape = Shape(users, IMAGES_WITH_FITS, CORRELATION_WITH_FITS)
        main = (fits, variance, users) == (3, MEASURED_FIT_VARIANCE, POWER_USERS)
        all_conditions = fits == 3 and variance in ASSUMED_VARIANCES
        yield [
            Cell("fits", condition, shape, LIFT, runs if main else round(SHARE_OF_RUNS * runs), fits, variance)
            for condition in (WORLDS["fits"] if all_conditions else WORLDS["fits"][:1])
        ]
    for users in USERS_WITH_FITS:  # correlation plays no part
        shape = Shape(users, IMAGES, 0.0)
        yield [Cell("sets", OWN_CANDIDATES, shape, LIFT, round(SHARE_OF_RUNS * runs))]
    for users, items in itertools.product(USERS_WITH_FITS, ITEMS):
        shape = Shape(users, IMAGES_WITH_ITEMS, 0.0)
        some = round(SHARE_OF_RUNS * runs)
        yield [Cell("items", condition, shape, LIFT, some, items=items) for condition in RETRIEVALS]


def place(cell: Cell | dict[str, Any]) -> tuple[object, ...]:
    """What identifies a cell, from it or from a row of the table."""
    if isinstance(cell, dict):
        return tuple(cell[key] for key in KEYS)
    shape = cell.shape
    own = cell.world, cell.condition, shape.users, shape.images, shape.correlation
    return (*own, cell.fits, cell.fit_variance, cell.items)


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
    done = {place(row) for row in read(out)} if out.exists() else set()
    for batch in batches(runs):
        work = [cell for cell in batch if place(cell) not in done]
        if not work:
            continue
        started = time.perf_counter()
        rates = calibrate(work, SEED, workers)
        _append(out, rates)
        off = sum(rate.off and rate.on_board for rate in rates)
        world, _, users, images, correlation, fits, variance, items = place(work[0])
        click.echo(
            f"{world} and others, {users} users, {images} images, correlation {correlation}, {fits} fits, variance"
            f" {variance}, {items} items: {len(rates)} rates, {off} off, {time.perf_counter() - started:.0f} s"
        )


def _append(out: Path, rates: list[Rate]) -> None:
    new = not out.exists()
    with out.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Rate)])
        if new:
            writer.writeheader()
        writer.writerows(asdict(rate) for rate in rates)


if __name__ == "__main__":
    main()
