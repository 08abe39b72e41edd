"""Ranks: of values, and of generators with their uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmark.stats.exact import resampled_means, whole_products
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


def share_first(values: Floats, weights: Ints, fits: Floats | None = None) -> Floats:
    """float64 [generators]; share of bootstrap draws in which each generator has the highest mean, ties shared.

    Args:
        values: float [users, generators]; higher is better, NaN where a generator has no value for the user.
        weights: int [draws, users] of a bootstrap over users.
        fits: float64 [draws, generators]; what other fits would have added to the means.
    """
    first = is_highest(drawn_means(values, weights, fits))
    return np.asarray((first / first.sum(axis=1, keepdims=True)).mean(axis=0))


def drawn_means(values: Floats, weights: Ints, fits: Floats | None = None) -> Floats:
    """float64 [draws, generators]; each generator's mean over the drawn users that it has, minus infinity for none.

    Draws in which no generator has a user are left out. Arguments as of :func:`share_first`.
    """
    known = np.isfinite(values)
    users = whole_products(weights, known.astype(np.float64))
    totals = whole_products(weights, np.where(known, values, 0.0))
    means = np.divide(totals, users, out=np.full(totals.shape, -np.inf), where=users > 0)
    means = means if fits is None else means + fits
    return np.asarray(means[users.any(axis=1)])


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
