"""Intervals for a mean over users, and for a share of users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmark.stats.exact import resampled_means
from benchmark.stats.student import t_quantile
from rebeca.arrays import Bools, Floats, Ints
from rebeca.ties import direction, size_of

T_UP_TO = 60
"""Student's t up to this many users, BCa above (coverage in docs/explanation/statistics.md)."""
FEW_USERS = 30
"""Below this many users every interval is marked."""
FEWEST = 3
"""Below this many users there is no interval: lifts of two users are equal by construction."""
SKEWED = 1.0
"""Above this skewness, in size, the nominal coverage is in doubt and the bootstrap-t ends are given as well."""
COLUMNS_AT_ONCE = 512
"""Means that are drawn at once."""
DRAWS_AT_ONCE = 512
"""Of the bootstrap; how many changes nothing but the memory that is needed."""
Bounds = tuple[float, float]
"""Lowest and highest possible value."""
UNBOUNDED: Bounds = (-np.inf, np.inf)
SHARE: Bounds = (0.0, 1.0)
SIGNED: Bounds = (-1.0, 1.0)
"""Of a correlation, and of a difference of two shares."""
CONSTANT = 1e-12
"""Values that differ by less than this share of their size do not differ."""
LEVEL_DECIMALS = 12
"""Quantile levels of BCa are rounded to these, as mathematical libraries differ in the sixteenth."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its interval.

    Attributes:
        estimate: The mean.
        low: Lower end, never below the lowest possible value; NaN where there is no interval.
        high: Upper end, likewise.
        method: ``student-t``, ``bca``, ``bootstrap-t``, ``percentile``, ``wilson`` (all users at one end of the
            possible values), ``constant`` (all users have another value in common: no interval) or ``none`` (too few
            users).
        n: Users.
        skewness: Of the values; None for constant data and for fewer than three users.
        bootstrap_t: Ends by the bootstrap-t, given where the values are skewed.
        over_users: Ends with the items taken as given, where the others are over users and items.
        items: Items that were drawn, likewise.
    """

    estimate: float
    low: float
    high: float
    method: str
    n: int
    skewness: float | None = None
    bootstrap_t: tuple[float, float] | None = None
    over_users: tuple[float, float] | None = None
    items: int | None = None

    @property
    def skewed(self) -> bool:
        return self.skewness is not None and abs(self.skewness) > SKEWED


def resampling_weights(n: int, draws: int, rng: np.random.Generator, strata: Ints | None = None) -> Ints:
    """Int [draws, n]; each row says how often each user is drawn, n in all. Few bytes each: there are many.

    One set of weights serves all generators and scorers of a task, so that differences, ranks and intervals come
    from the same draws. With ``strata`` (int [n]) users are resampled within their stratum.
    """
    strata = np.zeros(n, np.int64) if strata is None else strata
    weights = np.zeros((draws, n), np.min_scalar_type(-n - 1))
    for stratum in np.unique(strata):
        own = np.flatnonzero(strata == stratum)
        share = np.full(len(own), 1 / len(own))
        for start in range(0, draws, DRAWS_AT_ONCE):
            rows = slice(start, min(start + DRAWS_AT_ONCE, draws))
            weights[rows, own] = rng.multinomial(len(own), share, size=rows.stop - start)
    return weights


def kept_weights(weights: Ints, known: Bools) -> Ints:
    """Int [draws, known users]; the same draws among those who have a value; a draw may hold nobody."""
    return weights if known.all() else weights[:, known]


def mean_interval(
    values: Floats, weights: Ints, confidence: float = 0.95, method: str = "auto", bounds: Bounds = UNBOUNDED
) -> Interval:
    """Interval for the mean of one value per user; see :func:`mean_intervals`."""
    return mean_intervals(np.asarray(values, np.float64)[:, None], weights, confidence, method, bounds)[0]


def mean_intervals(
    table: Floats, weights: Ints, confidence: float = 0.95, method: str = "auto", bounds: Bounds = UNBOUNDED
) -> list[Interval]:
    """Intervals at one level; see :func:`intervals_at_levels`."""
    return intervals_at_levels(table, weights, (confidence,), method, bounds)[0]


