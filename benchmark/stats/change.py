"""Whether a mean over users fell from one run to another, by more than a margin and chance allow.

Users are the unit. Where both runs have the same users, the test is Student's t for the differences of their values,
otherwise Welch's. Where fits vary, the variance between the fits' means is a second part of the error: it adds to that
of users, with degrees of freedom by Satterthwaite.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.stats.intervals import FEWEST
from benchmark.stats.student import satterthwaite, t_quantile
from rebeca.arrays import Floats
from rebeca.ties import TIE, size_of

CONFIDENCE = 0.95
SMALLEST_P = 1e-300
"""Stands for 0, which no p-value is."""


@dataclass(frozen=True, slots=True)
class Change:
    """A mean in one run minus that in an earlier one.

    Attributes:
        difference: The difference.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p: One-sided, of a difference of minus the margin or more; small where the mean fell by more than that.
        users: Users whose values were compared: those with a value in both runs, or in the new one.
    """

    difference: float
    low: float
    high: float
    p: float
    users: int


def change(
    before: Floats, after: Floats, fits: tuple[Floats, Floats], margin: float = 0.0, paired: bool = True
) -> Change:
    """Compares the means of two runs.

    Args:
        before: float64 [users]; one value per user in the earlier run, NaN where there is none.
        after: float64 [users]; in the new run, of the same users in the same order where ``paired``.
        fits: float64 [fits] each; the mean over users of every fit in both runs. One fit or none says nothing about
            the variance between fits, which then counts as 0.
        margin: A fall by this much counts as none.
        paired: Whether the users are the same.

    Raises:
        ValueError: If fewer than three users have a value.
    """
    from scipy.special import stdtr

    known = [values[np.isfinite(values)] for values in (before, after)]
    if paired:
        known = [(after - before)[np.isfinite(before) & np.isfinite(after)]]
    if any(len(values) < FEWEST for values in known):
        raise ValueError(f"fewer than {FEWEST} users have a value")
    means = [float(values.mean()) for values in known]
    difference = means[-1] - (0.0 if paired else means[0])
    squares = np.array([values.var(ddof=1) / len(values) for values in known] + [_of_fits(fits)])
    degrees = [*(len(values) - 1 for values in known), max(1, sum(len(own) - 1 for own in fits if len(own) > 1))]
    variance = squares.sum()
    if variance <= (TIE * size_of(np.concatenate(known))) ** 2:
        return Change(difference, difference, difference, 1.0 if difference >= -margin else SMALLEST_P, len(known[-1]))
    freedom, error = satterthwaite(squares, degrees, variance), np.sqrt(variance)
    half = float(t_quantile(CONFIDENCE, freedom) * error)
    p = max(float(stdtr(freedom, (difference + margin) / error)), SMALLEST_P)
    return Change(difference, difference - half, difference + half, p, len(known[-1]))


def _of_fits(fits: tuple[Floats, Floats]) -> float:
    """Variance of the difference of the means over fits: pooled over both runs, with the noise of users in it."""
    several = [own for own in fits if len(own) > 1]
    if not several:
        return 0.0
    pooled = sum(float(np.square(own - own.mean()).sum()) for own in several) / sum(len(own) - 1 for own in several)
    return pooled * sum(1 / len(own) for own in several)
