"""``rebeca-bench calibrate``: the board's tests on simulated tasks of one task's shape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmark.commands.show import find_records, wide_console
from benchmark.planning.calibration import QUANTITIES, Rate, calibrate, cells
from benchmark.planning.pilot import pilot as read_pilot
from benchmark.runner.progress import Reporter
from benchmark.stats.simulation import Shape
from rebeca.errors import SpecError

SEED = 1
LEAST_LIFT = 0.3
"""Planted where the records show no lift, in standard deviations of a score."""
NEEDED = ("users", "pictures", "correlation")


def calibrate_task(
    task: str, roots: Sequence[Path], given: dict[str, Any], runs: int, workers: int, reporter: Reporter
) -> dict[str, Any]:
    """Simulates every condition on the task's shape.

    Args:
        task: Id, task file or folder of records.
        roots: Folders of records.
        given: ``users``, ``pictures``, ``correlation``, ``lift``; None takes the records'.
        runs: Simulated runs a cell.
        workers: Processes.
        reporter: Told about the progress.

    Raises:
        SpecError: If there are no records and something is not given.
    """
    shape = dict(given)
    source = "given"
    if any(shape[key] is None for key in NEEDED):
        try:
            found = read_pilot(find_records(task, roots))
        except SpecError as error:
            missing = [f"--{key}" for key in NEEDED if shape[key] is None]
            raise SpecError(error.message, hint=f"run the task first, or give {', '.join(missing)}") from error
        if found.correlation is None and shape["correlation"] is None:
            raise SpecError(
                f"the records of '{task}' cannot say how alike the pictures of one set are",
                hint="that takes two ranked generators and two pictures a person; give --correlation",
            )
        estimated: dict[str, Any] = {
            "users": found.people,
            "pictures": found.pictures,
            "correlation": found.correlation,
        }
        estimated["lift"] = found.lift if found.lift > 0 else LEAST_LIFT
        shape = {key: estimated[key] if value is None else value for key, value in shape.items()}
        source = "estimated from records"
    lift = LEAST_LIFT if shape["lift"] is None else shape["lift"]
    where = Shape(shape["users"], shape["pictures"], min(round(shape["correlation"], 3), 0.99))
    with reporter.stage(f"calibrate {task}") as report:
        rates = calibrate(cells(where, lift, runs), SEED, workers, report)
    return {
        "task": task,
        "shape": source,
        "people": where.users,
        "pictures": where.pictures,
        "correlation": where.correlation,
        "lift": lift,
        "runs": runs,
        "rates": [rate.to_json() for rate in rates],
        "summary": summary(rates),
    }


def summary(rates: Sequence[Rate]) -> list[dict[str, Any]]:
    """A line a quantity: the smallest and largest rate over conditions, and the conditions where it is off."""
    out = []
    for name, quantity in QUANTITIES.items():
        own = [rate for rate in rates if rate.quantity.name == name]
        if own:
            out.append(
                {
                    "quantity": name,
                    "kind": quantity.kind,
                    "nominal": quantity.nominal,
                    "on_board": quantity.on_board,
                    "lowest": min(rate.rate for rate in own),
                    "highest": max(rate.rate for rate in own),
                    "error": max(rate.error for rate in own),
                    "off": [r.cell.condition for r in own if r.off],
                }
            )
    return out


def print_calibration(found: dict[str, Any]) -> None:
    """Prints the summary."""
    console = wide_console()
    console.print(
        f"{found['people']} people x {found['pictures']} pictures, correlation {found['correlation']:g}"
        f" ({found['shape']}), planted lift {found['lift']:.2f} sd, {found['runs']} runs a cell"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "nominal", "over conditions", "error", ""):
        table.add_column(heading)
    for line in found["summary"]:
        low, high = f"{line['lowest']:.3f}", f"{line['highest']:.3f}"
        verdict = f"off: {', '.join(line['off'])}" if line["off"] else "holds" if line["kind"] != "power" else ""
        table.add_row(
            f"{line['kind']}: {line['quantity']}",
            "" if line["nominal"] is None else f"{line['nominal']:.2f}",
            low if low == high else f"{low} to {high}",
            f"{line['error']:.3f}",
            verdict if line["on_board"] else f"{verdict} (not what decides)",
        )
    console.print(table)
    console.print("off: worse than nominal by more than three Monte Carlo standard errors")