def intervals_at_levels(
    table: Floats,
    weights: Ints,
    levels: Sequence[float],
    method: str = "auto",
    bounds: Bounds = UNBOUNDED,
) -> list[list[Interval]]:
    """Intervals for the means of many columns from the same draws, at several levels.

    Args:
        table: float [users, columns]; NaN where a user has no value.
        weights: int [draws, users] from :func:`resampling_weights`.
        levels: E.g. 0.95.
        method: ``auto`` (Student's t up to 60 users, bootstrap BCa above) or ``bootstrap-t``.
        bounds: Lowest and highest possible mean. Ends beyond are moved there, which loses no coverage.

    Returns:
        By level, one interval per column.

    Raises:
        ValueError: If a value is infinite.
    """
    if np.isinf(table).any():
        raise ValueError("an infinite value has no mean")
    known = np.isfinite(table)
    alike: dict[bytes, list[int]] = {}
    for column in range(table.shape[1]):
        alike.setdefault(known[:, column].tobytes(), []).append(column)
    out: list[dict[int, Interval]] = [{} for _ in levels]
    for same in alike.values():
        mask = known[:, same[0]]
        own = kept_weights(weights, mask)
        for start in range(0, len(same), COLUMNS_AT_ONCE):
            columns = same[start : start + COLUMNS_AT_ONCE]
            by_level = _complete(table[mask][:, columns], own, levels, method, bounds)
            for intervals, of_columns in zip(out, by_level, strict=True):
                intervals |= zip(columns, of_columns, strict=True)
    return [[intervals[column] for column in range(table.shape[1])] for intervals in out]


def skewness(values: Floats) -> Floats:
    """Third central moment over the cubed standard deviation, down the first axis; values must vary."""
    centred = values - values.mean(axis=0)
    square = np.square(centred)
    variance = square.mean(axis=0)
    return np.asarray((square * centred).mean(axis=0) / (variance * np.sqrt(variance)))  # powers differ by processor


def _complete(
    values: Floats, weights: Ints, levels: Sequence[float], method: str, bounds: Bounds
) -> list[list[Interval]]:
    """By level, intervals of columns [n, c] that all have the same users, from weights [draws, n]."""
    n, columns = values.shape
    mean = values.mean(axis=0) if n else np.full(columns, np.nan)
    if n < FEWEST:
        return [[Interval(float(m), float("nan"), float("nan"), "none", n) for m in mean] for _ in levels]
    constant = np.ptp(values, axis=0) <= CONSTANT * np.maximum(1.0, np.abs(mean))
    spread = values.std(axis=0, ddof=1)
    lopsided = np.zeros(columns)
    lopsided[~constant] = skewness(values[:, ~constant])
    studentised = ~constant & ((np.abs(lopsided) > SKEWED) | (method == "bootstrap-t"))
    bca_wanted = method == "auto" and n > T_UP_TO
    drawn = ~constant & (studentised | bca_wanted)
    draws, squares = _drawn(weights, values, drawn), _drawn(weights, np.square(values), studentised)

    def of_column(c: int, confidence: float) -> Interval:
        m, own = float(mean[c]), values[:, c]
        if constant[c]:
            return _constant(m, n, confidence, bounds)
        both = bootstrap_t(own, draws[c], squares[c], confidence) if studentised[c] else None
        if method == "bootstrap-t" and both is not None:
            low, high, how, both = *both, "bootstrap-t", None
        elif bca_wanted:
            low, high, how = *bca(own, draws[c], confidence), "bca"
        else:
            half = float(t_quantile(confidence, n - 1) * spread[c] / np.sqrt(n))
            low, high, how = m - half, m + half, "student-t"
        skewed = None if both is None else _within(*both, bounds)
        return Interval(m, *_within(low, high, bounds), how, n, float(lopsided[c]), skewed)

    return [[of_column(c, confidence) for c in range(columns)] for confidence in levels]


def _drawn(weights: Ints, values: Floats, wanted: Bools) -> dict[int, Floats]:
    """float64 [draws] for each wanted column."""
    columns = np.flatnonzero(wanted)
    if not len(columns):
        return {}
    means = np.ascontiguousarray(resampled_means(weights, values[:, columns]).T)
    return dict(zip(columns.tolist(), means, strict=True))


def widened(interval: Interval, half: float, bounds: Bounds = UNBOUNDED) -> Interval:
    """The interval of a mean that has a second, independent error, symmetric around 0 (Zou and Donner 2008).

    Each side is the root of the sum of the squares of both widths.

    Args:
        interval: Over users.
        half: Half the width of the second error's interval, at the same level.
        bounds: As of :func:`mean_intervals`.
    """
    if half <= 0 or not np.isfinite(interval.low):
        return interval

    def moved(low: float, high: float) -> tuple[float, float]:
        mean = interval.estimate
        return _within(mean - float(np.hypot(mean - low, half)), mean + float(np.hypot(high - mean, half)), bounds)

    low, high = moved(interval.low, interval.high)
    both = None if interval.bootstrap_t is None else moved(*interval.bootstrap_t)
    return replace(interval, low=low, high=high, bootstrap_t=both)


