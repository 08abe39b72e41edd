"""Smallest detectable differences of a task, estimated from a pilot, and how they change with more users or images.

The variance of a user's difference has two parts, of which only the second shrinks with more images per user:
var(d) = between + within / K. Both are estimated from the pilot's single images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.analysis.analyse import pairs_of
from benchmark.analysis.inputs import Rows, lifts_of
from benchmark.analysis.measures import Measure, both_by
from benchmark.records.costs import seconds_with_scores
from benchmark.records.rows import read_all
from benchmark.stats.levels import FEWEST_USERS, detectable, equivalent
from rebeca.arrays import Floats

TIMES = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class Reach:
    """The smallest detectable difference for a number of users and images.

    Attributes:
        users: Users.
        images: Images per user.
        detectable: With 80 % power by the median pair, unadjusted; None where the pilot cannot tell.
    """

    users: int
    images: int
    detectable: float | None


@dataclass(frozen=True, slots=True)
class MeasureReach:
    """Detectable differences on one measure, as ``plan`` reports them.

    Attributes:
        measure: Scorer, or ``lift:`` and a scorer.
        pairs: Pairs of the declared family in the pilot.
        spread: Median over pairs of the standard deviation of a user's difference.
        largest_spread: Its largest value.
        table: For the planned numbers and multiples of them.
        users_for_margin: Users that find a difference of the margin, with 80 % power.
        users_for_equivalence: Users that call equal generators equivalent, with 80 % power.
    """

    measure: str
    pairs: int
    spread: float
    largest_spread: float
    table: tuple[Reach, ...]
    users_for_margin: int
    users_for_equivalence: int


@dataclass(frozen=True, slots=True)
class Detectable:
    """Noise on one measure, and the differences that one pair can detect without adjustment.

    Attributes:
        measure: Preference or personal lift by a scorer.
        spreads: Standard deviation of a user's difference in the pilot, by pair.
        within: Variance that more images divide, by pair; empty where it cannot be told apart.
        users: Users of the pilot.
        images: Images per user of the pilot.
    """

    measure: Measure
    spreads: tuple[float, ...]
    within: tuple[float, ...]
    users: int
    images: int

    def spread(self, images: int) -> float | None:
        """Median over pairs with so many images; None for a lift with other numbers of images than the pilot's."""
        if images == self.images:
            return float(np.median(self.spreads))
        if not self.within:
            return None
        between = [max(0.0, s**2 - w / self.images) for s, w in zip(self.spreads, self.within, strict=True)]
        return float(np.median([np.sqrt(b + w / images) for b, w in zip(between, self.within, strict=True)]))

    def at(self, users: int, images: int, alpha: float) -> float | None:
        """Smallest difference that the median pair finds with 80 % power at a level, unadjusted."""
        spread = self.spread(images)
        return None if spread is None else detectable(alpha) * spread / float(np.sqrt(users))

    def reach(self, users: int, images: int, margin: float, alpha: float) -> MeasureReach:
        spread = float(np.median(self.spreads))
        return MeasureReach(
            measure=self.measure.key,
            pairs=len(self.spreads),
            spread=spread,
            largest_spread=max(self.spreads),
            table=tuple(
                Reach(u * users, k * images, self.at(u * users, k * images, alpha)) for u in TIMES for k in TIMES
            ),
            users_for_margin=users_for(detectable(alpha) * spread / margin),
            users_for_equivalence=users_for(equivalent(alpha) * spread / margin),
        )


def users_for(errors: float) -> int:
    """Users whose mean has a standard error so many times smaller than one user's value; as many as a test takes."""
    return max(FEWEST_USERS, int(np.ceil(errors**2)))


def estimate(
    measure: Measure,
    rows: Sequence[Rows],
    lifts: Mapping[str, Floats],
    pairs: Sequence[tuple[str, str]],
    reading: str,
) -> Detectable | None:
    """Estimates from a pilot's rows.

    Images are paired by replicate, since generators share their noise: what two paired images have in common cancels.

    Args:
        measure: Preference or personal lift by a scorer.
        rows: The pilot's generators, all with equally many images.
        lifts: float64 [users] by generator, for a lift.
        pairs: The declared family.
        reading: How failures count, ``exclude`` or ``worst``.

    Returns:
        None where no pair has two users with a difference that varies.
    """
    scorer, by_id = measure.scorer, {row.id: row for row in rows}
    means = {row.id: row.values(reading)[scorer] for row in rows if scorer in row.scores}
    values = lifts if measure.is_lift else means
    k = rows[0].per_user
    spreads, within = [], []
    for a, b in pairs:
        if a not in values or b not in values:
            continue
        d = values[a] - values[b]
        d = d[np.isfinite(d)]
        if len(d) > 1 and np.ptp(d) > 0:
            spreads.append(float(d.std(ddof=1)))
            if not measure.is_lift and k > 1:
                within.append(_within(by_id[a].read(scorer, reading) - by_id[b].read(scorer, reading)))
    return Detectable(measure, tuple(spreads), tuple(within), len(rows[0].failed), k) if spreads else None


