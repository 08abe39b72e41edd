"""``rebeca-bench calibrate``: the leaderboard's tests on simulated tasks of one task's shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.commands.layout import Column, print_rows, terminal
from benchmark.planning.calibration import MEASURED_FIT_VARIANCE, calibrate, cells
from benchmark.planning.pilot import pilot as read_pilot
from benchmark.planning.rates import QUANTITIES, Rate
from benchmark.records.find import find_records
from benchmark.runner.progress import Reporter
from benchmark.stats.simulation import Shape
from rebeca.errors import SpecError, counted

SEED = 1
FEWEST_SIMULATED = 2
"""Users; with one there is nothing to compare."""
LEAST_LIFT = 0.3
"""Planted lift where the records show none, in standard deviations of a score."""


@dataclass(frozen=True, slots=True)
class TaskShape:
    """Numbers that a simulation imitates; None takes the records' number.

    Attributes:
        users: Users.
        images: Images per user.
        correlation: Between a judge's scores of two images of one user.
        lift: Planted lift, in standard deviations of a score.
        fits: Fits per generator.
        fit_variance: Variance between fits, as a multiple of that between users.
    """

    users: int | None = None
    images: int | None = None
    correlation: float | None = None
    lift: float | None = None
    fits: int | None = None
    fit_variance: float | None = None


@dataclass(frozen=True, slots=True)
class QuantityRates:
    """One quantity over all conditions.

    Attributes:
        quantity: Its name.
        kind: ``level``, ``coverage`` or ``power``.
        nominal: The rate that is promised, or None.
        on_board: Whether a leaderboard decides by it.
        lowest: Smallest rate.
        highest: Largest rate.
        error: Largest Monte Carlo standard error.
        off: Conditions in which the rate is worse than nominal.
    """

    quantity: str
    kind: str
    nominal: float | None
    on_board: bool
    lowest: float
    highest: float
    error: float
    off: Sequence[str]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Error rates and coverage of a task's shape.

    Attributes:
        task: Id, task file or folder of records.
        shape: ``given`` or ``estimated from records``.
        users: Users.
        images: Images per user.
        correlation: As in :class:`TaskShape`.
        lift: As in :class:`TaskShape`.
        fits: As in :class:`TaskShape`.
        fit_variance: As in :class:`TaskShape`.
        runs: Simulated runs per condition.
        rates: Per condition and quantity.
        summary: Per quantity.
    """

    task: str
    shape: str
    users: int
    images: int
    correlation: float
    lift: float
    fits: int
    fit_variance: float
    runs: int
    rates: Sequence[Rate]
    summary: Sequence[QuantityRates]


def calibrate_task(
    task: str, roots: Sequence[Path], given: TaskShape, runs: int, workers: int, reporter: Reporter
) -> Calibration:
    """Simulates every condition on the task's shape.

    Args:
        task: Id, task file or folder of records.
        roots: Folders of records.
        given: Numbers that replace those of the records.
        runs: Simulated runs per condition.
        workers: Processes.
        reporter: Told about the progress.

    Raises:
        SpecError: If there are no records and something is not given, or if fits cannot share the images equally.
    """
    wanted, source = given, "given"
    if given.users is None or given.images is None or given.correlation is None:
        wanted, source = _completed(task, roots, given), "estimated from records"
    assert wanted.users is not None and wanted.images is not None and wanted.correlation is not None
    lift = LEAST_LIFT if wanted.lift is None else wanted.lift
    fits = 1 if wanted.fits is None else wanted.fits
    fit_variance = MEASURED_FIT_VARIANCE if wanted.fit_variance is None else round(wanted.fit_variance, 3)
    if wanted.images % fits:
        raise SpecError(
            f"{wanted.images} images per user cannot be shared equally among {fits} fits",
            hint="give other --images or --fits",
        )
    shape = Shape(wanted.users, wanted.images, min(round(wanted.correlation, 3), 0.99))
    with reporter.stage(f"calibrate {task}") as report:
        rates = calibrate(cells(shape, lift, runs, fits, fit_variance), SEED, workers, report)
    return Calibration(
        task=task,
        shape=source,
        users=shape.users,
        images=shape.images,
        correlation=shape.correlation,
        lift=lift,
        fits=fits,
        fit_variance=fit_variance,
        runs=runs,
        rates=rates,
        summary=summary(rates),
    )