def _within(low: float, high: float, bounds: Bounds) -> tuple[float, float]:
    return max(low, bounds[0]), min(high, bounds[1])


def _constant(value: float, n: int, confidence: float, bounds: Bounds) -> Interval:
    """All users have the same value, so that their spread is unknown.

    At one end of the possible values the mean is farthest from it if all other values lie at the other end: Wilson's
    interval for a share holds there. Between the ends nothing is known.
    """
    for end, successes in ((bounds[0], 0), (bounds[1], n)):
        if np.isfinite(bounds).all() and abs(value - end) <= CONSTANT * max(1.0, abs(end)):
            low, high = (bounds[0] + share * (bounds[1] - bounds[0]) for share in wilson(successes, n, confidence))
            return Interval(value, min(low, value), max(high, value), "wilson", n)
    return Interval(value, float("nan"), float("nan"), "constant", n)


def bca(values: Floats, draws: Floats, confidence: float) -> tuple[float, float]:
    """Bias-corrected and accelerated bootstrap interval of a mean (Efron and Tibshirani 1993, ch. 14).

    Args:
        values: float [n]; the data. For a mean the jackknife acceleration is skewness / (6 sqrt(n)).
        draws: float [B]; bootstrap means. Those within :data:`rebeca.ties.TIE` of the mean count as equal to it.
        confidence: E.g. 0.95.
    """
    from scipy.special import ndtr, ndtri

    side = direction(draws - values.mean(), size_of(values))
    below = np.mean(side < 0) + 0.5 * np.mean(side == 0)
    bias = ndtri(np.clip(below, 1 / (len(draws) + 1), len(draws) / (len(draws) + 1)))
    acceleration = float(skewness(values)) / (6 * np.sqrt(len(values)))
    z = ndtri(np.array([(1 - confidence) / 2, (1 + confidence) / 2]))
    levels = ndtr(bias + (bias + z) / (1 - acceleration * (bias + z)))
    low, high = np.quantile(draws, np.round(levels, LEVEL_DECIMALS))
    return float(low), float(high)


def bootstrap_t(values: Floats, draws: Floats, squares: Floats, confidence: float) -> tuple[float, float] | None:
    """Studentised bootstrap interval of a mean (Efron and Tibshirani 1993, ch. 12).

    Args:
        values: float [n]; the data, not constant.
        draws: float [B]; bootstrap means.
        squares: float [B]; bootstrap means of the squared values, from the same draws.
        confidence: E.g. 0.95.

    Returns:
        The ends; None where one of them is infinite. A draw in which all users have the same value has an infinite t;
        with few users, or with a value that nearly all share, there are too many such draws.
    """
    n, mean = len(values), float(values.mean())
    error = float(values.std(ddof=1)) / np.sqrt(n)
    variance = np.maximum(squares - np.square(draws), 0.0)
    varies = variance > CONSTANT * np.maximum(squares, 1e-300)
    away = np.where(np.abs(draws - mean) <= CONSTANT * max(1.0, abs(mean)), 0.0, draws - mean)
    t = np.divide(away, np.sqrt(variance / (n - 1)), out=np.copysign(np.inf, away), where=varies)
    t[~varies & (away == 0)] = 0.0
    outer, levels = np.sort(t, kind="stable"), np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    first, last = int(levels[0] * (len(t) - 1)), int(np.ceil(levels[1] * (len(t) - 1)))
    if not np.isfinite(outer[[first, last]]).all():
        return None
    lower, upper = np.quantile(t, levels)
    return float(mean - upper * error), float(mean - lower * error)


def percentile(estimate: float, draws: Floats, users: int, confidence: float = 0.95) -> Interval:
    """Percentile bootstrap interval of a statistic that is no mean, e.g. a pooled AUC or a correlation.

    Args:
        estimate: The statistic.
        draws: float [B]; its bootstrap values, NaN where a draw has none.
        users: Users.
        confidence: E.g. 0.95.
    """
    finite = draws[np.isfinite(draws)]
    if users < FEWEST or not len(finite) or not np.isfinite(estimate):
        return Interval(estimate, float("nan"), float("nan"), "none", users)
    low, high = np.quantile(finite, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(estimate, float(low), float(high), "percentile", users)


def wilson(successes: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a share (Wilson 1927); successes may be halves."""
    from scipy.special import ndtri

    if n == 0:
        return float("nan"), float("nan")
    z = float(ndtri((1 + confidence) / 2))
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))