def _within(scores: Floats) -> float:
    """Mean over users of the variance of their own images' scores."""
    known = np.isfinite(scores).sum(axis=1) > 1
    return float(np.nanvar(scores[known], axis=1, ddof=1).mean()) if known.any() else 0.0


def set_correlation(rows: Sequence[Rows], scorer: str) -> float | None:
    """Correlation of two images of one set, with each user's and each generator's level taken out.

    Two-way analysis of variance of the sets' means: what is left has (G - 1) (U - 1) degrees of freedom, and holds the
    variance of sets plus that of images over K.

    Returns:
        None with fewer than two ranked generators, two users or two images.
    """
    scores = [row.scores[scorer] for row in rows if row.ranked and scorer in row.scores]
    if len(scores) < 2 or scores[0].shape[0] < 2 or scores[0].shape[1] < 2:
        return None
    table = np.stack(scores)
    known = np.isfinite(table).sum(axis=2)
    complete = (known > 1).all(axis=0)
    if complete.sum() < 2:
        return None
    table, known = table[:, complete], known[:, complete]
    means = np.nanmean(table, axis=2)
    left = means - means.mean(axis=0) - means.mean(axis=1, keepdims=True) + means.mean()
    between = float(np.square(left).sum()) / ((len(table) - 1) * (table.shape[1] - 1))
    single = float(np.nanvar(table, axis=2, ddof=1).mean())
    sets = max(0.0, between - single * float((1 / known).mean()))
    return sets / (sets + single) if sets + single > 0 else 0.0


def set_lift(rows: Sequence[Rows], reference: str, scorer: str, lift: float, correlation: float) -> float:
    """A lift in standard deviations of one judge's scores over all images, the unit of the simulation."""
    own = [row for row in rows if row.id == reference and scorer in row.scores]
    within = _within(own[0].scores[scorer]) if own else 0.0
    return lift / float(np.sqrt(within / (1 - correlation))) if within > 0 and correlation < 1 else 0.0


@dataclass(frozen=True, slots=True)
class Pilot:
    """A task's noise and cost, from earlier records.

    Attributes:
        users: Users of the pilot.
        images: Images per user.
        correlation: Of two images of one set, by the primary scorer; None where it cannot be estimated.
        lift: The reference's lift by the primary scorer, in the simulation's unit; 0 where there is none.
        detectable: By declared measure.
        seconds: Seconds per image that the pilot's run spent on generating and scoring; None where it generated none
            itself.
    """

    users: int
    images: int
    correlation: float | None
    lift: float
    detectable: tuple[Detectable, ...]
    seconds: float | None


def pilot(folder: Path) -> Pilot:
    """Reads a pilot's records.

    Noise is estimated from the generators that have as many images per user as the reference, and pairs of those that
    the pilot compared.

    Raises:
        RecordError: If they cannot be read.
    """
    task, rows = read_all(folder)
    plan, block = task.plan, np.array(task.users.block)
    first = next((row for row in rows if row.id == plan.reference), rows[0])
    alike = [row for row in rows if row.per_user == first.per_user]
    primary = plan.primary
    lifts = {row.id: lifts_of(row, primary, plan.reading, block)[0] for row in alike if primary in row.pairs}
    left_out = {*task.results.failing, *task.results.incomplete}
    pairs = pairs_of(plan, [row.id for row in alike if row.ranked and row.id not in left_out])
    estimates = [estimate(measure, alike, lifts, pairs, plan.reading) for measure in both_by(primary)]
    correlation = set_correlation(alike, primary)
    own = lifts.get(plan.reference, np.array([np.nan]))
    lift = float(np.nanmean(own)) if np.isfinite(own).any() else 0.0
    return Pilot(
        users=len(block),
        images=first.per_user,
        correlation=correlation,
        lift=set_lift(alike, plan.reference, primary, lift, correlation or 0.0),
        detectable=tuple(reach for reach in estimates if reach is not None),
        seconds=seconds_with_scores(task.provenance, rows),
    )
