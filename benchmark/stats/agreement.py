"""Do two scorers agree? Correlations of their scores of the same images for the same users."""

from __future__ import annotations

import numpy as np

from benchmark.stats.exact import whole_products
from benchmark.stats.intervals import CONSTANT, SIGNED, Interval, mean_interval, percentile
from benchmark.stats.ranks import midranks
from rebeca.arrays import Floats, Ints


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
    users = weights.shape[1]
    sums = _sums(user, x, y, users)
    n = sums[0]
    values = np.where(n >= 3, _pearson(sums), np.nan)
    return mean_interval(values, weights, bounds=SIGNED), int(((n > 0) & ~np.isfinite(values)).sum())


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
