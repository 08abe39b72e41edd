"""Ranks: of values, and of generators with their uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


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
    first = means >= means.max(axis=1, keepdims=True) - 1e-12
    return np.asarray((first / first.sum(axis=1, keepdims=True)).mean(axis=0))
