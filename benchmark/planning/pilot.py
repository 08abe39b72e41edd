"""A task's noise, estimated from the single images and the fits of earlier records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.analysis.analyse import pairs_of
from benchmark.analysis.fits import Fits
from benchmark.analysis.inputs import Rows, lifts_of, with_lifts
from benchmark.analysis.measures import Measure, both_by
from benchmark.planning.reach import ASSUMED_BETWEEN_FITS, Detectable
from benchmark.records.costs import seconds_with_scores
from benchmark.records.rows import read_all
from benchmark.stats.intervals import UNBOUNDED
from rebeca.arrays import Floats


def estimate(
    measure: Measure,
    rows: Sequence[Rows],
    lifts: Mapping[str, Floats],
    pairs: Sequence[tuple[str, str]],
    reading: str,
    between_fits: float | None = None,
) -> Detectable | None:
    """Estimates from a pilot's rows.

    Images are paired by replicate, since generators share their noise: what two paired images have in common cancels.

    Args:
        measure: Preference or personal lift by a scorer.
        rows: The pilot's generators, all with equally many images.
        lifts: float64 [users] by generator, for a lift.
        pairs: The declared family.
        reading: How failures count, ``exclude`` or ``worst``.
        between_fits: From :func:`spread_between_fits`; None for an assumed one.

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
    if not spreads:
        return None
    measured = between_fits is not None
    between_fits = between_fits if measured else assumed_between_fits(measure, rows[0])
    return Detectable(
        measure, tuple(spreads), tuple(within), len(rows[0].failed), k, between_fits, fits_measured=measured
    )


def assumed_between_fits(measure: Measure, row: Rows) -> float | None:
    """As on tinyworld, whose scores are probabilities; None where the scorer's range has no limits."""
    low, high = row.ranges.get(measure.scorer, UNBOUNDED)
    share = ASSUMED_BETWEEN_FITS["lift" if measure.is_lift else "preference"]
    return share * (high - low) if np.isfinite(high - low) else None


def spread_between_fits(measure: Measure, rows: Sequence[Rows], fits: Fits) -> float | None:
    """Standard deviation between fits of a generator's mean, pooled over fitting procedures.

    Returns:
        None where no record has several fits of a generator.
    """
    ids = [row.id for row in rows if row.ranked and measure.scorer in (row.pairs if measure.is_lift else row.scores)]
    effects = fits.effects(measure.key, ids)
    if effects is None or not effects.procedures:
        return None
    squares = [variance.total for variance in effects.procedures.values()]
    return float(np.sqrt(np.average([s.variance for s in squares], weights=[s.degrees for s in squares])))


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


def fit_variance(
    rows: Sequence[Rows], reference: str, scorer: str, between_fits: float | None, correlation: float
) -> float | None:
    """Variance between fits as a multiple of that between users, the unit of the simulation."""
    if between_fits is None or correlation <= 0:
        return None
    return set_lift(rows, reference, scorer, between_fits, correlation) ** 2 / correlation


@dataclass(frozen=True, slots=True)
class Pilot:
    """A task's noise and cost, from earlier records.

    Attributes:
        users: Users of the pilot.
        images: Images per user.
        fits: Fits per generator.
        fit_variance: Variance between fits by the primary scorer, as a multiple of that between users; None where it
            cannot be estimated.
        correlation: Of two images of one set, by the primary scorer; None where it cannot be estimated.
        lift: The reference's lift by the primary scorer, in the simulation's unit; 0 where there is none.
        detectable: By declared measure.
        seconds: Seconds per image that the pilot's run spent on generating and scoring; None where it generated none
            itself.
    """

    users: int
    images: int
    fits: int
    fit_variance: float | None
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
    plan = task.plan
    first = next((row for row in rows if row.id == plan.reference), rows[0])
    alike = [row for row in rows if row.per_user == first.per_user]
    primary = plan.primary
    lifts = {row.id: lifts_of(row, primary, plan.reading)[0] for row in alike if primary in row.pairs}
    left_out = {*task.results.unranked}
    pairs = pairs_of(plan, [row.id for row in alike if row.ranked and row.id not in left_out])
    fits = Fits(plan, alike, {row.id: with_lifts(row, plan.reading) for row in alike})
    between = {measure: spread_between_fits(measure, alike, fits) for measure in both_by(primary)}
    estimates = [estimate(measure, alike, lifts, pairs, plan.reading, between[measure]) for measure in between]
    correlation = set_correlation(alike, primary)
    own = lifts.get(plan.reference, np.array([np.nan]))
    lift = float(np.nanmean(own)) if np.isfinite(own).any() else 0.0
    return Pilot(
        users=len(task.users.id),
        images=first.per_user,
        fits=first.fits,
        fit_variance=fit_variance(alike, plan.reference, primary, between[Measure(primary)], correlation or 0.0),
        correlation=correlation,
        lift=set_lift(alike, plan.reference, primary, lift, correlation or 0.0),
        detectable=tuple(reach for reach in estimates if reach is not None),
        seconds=seconds_with_scores(task.provenance, rows),
    )
