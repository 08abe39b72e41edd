"""A task's fits as a random factor: what another fit of each generator would have added, measure by measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmark.analysis.inputs import Plan, Rows, mean_of_known
from benchmark.analysis.measures import AUDITOR, GAP, VERIFIER, with_role
from benchmark.analysis.numbers import finite
from benchmark.stats.fits import FitEffects, FittedValues, fit_effects, half_widths
from benchmark.stats.intervals import Interval, widened
from rebeca.arrays import Floats


class Fits:
    """Draws of what other fits would have added to the means of generators.

    Ranked generators pool their variance between fits per fitting procedure. An unranked one pools its own with
    theirs, and never changes a ranked one.

    Args:
        plan: What was decided beforehand.
        rows: All generators.
        values: By generator and measure, with which users it has a value.
        draws: Draws that are needed at least.
    """

    def __init__(
        self,
        plan: Plan,
        rows: Sequence[Rows],
        values: Mapping[str, Mapping[str, Floats]],
        draws: int = 0,
    ) -> None:
        self._plan, self._rows, self._users = plan, {row.id: row for row in rows}, values
        self._draws = max(plan.permutations, plan.bootstrap, draws)
        self._values: dict[tuple[str, str], FittedValues] = {}
        self._effects: dict[tuple[str, tuple[str, ...]], FitEffects] = {}

    def values(self, measure: str, generator: str) -> FittedValues:
        """Of a generator that has the measure: a score, a measure of sets, a lift, or the gap."""
        key = measure, generator
        if key not in self._values:
            row = self._rows[generator]
            self._values[key] = FittedValues(row.id, row.procedure, row.fit_keys, self._by_fit(row, measure))
        return self._values[key]

    def _by_fit(self, row: Rows, measure: str) -> Floats:
        if measure != GAP:
            return row.by_fit(measure, self._plan.reading)
        verifier, auditor = with_role(row.cards, VERIFIER), with_role(row.cards, AUDITOR)
        assert verifier is not None and auditor is not None
        return self._by_fit(row, verifier) - self._by_fit(row, auditor)

    def effects(self, measure: str, generators: Sequence[str]) -> FitEffects | None:
        """Of generators that are compared; None where no fit varies."""
        if not any(len(self._rows[name].fit_keys) > 1 for name in generators):
            return None
        key = measure, tuple(generators)
        if key not in self._effects:
            values = [self.values(measure, name) for name in generators]
            self._effects[key] = fit_effects(values, self._draws, self._plan.name, measure)
        return self._effects[key]

    def means(self, measure: str, generator: str) -> tuple[float | None, ...]:
        """Mean over users of each fit; empty where the fit does not vary."""
        values = self.values(measure, generator)
        return tuple(finite(mean) for mean in mean_of_known(values.values, axis=1)) if values.varies else ()

    def spread(self, measure: str, generator: str) -> float | None:
        """Standard deviation of these means, over users with a value in every fit."""
        return self.values(measure, generator).spread

    def widened(self, interval: Interval, measure: str, generator: str, bounds: tuple[float, float]) -> Interval:
        """The 95 % interval of a generator's mean, with the error that its fits add; as it was without the measure."""
        if len(self._rows[generator].fit_keys) < 2 or not self._has(self._rows[generator], measure):
            return interval
        ranked = [row.id for row in self._rows.values() if row.ranked and self._has(row, measure)]
        names = ranked if generator in ranked else [*ranked, generator]
        effects = self.effects(measure, names)
        assert effects is not None
        own = effects.draws[:, [names.index(generator)]]
        return widened(interval, float(half_widths(own, 0.95)[0]), bounds)

    def _has(self, row: Rows, measure: str) -> bool:
        needed = [with_role(row.cards, role) for role in (VERIFIER, AUDITOR)] if measure == GAP else [measure]
        known = self._users[row.id]
        return all(name is not None and name in known and np.isfinite(known[name]).any() for name in needed)
