"""``rebeca-bench plan``: what a run would make and cost, what is there already, and what it could detect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from benchmark.board.format_numbers import number
from benchmark.commands.show import wide_console
from benchmark.planning.pilot import pilot as read_pilot
from benchmark.records.files import newest_records
from benchmark.records.schema import LIFT
from benchmark.runner.run import Run
from benchmark.stats.levels import FEWEST_USERS, detectable, smallest_p
from benchmark.task.resolve import Task


def plan_task(task: Task, workdir: Path, pilot_folder: Path | None) -> dict[str, Any]:
    """Counts the work, measures what is there, and estimates from a pilot what could be detected.

    Args:
        task: The task.
        workdir: Work folder.
        pilot_folder: Records of an earlier run; by default the newest of this task in the work folder.

    Raises:
        RecordError: If the pilot cannot be read.
    """
    run = Run(task, workdir)
    people = len(run.world.users)
    rows, size, there_pictures = [], 0, 0
    units = run.units()
    for spec in task.generators:
        k = task.images_of(spec)
        folders = [run.store.folder("pictures", key) for key in run.picture_keys(spec)]
        there = [folder for folder in folders if folder.is_dir()]
        fit = run.fit_key(spec)
        size += sum(path.stat().st_size for folder in there for path in folder.rglob("*") if path.is_file())
        there_pictures += k * sum(len(unit) for unit, folder in zip(units, folders, strict=True) if folder in there)
        rows.append(
            {
                "generator": spec.id,
                "fit": fit[:12],
                "fit_there": run.store.folder("fit", fit).is_dir(),
                "units": len(folders),
                "units_there": len(there),
                "pictures": people * k,
            }
        )
    folder = pilot_folder or newest_records(workdir / "records" / task.file.id)
    pilot = None if folder is None else read_pilot(folder)
    total = people * sum(task.images_of(spec) for spec in task.generators)
    margin = task.file.analysis.equivalence_margin
    seconds = None if pilot is None or pilot.seconds is None else pilot.seconds * (total - there_pictures)
    return {
        "title": task.file.title,
        "hash": task.hash(),
        "people": people,
        "images_per_user": task.file.images,
        "generators": rows,
        "fits": len({row["fit"] for row in rows}),
        "pictures": total,
        "pictures_there": there_pictures,
        "bytes": None if not there_pictures else round(size / there_pictures * total),
        "seconds_left": seconds,
        "smallest_p": smallest_p(people, task.file.analysis.permutations) if people >= FEWEST_USERS else None,
        "margin": margin,
        "detectable_in_sd": detectable(task.file.analysis.alpha) / float(np.sqrt(people)),
        "pilot": None
        if pilot is None
        else {
            "records": str(folder),
            "people": pilot.people,
            "images_per_user": pilot.pictures,
            "correlation": pilot.correlation,
            "measures": [one.to_json(people, k, margin, task.file.analysis.alpha) for one in pilot.detectable],
        },
    }


def print_plan(found: dict[str, Any]) -> None:
    """Prints the plan."""
    console = wide_console()
    console.print(f"{found['title']}: {found['people']} people x {found['images_per_user']} pictures")
    width = max(len(row["generator"]) for row in found["generators"])
    for row in found["generators"]:
        fit = "there" if row["fit_there"] else "to do"
        console.print(
            f"  {row['generator']:{width}s}  fit {row['fit']} {fit:5s}  units {row['units_there']}/{row['units']}"
        )
    console.print(
        f"  {found['fits']} fits, {found['pictures']:,} pictures ({found['pictures_there']:,} there),"
        f" {_size(found['bytes'])} on disk, {_duration(found['seconds_left'])} for missing pictures and their scores"
    )
    _print_detectable(console, found)


def _print_detectable(console: Console, found: dict[str, Any]) -> None:
    if found["smallest_p"] is None:
        console.print(f"under {FEWEST_USERS} people nothing is tested, only described")
    else:
        console.print(f"smallest p of a comparison: {found['smallest_p']:.2g}")
    if found["pilot"] is None:
        console.print(
            f"smallest detectable difference: {found['detectable_in_sd']:.2f} standard deviations of a person's"
            " difference (80 % power); for one in raw units run a pilot first, e.g. with --limit-users 20"
        )
        return
    pilot = found["pilot"]
    console.print(
        f"from {pilot['records']} ({pilot['people']} people x {pilot['images_per_user']} pictures,"
        f" two pictures of a set correlate at {number(pilot['correlation'], 2)}); one pair, unadjusted, 80 % power:"
    )
    for one in pilot["measures"]:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column(f"smallest detectable difference, {one['measure'].replace(LIFT, 'personal lift, ')}")
        counts = sorted({cell["pictures"] for cell in one["table"]})
        for count in counts:
            table.add_column(f"{count} pictures", justify="right")
        for people in sorted({cell["people"] for cell in one["table"]}):
            cells = {cell["pictures"]: cell["detectable"] for cell in one["table"] if cell["people"] == people}
            table.add_row(f"  {people} people", *(number(cells[count], 4) for count in counts))
        console.print(table)
        console.print(
            f"  a difference of the margin {found['margin']:g} is found by {one['people_for_margin']:,} people, and"
            f" equal generators are called equivalent by {one['people_for_equivalence']:,} (80 % power each)"
        )


def _size(size: int | None) -> str:
    return "an unknown size" if size is None else f"about {decimal(size)}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "an unknown time"
    return f"about {seconds:.0f} s" if seconds < 120 else f"about {seconds / 60:.0f} min"