def _completed(task: str, roots: Sequence[Path], given: TaskShape) -> TaskShape:
    """Takes from records what is not given."""
    try:
        pilot = read_pilot(find_records(task, roots))
    except SpecError as error:
        missing = [f"--{name}" for name in ("users", "images", "correlation") if getattr(given, name) is None]
        raise SpecError(error.message, hint=f"run the task first, or give {', '.join(missing)}") from error
    if given.users is None and pilot.users < FEWEST_SIMULATED:
        raise SpecError(
            f"the records of '{task}' have {pilot.users} user, and a simulation takes {FEWEST_SIMULATED} or more",
            hint="run the task with more users, or give --users",
        )
    if pilot.correlation is None and given.correlation is None:
        raise SpecError(
            f"the records of '{task}' do not show how a user's images correlate",
            hint="that takes two ranked generators and two images per user; give --correlation",
        )
    return replace(
        given,
        users=pilot.users if given.users is None else given.users,
        images=pilot.images if given.images is None else given.images,
        correlation=pilot.correlation if given.correlation is None else given.correlation,
        lift=(pilot.lift if pilot.lift > 0 else LEAST_LIFT) if given.lift is None else given.lift,
        fits=pilot.fits if given.fits is None else given.fits,
        fit_variance=pilot.fit_variance,
    )


def summary(rates: Sequence[Rate]) -> list[QuantityRates]:
    """The smallest and largest rate per quantity, and the conditions in which it is off."""
    by_name = {name: [rate for rate in rates if rate.quantity == name] for name in QUANTITIES}
    return [
        QuantityRates(
            quantity=name,
            kind=own[0].kind,
            nominal=own[0].nominal,
            on_board=own[0].on_board,
            lowest=min(rate.rate for rate in own),
            highest=max(rate.rate for rate in own),
            error=max(rate.error for rate in own),
            off=[rate.condition for rate in own if rate.off],
        )
        for name, own in by_name.items()
        if own
    ]


def print_calibration(calibration: Calibration) -> None:
    """Prints the summary."""
    console = terminal()
    console.print(
        f"{calibration.users} users x {calibration.images} images, correlation {calibration.correlation:g}"
        f" ({calibration.shape}), planted lift {calibration.lift:.2f} sd, {counted(calibration.fits, 'fit')} whose"
        f" variance is {calibration.fit_variance:g} of that between users, {calibration.runs} runs per condition"
    )
    rows = calibration.summary
    columns = (
        Column("quantity", [f"{row.kind}: {row.quantity}" for row in rows], least=24),
        Column("nominal", ["" if row.nominal is None else f"{row.nominal:.2f}" for row in rows]),
        Column("over conditions", [_range(row) for row in rows]),
        Column("error", [f"{row.error:.3f}" for row in rows]),
        Column("verdict", [_verdict(row) for row in rows], least=24),
    )
    print_rows(console, columns)
    console.print("off: worse than nominal by more than three Monte Carlo standard errors")


def _range(row: QuantityRates) -> str:
    low, high = f"{row.lowest:.3f}", f"{row.highest:.3f}"
    return low if low == high else f"{low} to {high}"


def _verdict(row: QuantityRates) -> str:
    verdict = f"off: {', '.join(row.off)}" if row.off else "" if row.nominal is None or row.kind == "power" else "holds"
    return verdict if row.on_board else f"{verdict} (decides nothing)".strip()
