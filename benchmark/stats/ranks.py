"""Ranks of values, of generators with their uncertainty, and how far two scorers agree.

Scorers are compared by correlations of their scores of the same images for the same users.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmark.stats.exact import resampled_means, whole_products
from benchmark.stats.intervals import CONSTANT, Interval, mean_interval, percentile
from rebeca.arrays import Floats, Ints
from rebeca.ties import best_first, direction, is_highest, levels, size_of


def midranks(values: Floats) -> Floats:
    """float64 [n]; rank of each value from 1, tied values share their mean rank.

    As ``scipy.stats.rankdata``; importing ``scipy.stats`` takes longer than most commands.
    """
    place = levels(values)
    counts = np.bincount(place)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place])


def rank_intervals(ids: Sequence[str], better: Mapping[tuple[str, str], bool]) -> dict[str, tuple[int, int]]:
    """[1 + generators significantly better, G - generators significantly worse] (Mogstad et al. 2024).

    Args:
        ids: Ranked generators.
        better: (a, b) -> whether a is significantly better than b; pairs that were not tested are absent.
    """
    above = {name: sum(better.get((other, name), False) for other in ids) for name in ids}
    below = {name: sum(better.get((name, other), False) for other in ids) for name in ids}
    return {name: (1 + above[name], len(ids) - below[name]) for name in ids}


def probability_first(values: Floats, weights: Ints) -> Floats:
    """float64 [generators]; share of bootstrap draws in which each generator has the highest mean, ties shared.

    Args:
        values: float [users, generators]; higher is better.
        weights: int [draws, users] from :func:`benchmark.stats.intervals.kept_weights`; draws that hold none of
            these users are left out.
    """
    first = is_highest(resampled_means(weights, values))
    return np.asarray((first / first.sum(axis=1, keepdims=True)).mean(axis=0))


def kendall(a: Floats, b: Floats, weights: Ints) -> tuple[float, Floats]:
    """Kendall's tau-a between two orders of generators by their means over users: do two measures order them alike?

    Args:
        a: float [users, generators]; higher is better, as in ``b``, whose users and generators are the same.
        b: float [users, generators].
        weights: int [draws, users] of a bootstrap over users.

    Returns:
        (Concordant minus discordant pairs) / pairs, and the same in every draw, float64 [draws]. Pairs that are tied
        by either measure count as neither. NaN for fewer than two generators.
    """
    pairs = a.shape[1] * (a.shape[1] - 1) // 2
    if not pairs:
        return float("nan"), np.full(len(weights), np.nan)
    left, right = (np.vstack([values.mean(axis=0), resampled_means(weights, values)]) for values in (a, b))
    total = np.zeros(len(left))
    for first in range(a.shape[1] - 1):
        total += (
            direction(left[:, first, None] - left[:, first + 1 :], size_of(left))
            * direction(right[:, first, None] - right[:, first + 1 :], size_of(right))
        ).sum(axis=1)
    return float(total[0] / pairs), total[1:] / pairs


def inversions(a: Floats, b: Floats) -> list[tuple[int, int]]:
    """Pairs (first, second) of generators that ``a`` puts the other way round than ``b``; float [generators] each.

    A pair that is tied by either is not among them.
    """
    order = best_first(a)
    above, below = direction(a[:, None] - a, size_of(a)) > 0, direction(b[:, None] - b, size_of(b)) < 0
    return [
        (int(i), int(j)) for place, i in enumerate(order) for j in order[place + 1 :] if above[i, j] and below[i, j]
    ]


def correlation_within(user: Ints, x: Floats, y: Floats, weights: Ints) -> tuple[Interval, int]:
    """Mean over users of the Pearson correlation of their own rows.

    What is left when everybody's level is taken out: whether two scorers order one user's images alike. For
    Spearman's correlation pass ranks within user, :func:`ranks_within`.

    Args:
        user: int [rows].
        x: float [rows]; scores of the same image for the same user.
        y: float [rows].
        weights: int [draws, users].

    Returns:
        The mean with its interval over users, and how many users with rows have no correlation: fewer than three
        rows, or one scorer gives them a constant.
    """
    sums = _sums(user, x, y, weights.shape[1])
    n = sums[0]
    values = np.where(n >= 3, _pearson(sums), np.nan)
    return mean_interval(values, weights), int(((n > 0) & ~np.isfinite(values)).sum())


def correlation_pooled(user: Ints, x: Floats, y: Floats, weights: Ints) -> Interval:
    """Pearson correlation over all rows, with a percentile bootstrap interval over users.

    Each user's sums are computed once and weighted in every draw. For Spearman's correlation pass ranks over all rows;
    the ranks are then those of all users, also in a draw.
    """
    sums = _sums(user, x, y, weights.shape[1])
    estimate = float(_pearson(sums.sum(axis=1, keepdims=True))[0])
    draws = _pearson(whole_products(weights, sums.T).T)
    return percentile(estimate, draws, len(np.unique(user)))


def ranks_within(user: Ints, x: Floats) -> Floats:
    """float64 [rows]; rank of each row among the user's own, ties share the mean rank."""
    out = np.empty(len(x))
    order = np.argsort(user, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(user[order])) + 1):
        out[rows] = midranks(x[rows])
    return out


def _sums(user: Ints, x: Floats, y: Floats, users: int) -> Floats:
    """float64 [6, users]; n and the sums of x, y, xx, yy, xy, about the overall means so that rounding stays small."""
    x, y = x - x.mean(), y - y.mean()
    columns = (np.ones(len(x)), x, y, x * x, y * y, x * y)
    return np.stack([np.bincount(user, weights=c, minlength=users) for c in columns])


def _pearson(sums: Floats) -> Floats:
    """Correlation from sums [6, ...]; NaN where one side is constant."""
    n, x, y, xx, yy, xy = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        vx, vy = xx - x * x / n, yy - y * y / n
        varies = (vx > CONSTANT * xx) & (vy > CONSTANT * yy)
        return np.asarray(np.where(varies, np.clip((xy - x * y / n) / np.sqrt(vx * vy), -1.0, 1.0), np.nan))
