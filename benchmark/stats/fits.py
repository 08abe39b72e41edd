"""Fits as a random factor: what another fit of the same method would have changed.

A generator that is fitted F times has F means over users. They differ by more than users and images explain, if fits
matter. Generators that share a fitting procedure pool that variance: three fits alone have two degrees of freedom.

Users and fits are crossed. The users' part of an error comes from sign flips or from the bootstrap over users; this
module draws the fits' part. The variance behind each draw is itself drawn from what the pooled mean square allows
(mean square times degrees of freedom over a chi-square; Weerahandi 1995), so that few fits have heavy tails, as
Student's t has. Generators whose fits are the same (they differ in how they sample) share the common part of the draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmark.stats.random import stream
from rebeca.arrays import Floats, Ints
from rebeca.ties import TIE

FEWEST_VALUES = 2
"""Below this many users with a value in every fit, a generator says nothing about the variance between fits."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedValues:
    """One measure of a generator, fit by fit.

    Attributes:
        id: The generator.
        procedure: How it was fitted; generators with the same procedure pool their variance.
        keys: One per fit; generators with equal keys share their fits. A single key: nothing varies, or nothing is
            known about it.
        values: float64 [fits, users]; NaN where a user has no value.
    """

    id: str
    procedure: str
    keys: tuple[str, ...]
    values: Floats

    @property
    def varies(self) -> bool:
        return len(self.keys) > 1

    @property
    def answered(self) -> FittedValues:
        """Without the fits in which no user has a value, so that a fit that failed hides no variance of the others."""
        known = np.isfinite(self.values).any(axis=1)
        if known.all() or not self.varies:
            return self
        return replace(self, keys=tuple(np.array(self.keys)[known].tolist()), values=self.values[known])

    @property
    def spread(self) -> float | None:
        """Standard deviation over answered fits of the mean over those users who have a value in all of them."""
        own = self.answered
        complete = own.values[:, np.isfinite(own.values).all(axis=0)]
        return float(complete.mean(axis=1).std(ddof=1)) if own.varies and complete.shape[1] else None


@dataclass(frozen=True, slots=True)
class MeanSquare:
    """A variance between fits, with the noise of users and images in it.

    Attributes:
        value: Variance of one fit's mean over users.
        noise: The part of it that users and images explain.
        degrees: Degrees of freedom of ``value``.
    """

    value: float
    noise: float
    degrees: int

    @property
    def variance(self) -> float:
        """Of fits alone."""
        return max(0.0, self.value - self.noise)

    def draws(self, count: int, rng: np.random.Generator) -> Floats:
        """float64 [count]; variances of fits that the mean square is compatible with."""
        return np.asarray(np.maximum(0.0, self.value * self.degrees / rng.chisquare(self.degrees, count) - self.noise))


@dataclass(frozen=True, slots=True)
class FitVariance:
    """What the generators of one fitting procedure say about the variance between its fits.

    Attributes:
        total: Of single generators.
        shared: Of a generator against those that share its fits; None where none do.
        equal: Bartlett's p for equal variances of the generators; None for fewer than two sets of fits.
    """

    total: MeanSquare
    shared: MeanSquare | None
    equal: float | None


@dataclass(frozen=True, slots=True, eq=False)
class FitEffects:
    """The fits' part of the error of every generator's mean.

    Attributes:
        procedures: By fitting procedure with more than one fit.
        draws: float64 [draws, generators]; what other fits would have added to the means.
        variances: float64 [generators, generators]; for a pair the variance of their difference, on the diagonal the
            variance of a generator's mean.
    """

    procedures: Mapping[str, FitVariance]
    draws: Floats
    variances: Floats

    def pairs(self, first: Ints, second: Ints) -> PairEffects | None:
        """The same for differences; None where no fit of any pair varies.

        Args:
            first: int [pairs]; index of A.
            second: int [pairs]; index of B.
        """
        draws = self.draws[:, first] - self.draws[:, second]
        return PairEffects(draws, self.variances[first, second]) if draws.any() else None


@dataclass(frozen=True, slots=True, eq=False)
class PairEffects:
    """The fits' part of the error of differences.

    Attributes:
        draws: float64 [draws, pairs].
        variances: float64 [pairs]; their estimated variance.
    """

    draws: Floats
    variances: Floats


def half_widths(draws: Floats, confidence: float) -> Floats:
    """float64 [columns]; what a share ``confidence`` of the draws [draws, columns] does not exceed in size."""
    return np.asarray(np.quantile(np.abs(draws), confidence, axis=0))


