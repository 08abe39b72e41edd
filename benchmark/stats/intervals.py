"""Intervals for a mean over people, and for a share of people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri
from scipy.stats import skew
from scipy.stats import t as student

Floats = npt.NDArray[np.floating[Any]]

T_UP_TO = 60
"""Student's t up to this many people, BCa above (coverage in docs/statistics.md)."""
FEW_USERS = 30
SKEWED = 1.0


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its interval.

    Attributes:
        estimate: The mean.
        low: Lower end.
        high: Upper end.
        method: ``student-t``, ``bca``, ``exact`` (constant data) or ``none`` (too few people).
        n: People.
    """

    estimate: float
    low: float
    high: float
    method: str
    n: int

    def to_json(self) -> dict[str, Any]:
        """JSON; an interval that does not exist has null ends."""
        ends = {k: (v if np.isfinite(v) else None) for k, v in (("low", self.low), ("high", self.high))}
        estimate = self.estimate if np.isfinite(self.estimate) else None
        return {"estimate": estimate, **ends, "method": self.method, "n": self.n}


def resampling_weights(n: int, draws: int, rng: np.random.Generator, strata: npt.NDArray[Any] | None = None) -> Floats:
    """float64 [draws, n]; each row says how often each person is drawn, divided by n.

    One set of weights serves all generators and scorers of a task, so that differences, ranks and intervals come
    from the same draws. With ``strata`` (int [n]) people are resampled within their stratum.
    """
    if strata is None:
        strata = np.zeros(n, np.int64)
    weights = np.zeros((draws, n))
    for stratum in np.unique(strata):
        own = np.flatnonzero(strata == stratum)
        weights[:, own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), size=draws)
    return weights / n


def kept_weights(weights: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """float64 [draws, known people]; the same draws among those who have a value; each draw's weights sum to 1."""
    own = weights[:, known]
    totals = own.sum(axis=1, keepdims=True)
    return np.divide(own, totals, out=np.zeros_like(own), where=totals > 0)


def mean_interval(values: Floats, weights: Floats, confidence: float = 0.95) -> Interval:
    """Interval for the mean over people: Student's t up to 60 people, bootstrap BCa above.

    Args:
        values: float [n], finite; one value a person.
        weights: float [draws, n] from :func:`resampling_weights`.
        confidence: E.g. 0.95.
    """
    n = len(values)
    mean = float(values.mean()) if n else float("nan")
    if n < 2:
        return Interval(mean, float("nan"), float("nan"), "none", n)
    if np.ptp(values) <= 1e-12 * max(1.0, abs(mean)):
        return Interval(mean, mean, mean, "exact", n)
    if n <= T_UP_TO:
        half = float(student.ppf(0.5 + confidence / 2, n - 1)) * float(values.std(ddof=1)) / np.sqrt(n)
        return Interval(mean, mean - half, mean + half, "student-t", n)
    low, high = bca(values, weights @ values, confidence)
    return Interval(mean, low, high, "bca", n)


def bca(values: Floats, draws: Floats, confidence: float) -> tuple[float, float]:
    """Bias-corrected and accelerated bootstrap interval of a mean (Efron and Tibshirani 1993, ch. 14).

    Args:
        values: float [n]; the data. For a mean the jackknife acceleration is skewness / (6 sqrt(n)).
        draws: float [B]; bootstrap means.
        confidence: E.g. 0.95.
    """
    below = np.mean(draws < values.mean()) + 0.5 * np.mean(draws == values.mean())
    bias = ndtri(np.clip(below, 1 / (len(draws) + 1), len(draws) / (len(draws) + 1)))
    acceleration = float(skew(values)) / (6 * np.sqrt(len(values)))
    z = ndtri(np.array([(1 - confidence) / 2, (1 + confidence) / 2]))
    levels = ndtr(bias + (bias + z) / (1 - acceleration * (bias + z)))
    low, high = np.quantile(draws, levels)
    return float(low), float(high)


def wilson(successes: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a share (Wilson 1927); successes may be halves."""
    if n == 0:
        return float("nan"), float("nan")
    z = float(ndtri((1 + confidence) / 2))
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))
