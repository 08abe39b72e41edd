"""Ranks: of values, and of generators with their uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

EQUAL = 1e-12
"""Means this near are equal but for rounding."""


def midranks(values: Floats) -> Floats:
    """float64 [n]; rank of each value from 1, equal values share their mean rank.

    As ``scipy.stats.rankdata``; importing ``scipy.stats`` takes longer than most commands.
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place])


def rank_intervals(ids: Sequence[str], better: Mapping[tuple[str, str], bool]) -> dict[str, tuple[int, int]]:
    """[1 + generators significantly better, G - generators significantly worse] (Mogstad et al. 2024).

    Args:
        ids: Ranked generators.
        better: (a, b) -> whether a is significantly better than b; pairs that were not tested are absent.
    """
    intervals = {}
    for name in ids:
        above = sum(better.get((other, name), False) for other in ids)
        below = sum(better.get((name, other), False) for other in ids)
        intervals[name] = (1 + above, len(ids) - below)
    return intervals


def probability_first(values: Floats, weights: Floats) -> Floats:
    """float64 [generators]; share of bootstrap draws in which each generator has the highest mean, ties shared.

    Args:
        values: float [people, generators]; higher is better.
        weights: float [draws, people] from :func:`benchmark.stats.intervals.kept_weights`; draws that hold none of
            these people are left out.
    """
    means = weights[weights.any(axis=1)] @ values
    first = means >= means.max(axis=1, keepdims=True) - EQUAL
    return np.asarray((first / first.sum(axis=1, keepdims=True)).mean(axis=0))


def kendall(a: Floats, b: Floats, weights: Floats) -> tuple[float, Floats]:
    """Kendall's tau-a between two orders of generators by their means over people: do two measures order them alike?

    Args:
        a: float [people, generators]; higher is better, as in ``b``, whose people and generators are the same.
        b: float [people, generators].
        weights: float [draws, people] of a bootstrap over people.

    Returns:
        (Concordant minus discordant pairs) / pairs, and the same in every draw, float64 [draws]. Pairs that are equal
        by either measure count as neither. NaN for fewer than two generators.
    """
    pairs = a.shape[1] * (a.shape[1] - 1) // 2
    if not pairs:
        return float("nan"), np.full(len(weights), np.nan)
    left, right = (np.vstack([values.mean(axis=0), weights[weights.any(axis=1)] @ values]) for values in (a, b))
    total = np.zeros(len(left))
    for first in range(a.shape[1] - 1):
        total += (
            np.sign(left[:, first, None] - left[:, first + 1 :])
            * np.sign(right[:, first, None] - right[:, first + 1 :])
        ).sum(axis=1)
    return float(total[0] / pairs), total[1:] / pairs


def inversions(a: Floats, b: Floats) -> list[tuple[int, int]]:
    """Pairs (first, second) of generators that ``a`` puts the other way round than ``b``; float [generators] each."""
    order = np.argsort(-a, kind="stable")
    return [
        (int(i), int(j)) for place, i in enumerate(order) for j in order[place + 1 :] if a[i] > a[j] and b[i] < b[j]
    ]