def fit_effects(generators: Sequence[FittedValues], draws: int, *name: str) -> FitEffects:
    """Estimates the variance between fits, and draws what other fits would have added.

    A generator's draws depend on its own name and on the procedures' variances, not on the order of generators.

    Args:
        generators: All that are compared.
        draws: Draws.
        name: Names the random streams.
    """
    generators = [each.answered for each in generators]
    procedures = {
        procedure: _procedure(_groups([each for each in generators if each.varies and each.procedure == procedure]))
        for procedure in sorted({each.procedure for each in generators if each.varies})
    }
    known = {procedure: result for procedure, result in procedures.items() if result is not None}
    effects = np.zeros((draws, len(generators)))
    variances = np.zeros((len(generators), len(generators)))
    for procedure, variance in known.items():
        total = variance.total.draws(draws, stream(*name, "fits", procedure))
        shared = None
        if variance.shared is not None:
            shared = variance.shared.draws(draws, stream(*name, "fits", procedure, "shared"))
        members = [i for i, each in enumerate(generators) if each.varies and each.procedure == procedure]
        sizes = _sizes([generators[i] for i in members])
        for i in members:
            own = generators[i]
            alone = shared is None or sizes[own.keys] == 1
            apart = total if alone or shared is None else shared
            deviate = stream(*name, "fit", own.id).standard_normal(draws) * np.sqrt(apart)
            if not alone:
                together = stream(*name, "fit", *own.keys).standard_normal(draws)
                deviate += together * np.sqrt(np.maximum(0.0, total - apart))
            effects[:, i] = deviate / np.sqrt(len(own.keys))
    _fill_variances(variances, generators, known)
    return FitEffects(known, effects, variances)


def _fill_variances(variances: Floats, generators: Sequence[FittedValues], known: Mapping[str, FitVariance]) -> None:
    for i, a in enumerate(generators):
        for j, b in enumerate(generators):
            if i != j and a.varies and a.keys == b.keys and (pool := known.get(a.procedure)) and pool.shared:
                variances[i, j] = 2 * pool.shared.variance / len(a.keys)
            else:
                both = [a] if i == j else [a, b]
                pools = [(known[each.procedure], each) for each in both if each.varies and each.procedure in known]
                variances[i, j] = sum(pool.total.variance / len(each.keys) for pool, each in pools)


def _sizes(generators: Sequence[FittedValues]) -> dict[tuple[str, ...], int]:
    return {keys: len(group) for keys, group in _by_keys(generators).items()}


def _by_keys(generators: Sequence[FittedValues]) -> dict[tuple[str, ...], list[FittedValues]]:
    groups: dict[tuple[str, ...], list[FittedValues]] = {}
    for each in sorted(generators, key=lambda each: each.id):
        groups.setdefault(each.keys, []).append(each)
    return groups


def _groups(generators: Sequence[FittedValues]) -> list[Floats]:
    """float64 [generators, fits, users] per set of fits, on the users who have a value everywhere in it."""
    tables = [np.stack([each.values for each in group]) for group in _by_keys(generators).values()]
    complete = [table[:, :, np.isfinite(table).all(axis=(0, 1))] for table in tables]
    return [table for table in complete if table.shape[2] >= FEWEST_VALUES]


def _procedure(groups: Sequence[Floats]) -> FitVariance | None:
    if not groups:
        return None
    single = [_pooled([_mean_square(table) for table in group], group.shape[1] - 1) for group in groups]
    contrasts = [
        _pooled(
            [_mean_square(table) for table in group - group.mean(axis=0)],
            (len(group) - 1) * (group.shape[1] - 1),
            len(group) / (len(group) - 1),
        )
        for group in groups
        if len(group) > 1
    ]
    total = _combined(single)
    return FitVariance(total, _combined(contrasts) if contrasts else None, bartlett(single))


def _mean_square(values: Floats) -> MeanSquare:
    """Of one generator's values [fits, users]."""
    fits, users = values.shape
    means = values.mean(axis=1)
    rest = values - means[:, None] - values.mean(axis=0) + means.mean()
    noise = float(np.square(rest).sum()) / ((fits - 1) * (users - 1))
    return MeanSquare(float(means.var(ddof=1)), noise / users, fits - 1)


def _pooled(squares: Sequence[MeanSquare], degrees: int, factor: float = 1.0) -> MeanSquare:
    """The mean over generators that share their fits, which together have ``degrees``."""
    value, noise = (float(np.mean(parts)) for parts in zip(*((s.value, s.noise) for s in squares), strict=True))
    return MeanSquare(value * factor, noise * factor, degrees)


def _combined(squares: Sequence[MeanSquare]) -> MeanSquare:
    """Of independent sets of fits, weighted by their degrees of freedom."""
    degrees = np.array([square.degrees for square in squares])
    value, noise = (
        float(np.average(parts, weights=degrees))
        for parts in zip(*((square.value, square.noise) for square in squares), strict=True)
    )
    return MeanSquare(value, noise, int(degrees.sum()))


def bartlett(squares: Sequence[MeanSquare]) -> float | None:
    """P-value of Bartlett's test of equal variances (Bartlett 1937); None for fewer than two mean squares.

    A variance below :data:`rebeca.ties.TIE` of the largest counts as that much, so that fits without any difference
    reject and have a logarithm.
    """
    from scipy.special import chdtrc

    values, degrees = np.array([s.value for s in squares]), np.array([s.degrees for s in squares])
    if len(values) < 2 or not values.any():
        return None
    values = np.maximum(values, TIE * values.max())
    total = degrees.sum()
    pooled = np.average(values, weights=degrees)
    statistic = total * np.log(pooled) - (degrees * np.log(values)).sum()
    correction = 1 + ((1 / degrees).sum() - 1 / total) / (3 * (len(values) - 1))
    return float(chdtrc(len(values) - 1, max(0.0, statistic / correction)))
