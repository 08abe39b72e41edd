"""Smallest detectable differences of a task: how they change with users, images, fits and the number of comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.analysis.measures import Measure
from benchmark.stats.levels import FEWEST_USERS, detectable, equivalent
from benchmark.stats.student import detectable_errors, satterthwaite

TIMES = (1, 2, 4)
FITS = (1, 3, 5)
ASSUMED_BETWEEN_FITS = {"preference": 0.033, "lift": 0.025}
"""Standard deviation between fits where no record has several, as a share of the width of the scorer's range: pooled
over the generators of tinyworld, version 4 (docs/reports/tinyworld.md)."""


@dataclass(frozen=True, slots=True)
class Family:
    """The comparisons that a task plans, and the fits behind them.

    Attributes:
        comparisons: Pairs that are compared.
        varying: Of the two generators of the median pair, how many have a fit that varies: 0 to 2.
        sets: Different sets of fits that pool their variance with those of the median pair.
    """

    comparisons: int
    varying: float
    sets: float


@dataclass(frozen=True, slots=True)
class Design:
    """Numbers that a task chooses.

    Attributes:
        users: Users.
        images: Images per user.
        fits: Fits per generator.
    """

    users: int
    images: int
    fits: int


@dataclass(frozen=True, slots=True)
class Reach:
    """The smallest difference that a median pair finds with 80 % power.

    Attributes:
        users: Users.
        images: Images per user.
        fits: Fits per generator; with one, of this fitted model and not of its method.
        detectable: By one pair, unadjusted; None where the pilot cannot tell.
        adjusted: By one pair of the family (Bonferroni); None likewise.
    """

    users: int
    images: int
    fits: int
    detectable: float | None
    adjusted: float | None


@dataclass(frozen=True, slots=True)
class MeasureReach:
    """Detectable differences on one measure, as ``plan`` reports them.

    Attributes:
        measure: Scorer, or ``lift:`` and a scorer.
        pairs: Pairs of the declared family in the pilot.
        spread: Median over pairs of the standard deviation of a user's difference.
        largest_spread: Its largest value.
        between_fits: Standard deviation between fits of a generator's mean; None where it is unknown and the scorer's
            scale has no limits.
        fits_measured: Whether the pilot has several fits; otherwise the number before is assumed.
        table: For the planned numbers and multiples of them, and for one, three and five fits.
        users_for_margin: Users that find a difference of the margin, with 80 % power; None where no number of users
            does with so few fits.
        users_for_equivalence: Users that call equal generators equivalent, with 80 % power; None likewise.
    """

    measure: str
    pairs: int
    spread: float
    largest_spread: float
    between_fits: float | None
    fits_measured: bool
    table: tuple[Reach, ...]
    users_for_margin: int | None
    users_for_equivalence: int | None


@dataclass(frozen=True, slots=True)
class Detectable:
    """Noise on one measure in a pilot, and the differences that can be detected with it.

    The variance of a user's difference has two parts, of which only the second shrinks with more images per user:
    var(d) = between + within / K. Fits add theirs to the mean difference, which no number of users shrinks.

    Attributes:
        measure: Preference or personal lift by a scorer.
        spreads: Standard deviation of a user's difference in the pilot, by pair.
        within: Variance that more images divide, by pair; empty where it cannot be told apart.
        users: Users of the pilot.
        images: Images per user of the pilot.
        between_fits: Standard deviation between fits of a generator's mean; None where it is unknown.
        fits_measured: Whether the pilot has several fits; otherwise ``between_fits`` is assumed.
    """

    measure: Measure
    spreads: tuple[float, ...]
    within: tuple[float, ...]
    users: int
    images: int
    between_fits: float | None = None
    fits_measured: bool = False

    def spread(self, images: int) -> float | None:
        """Median over pairs with so many images; None for a lift with other numbers of images than the pilot's."""
        if images == self.images:
            return float(np.median(self.spreads))
        if not self.within:
            return None
        between = [max(0.0, s**2 - w / self.images) for s, w in zip(self.spreads, self.within, strict=True)]
        return float(np.median([np.sqrt(b + w / images) for b, w in zip(between, self.within, strict=True)]))

    def at(self, design: Design, family: Family, alpha: float, comparisons: int = 1) -> float | None:
        """Smallest difference that the median pair finds with 80 % power, adjusted for so many comparisons.

        With one fit, a difference between fitted models. Users beyond those who give the smallest size count for
        nothing: where fits decide, the degrees of freedom fall with more users, and the formula would ask for more.
        """
        spread = self.spread(design.images)
        added = self._added(design, family)
        if spread is None or added is None:
            return None
        users = np.arange(min(FEWEST_USERS, design.users), design.users + 1)
        of_users = spread**2 / users
        noise = float(np.median(self.within)) / design.images / users if self.within else np.zeros(len(users))
        of_fits = added + noise if added else np.zeros(len(users))
        pooled = max(1.0, family.sets * (design.fits - 1))
        degrees = satterthwaite((of_users, of_fits), (users - 1, pooled), of_users + added)
        return float((detectable_errors(alpha, comparisons, degrees) * np.sqrt(of_users + added)).min())

    def _added(self, design: Design, family: Family) -> float | None:
        """Variance that fits add to a mean difference of methods; 0 for one fit, of whose method nothing is said."""
        if design.fits == 1 or family.varying == 0:
            return 0.0
        return None if self.between_fits is None else family.varying * self.between_fits**2 / design.fits

    def reach(self, design: Design, family: Family, margin: float, alpha: float) -> MeasureReach:
        spread = float(np.median(self.spreads))
        designs = [
            Design(u * design.users, k * design.images, fits)
            for u in TIMES
            for k in TIMES
            for fits in sorted({*FITS, design.fits})
        ]
        added = self._added(design, family) or 0.0
        return MeasureReach(
            measure=self.measure.key,
            pairs=len(self.spreads),
            spread=spread,
            largest_spread=max(self.spreads),
            between_fits=self.between_fits,
            fits_measured=self.fits_measured,
            table=tuple(
                Reach(
                    each.users,
                    each.images,
                    each.fits,
                    self.at(each, family, alpha),
                    self.at(each, family, alpha, max(1, family.comparisons)),
                )
                for each in designs
            ),
            users_for_margin=users_for(spread, margin / detectable(alpha), added),
            users_for_equivalence=users_for(spread, margin / equivalent(alpha), added),
        )


def users_for(spread: float, error: float, added: float) -> int | None:
    """Users with whom a mean difference has this standard error, as many at least as a test takes.

    Args:
        spread: Standard deviation of a user's difference.
        error: Standard error.
        added: Variance of the mean that users do not shrink.

    Returns:
        None where it alone is larger.
    """
    left = error**2 - added
    return max(FEWEST_USERS, int(np.ceil(round(spread**2 / left, 9)))) if left > 0 else None


def family_of(pairs: Sequence[tuple[str, str]], fits: dict[str, tuple[str, str] | None]) -> Family:
    """What a task plans to compare.

    Args:
        pairs: Generators that are compared.
        fits: By generator, its fitting procedure and what its first fit is cached under; None where its fit does not
            vary.
    """
    pools: dict[str, set[str]] = {}
    for use, key in filter(None, fits.values()):
        pools.setdefault(use, set()).add(key)
    own = [[pool for name in pair if (pool := fits[name])] for pair in pairs]
    sets = [min(len(pools[use]) for use, _ in members) for members in own if members]
    return Family(
        comparisons=len(pairs),
        varying=float(np.median([len(members) for members in own])) if pairs else 0.0,
        sets=float(np.median(sets)) if sets else 1.0,
    )
