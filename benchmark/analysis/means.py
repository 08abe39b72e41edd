"""Intervals of means over users: of all generators and measures at once, so that the users are drawn once for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from benchmark.analysis.fits import Fits
from benchmark.analysis.inputs import Plan, Rows
from benchmark.analysis.items import HeldOutItems
from benchmark.analysis.measures import Measure
from benchmark.analysis.numbers import Interval
from benchmark.stats.intervals import SHARE, Bounds, mean_intervals
from benchmark.stats.intervals import Interval as OverUsers
from benchmark.stats.items import over_items
from rebeca.arrays import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """What is drawn at random.

    Attributes:
        users: int [draws, users]; how often each user is drawn.
        fits: Of all generators.
        items: Held-out items; None where no scorer reads their ratings.
    """

    users: Ints
    fits: Fits
    items: HeldOutItems | None


class Means:
    """Means of all generators with their intervals.

    Args:
        plan: What was decided beforehand.
        rows: All generators.
        values: float64 [users] by generator and measure.
        shares: float64 [2, users] by generator and scorer; shares of each user, for :meth:`shares`.
        factors: What is drawn.
    """

    def __init__(
        self,
        plan: Plan,
        rows: Sequence[Rows],
        values: Mapping[str, Mapping[str, Floats]],
        shares: Mapping[tuple[str, str], Floats],
        factors: Factors,
    ) -> None:
        self.plan, self.factors = plan, factors
        self._rows, self._values = {row.id: row for row in rows}, values
        columns = {
            (name, key): (column, self._rows[name].bounds(Measure.parse(key)))
            for name, own in values.items()
            for key, column in own.items()
        }
        self._over_users = _intervals(plan, columns, factors.users)
        both = {(*key, i): (column, SHARE) for key, own in shares.items() for i, column in enumerate(own)}
        self._shares = _intervals(plan, both, factors.users)

    def interval(self, generator: str, measure: str) -> Interval:
        """Over users; over held-out items where they are rated, and over fits where they vary."""
        row, parsed, items = self._rows[generator], Measure.parse(measure), self.factors.items
        bounds, values = row.bounds(parsed), self._values[generator][measure]
        variance = None if items is None else items.variance(items.effects(row, parsed), values)
        interval = over_items(self._over_users[generator, measure], variance, bounds=bounds)
        return Interval.of(self.factors.fits.widened(interval, measure, generator, bounds))

    def shares(self, generator: str, scorer: str) -> tuple[Interval, Interval]:
        """Means of both shares, over users alone."""
        return Interval.of(self._shares[generator, scorer, 0]), Interval.of(self._shares[generator, scorer, 1])


Key = TypeVar("Key")


def _intervals(plan: Plan, columns: Mapping[Key, tuple[Floats, Bounds]], weights: Ints) -> dict[Key, OverUsers]:
    out: dict[Key, OverUsers] = {}
    for bounds in dict.fromkeys(bounds for _, bounds in columns.values()):
        alike = {key: values for key, (values, own) in columns.items() if own == bounds}
        table = np.column_stack(list(alike.values()))
        out |= zip(alike, mean_intervals(table, weights, method=plan.interval, bounds=bounds), strict=True)
    return out
