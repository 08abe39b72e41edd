"""Whether a judge that nobody could know confirms what the primary scorer says.

Whoever knows a judge can please it without pleasing anybody else. The confirming judge is fitted after the images are
fixed, so it cannot be known in advance. It confirms and never ranks: a row loses its rank only where the primary score
clearly exceeds the confirming one, by more than was declared. A row of undeclared near-copies of items loses
its rank as well, and so does one whose images could not be items of a synthetic world. See
docs/explanation/statistics.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmark.analysis.inputs import Plan, Rows, mean_of_known
from benchmark.analysis.measures import CONFIRMING, COPIES, SUPPORT, Measure, both_by, with_role
from benchmark.analysis.numbers import Interval
from benchmark.stats.intervals import mean_interval
from rebeca.arrays import Floats, Ints
from rebeca.ties import TIE


def excess_of(plan: Plan, row: Rows, values: Mapping[str, Floats], weights: Ints) -> dict[str, Interval]:
    """By measure, by how much the primary scorer exceeds the confirming judge; empty where none is asked.

    It is about these images and not about other fits, so the interval is over users alone. It leaves out the confirming
    judge's own error, which images that look alike share: the margin must allow for it. Where the mean lift by the
    confirming judge is below 0, it is moved to 0: who claims no lift, or a negative one, has nothing that could be
    denied.

    Args:
        plan: Names the primary scorer and the margins.
        row: The generator.
        values: float64 [users] by measure, failures left out: what a judge gives to no image at all says nothing about
            images.
        weights: int64 [draws, users]; how often each user is drawn.
    """
    confirming = with_role(row.cards, CONFIRMING)
    if confirming is None or not plan.confirmation or plan.primary not in row.cards:
        return {}
    out = {}
    for own, other in zip(both_by(plan.primary), both_by(confirming), strict=True):
        if own.key not in values or other.key not in values:
            continue
        known = np.isfinite(values[own.key] - values[other.key])
        against = values[other.key]
        if own.is_lift and known.any():
            against = against - min(float(against[known].mean()), 0.0)
        difference = np.where(known, values[own.key] - against, np.nan)
        out[own.key] = Interval.of(mean_interval(difference, weights, method=plan.interval))
    return out


def unconfirmed(plan: Plan, excess: Mapping[str, Interval]) -> list[tuple[Measure, float]]:
    """Measures whose interval lies wholly above the declared margin, each with that margin.

    Where all users have the same value there is no interval, and the value decides.
    """
    declared = [(measure, plan.confirmation.get(measure.slug)) for measure in both_by(plan.primary)]
    lower = {key: each.lower for key, each in excess.items()}
    return [
        (measure, margin)
        for measure, margin in declared
        if margin is not None and (low := lower.get(measure.key)) is not None and low > margin
    ]


def copies_of(row: Rows) -> float | None:
    """Mean over users of the share of near-copies among their valid images; None where no scorer was asked."""
    return _share(row, COPIES)


def outside_of(row: Rows) -> float | None:
    """Likewise, of images that could not be items of the world."""
    inside = _share(row, SUPPORT)
    return None if inside is None else 1 - inside


def _share(row: Rows, role: str) -> float | None:
    scorer = with_role(row.cards, role)
    if scorer is None:
        return None
    shares = mean_of_known(row.scores[scorer], axis=1)
    return float(shares[np.isfinite(shares)].mean()) if np.isfinite(shares).any() else None


def exceeds(most: float | None, share: float | None) -> bool:
    """Whether a share is larger than declared, beyond the rounding of its sum."""
    return most is not None and share is not None and share > most + TIE
