"""What a calibration counts, in which simulated worlds, and how often it happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from benchmark.stats.intervals import Interval
from benchmark.stats.simulation import Shape

ALPHA = 0.05
FLIPS = 399
"""More than 2**8, so that signs of eight users are enumerated, as in a run."""
PARTIAL_OFFSET = 3.0
"""The one generator that is truly better under a partial null, in standard deviations of an image's score."""
BEYOND = 3.0
"""A rate this many Monte Carlo standard errors on the wrong side of nominal is marked."""

LEVEL, COVERAGE, POWER = "level", "coverage", "power"


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that is counted over the runs of a cell.

    Attributes:
        name: What is tested or estimated.
        kind: ``level`` (rejections of a true null), ``coverage`` (intervals that contain the true value) or ``power``.
        nominal: What it should be; None where nothing is promised.
        on_board: False for what is kept for reproduction only.
    """

    name: str
    kind: str
    nominal: float | None
    on_board: bool = True


def _level(name: str, on_board: bool = True) -> Quantity:
    return Quantity(name, LEVEL, ALPHA, on_board)


def _coverage(name: str, on_board: bool = True) -> Quantity:
    return Quantity(name, COVERAGE, 1 - ALPHA, on_board)


QUANTITIES = {
    q.name: q
    for q in (
        _level("whole-set test, median of centred scores"),
        _level("whole-set test, mean", on_board=False),
        _level("published scheme, single images", on_board=False),
        Quantity("whole-set test, power at the planted lift", POWER, None),
        _coverage("lift, interval without an effect"),
        _coverage("lift, interval"),
        _coverage("lift, bootstrap-t"),
        _coverage("share of sets that the own set beats"),
        _level("whole-set test, in groups"),
        Quantity("whole-set test, in groups, power at the planted lift", POWER, None),
        _coverage("lift in groups, interval without an effect"),
        _coverage("lift in groups, interval"),
        _level("sign flips, one pair"),
        _level("max-T, no difference anywhere"),
        _level("max-T, one generator better"),
        _level("Holm, no difference anywhere"),
        _level("Holm, one generator better"),
        _level("equivalence at the margin"),
        Quantity("sign flips, power at the detectable difference", POWER, 0.8),
        _coverage("mean, interval"),
        _coverage("mean, bootstrap-t"),
        _coverage("difference, interval"),
        _coverage("difference, bootstrap-t"),
        _coverage("share of users who prefer, Wilson"),
        _coverage("image beats image"),
        _coverage("AUC within user"),
        _coverage("AUC pooled, users drawn"),
        _coverage("AUC pooled, rows drawn", on_board=False),
        _coverage("correlation within user"),
        _coverage("correlation pooled"),
        _coverage("held-out rating, interval over users and items"),
        _coverage("held-out rating, interval over users", on_board=False),
        _coverage("difference of held-out ratings, interval over users and items"),
        _level("difference of held-out ratings, one pair"),
        _level("methods, no difference, against the reference"),
        _level("methods, no difference, all pairs"),
        _level("methods, one better, against the reference"),
        _level("methods, one better, all pairs"),
        _level("methods, equivalence at the margin"),
        _coverage("method, interval"),
        _coverage("difference of methods, interval"),
        Quantity("one fit, a verdict against the reference", LEVEL, None),
        Quantity("one fit, a verdict in all pairs", LEVEL, None),
        Quantity("one fit, the interval contains the method's mean", COVERAGE, None),
        Quantity("one fit, the interval contains the methods' difference", COVERAGE, None),
        _level("methods, no difference, 11 comparisons"),
        _level("pooled t-test, no difference, 11 comparisons", on_board=False),
        Quantity("methods, power, 11 comparisons", POWER, None),
        Quantity("pooled t-test, power, 11 comparisons", POWER, None, on_board=False),
        Quantity("methods, power, 11 comparisons and 3 with strangers", POWER, None),
    )
}
"""Those of ``one fit`` are about a fitted model. They say nothing of its method, so nothing is promised."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A world of a shape under a condition, and how often to simulate it.

    Attributes:
        world: See :data:`benchmark.planning.calibration.WORLDS`.
        condition: See there.
        shape: Of the task.
        lift: Planted effect, in standard deviations of an image's score.
        runs: How often to simulate it.
        fits: Fits per generator.
        fit_variance: Variance between fits, as a multiple of that between users.
        items: Held-out items.
    """

    world: str
    condition: str
    shape: Shape
    lift: float
    runs: int
    # not in the text that names the random streams of worlds without them
    fits: int = field(default=1, repr=False)
    fit_variance: float = field(default=0.0, repr=False)
    items: int = field(default=0, repr=False)


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something happened in a cell; a line of the table.

    Attributes:
        world: Of the cell.
        condition: Of the cell.
        users: Of the cell.
        images: Per user.
        correlation: Between a judge's scores of two images of one user.
        fits: Of the cell.
        fit_variance: Of the cell.
        items: Of the cell; 0 where they play no part.
        quantity: Name of what happened, see :data:`QUANTITIES`.
        kind: Of the quantity.
        nominal: What the rate should be; None where nothing is promised.
        on_board: False for what is kept for reproduction only.
        rate: Share of the runs in which it happened.
        runs: Runs in which it could.
        error: Monte Carlo standard error at the nominal value, or at the rate where there is none.
        off: Whether it is worse than promised by more than Monte Carlo error: too many rejections, too low coverage.
    """

    world: str
    condition: str
    users: int
    images: int
    correlation: float
    fits: int
    fit_variance: float
    items: int
    quantity: str
    kind: str
    nominal: float | None
    on_board: bool
    rate: float
    runs: int
    error: float
    off: bool


def rate_of(cell: Cell, quantity: Quantity, hits: int, runs: int) -> Rate:
    rate, nominal = hits / runs, quantity.nominal
    expected = rate if nominal is None else nominal
    error = float(np.sqrt(expected * (1 - expected) / runs))
    wrong = {LEVEL: rate - expected, COVERAGE: expected - rate, POWER: 0.0}[quantity.kind]
    return Rate(
        world=cell.world,
        condition=cell.condition,
        users=cell.shape.users,
        images=cell.shape.images,
        correlation=cell.shape.correlation,
        fits=cell.fits,
        fit_variance=cell.fit_variance,
        items=cell.items,
        quantity=quantity.name,
        kind=quantity.kind,
        nominal=nominal,
        on_board=quantity.on_board,
        rate=rate,
        runs=runs,
        error=error,
        off=wrong > BEYOND * error,
    )


class Counts(Counter[tuple[str, bool]]):
    """By quantity: runs in which it happened, and runs in which it did not."""

    def add(self, name: str, hit: bool) -> None:
        self[name, bool(hit)] += 1

    def covers(self, name: str, interval: Interval, true_value: float) -> None:
        if np.isfinite(interval.low):
            self.add(name, interval.low <= true_value <= interval.high)
