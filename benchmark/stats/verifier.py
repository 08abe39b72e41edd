"""How good is the verifier? AUC within user, pooled AUC, controls on the same rows, calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from benchmark.stats.intervals import Interval, mean_interval, resampling_weights

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Bools = npt.NDArray[np.bool_]

CALIBRATION_BINS = 10


def auc(liked: Bools, score: Floats) -> float:
    """P(a liked row scores above another one), ties one half (Mann-Whitney); NaN where a kind is missing."""
    positives = int(liked.sum())
    negatives = len(liked) - positives
    if not positives or not negatives:
        return float("nan")
    return float((rankdata(score)[liked].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def auc_by_user(user: Ints, liked: Bools, score: Floats, num_users: int) -> Floats:
    """float64 [num_users]; AUC of every person's own rows, NaN for people without both labels."""
    values = np.full(num_users, np.nan)
    order = np.argsort(user, kind="stable")
    bounds = np.searchsorted(user[order], np.arange(num_users + 1))
    for u in range(num_users):
        rows = order[bounds[u] : bounds[u + 1]]
        if len(rows):
            values[u] = auc(liked[rows], score[rows])
    return values


def mean_over_users(values: Floats, draws: int, rng: np.random.Generator) -> Interval:
    """Mean over people who have a value, with its interval."""
    known = values[np.isfinite(values)]
    return (
        mean_interval(known, resampling_weights(len(known), draws, rng)) if len(known) else mean_interval(known, known)
    )


def bootstrap_rows_auc(liked: Bools, score: Floats, draws: int, rng: np.random.Generator) -> tuple[float, float]:
    """The published interval: percentile bootstrap over rows of the pooled AUC (too narrow; see docs)."""
    values = np.empty(draws)
    for draw in range(draws):
        rows = rng.integers(0, len(liked), len(liked))
        values[draw] = auc(liked[rows], score[rows])
    low, high = np.nanquantile(values, [0.025, 0.975])
    return float(low), float(high)


def calibration(liked: Bools, probability: Floats, bins: int = CALIBRATION_BINS) -> dict[str, Any]:
    """Reliability in equal-width bins, expected calibration error and Brier score.

    Returns:
        ``bins`` (low, high, n, mean probability, share liked), ``expected_error`` (mean absolute gap, weighted by
        rows) and ``brier``.
    """
    edges = np.linspace(0, 1, bins + 1)
    index = np.clip(np.digitize(probability, edges[1:-1]), 0, bins - 1)
    rows = []
    gap = 0.0
    for b in range(bins):
        own = index == b
        n = int(own.sum())
        if n:
            mean, share = float(probability[own].mean()), float(liked[own].mean())
            gap += n / len(liked) * abs(mean - share)
            rows.append({"low": float(edges[b]), "high": float(edges[b + 1]), "n": n, "mean": mean, "share": share})
    brier = float(np.mean(np.square(probability - liked)))
    return {"bins": rows, "expected_error": gap, "brier": brier}
