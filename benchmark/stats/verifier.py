"""How good is the verifier? AUC within user, pooled AUC, ROC curve and calibration, all with users as the unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.stats.intervals import Interval, percentile
from benchmark.stats.ranks import midranks
from rebeca.arrays import Bools, Floats, Ints
from rebeca.ties import levels

CALIBRATION_BINS = 10
ROC_POINTS = 101
DRAWS_AT_ONCE, COUNTS_AT_ONCE = 64, 1 << 23
"""Draws that are counted at once, and rows of all of them."""


def auc(liked: Bools, score: Floats) -> float:
    """P(a liked row scores above another one), ties one half (Mann-Whitney); NaN where a kind is missing."""
    positives = int(liked.sum())
    negatives = len(liked) - positives
    if not positives or not negatives:
        return float("nan")
    return float((midranks(score)[liked].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def auc_by_user(user: Ints, liked: Bools, score: Floats, num_users: int) -> Floats:
    """float64 [num_users]; AUC of every user's own rows, NaN for users without both labels."""
    order = np.argsort(user, kind="stable")
    bounds = np.searchsorted(user[order], np.arange(1, num_users))
    return np.array([auc(liked[rows], score[rows]) for rows in np.split(order, bounds)])


def auc_over_users(user: Ints, liked: Bools, score: Floats, weights: Ints) -> Interval:
    """Pooled AUC with a percentile bootstrap interval over users (the clustered AUC of Obuchowski 1997, resampled).

    The pooled AUC counts the pairs of a liked row that scores above a not liked row. A draw that takes user u w[u]
    times weights such a pair by w of both users. With the rows in the order of their scores one pass counts them all,
    in halves of whole numbers, and exactly.

    Args:
        user: int [rows].
        liked: bool [rows].
        score: float [rows].
        weights: int [draws, users].
    """
    place = levels(score)
    good, bad = (rows[np.argsort(place[rows], kind="stable")] for rows in map(np.flatnonzero, (liked, ~liked)))
    lower, upper = (np.searchsorted(place[bad], place[good], side) for side in ("left", "right"))

    def area(drawn: Ints) -> Floats:
        """float64 [draws]; from int [users, draws]. NaN where a draw has no liked or no other row."""
        below = np.zeros((len(bad) + 1, drawn.shape[1]), np.int64)
        np.cumsum(drawn[user[bad]], axis=0, out=below[1:])
        own = drawn[user[good]]
        wins = (own * (below[lower] + below[upper])).sum(axis=0) / 2
        with np.errstate(invalid="ignore"):
            return np.asarray(wins / (own.sum(axis=0) * below[-1]))

    step = max(1, min(DRAWS_AT_ONCE, COUNTS_AT_ONCE // max(1, len(user))))
    parts = range(0, len(weights), step)
    draws = np.concatenate([area(np.ascontiguousarray(weights[i : i + step].T)) for i in parts])
    estimate = area(np.ones((weights.shape[1], 1), np.int64))[0]
    return percentile(float(estimate), draws, len(np.unique(user)))


def bootstrap_rows_auc(liked: Bools, score: Floats, draws: int, rng: np.random.Generator) -> tuple[float, float]:
    """The published interval: percentile bootstrap over rows of the pooled AUC (too narrow; see docs)."""
    rank = levels(score)
    place = 2 * rank + liked  # rows of equal score and label count together
    size = 2 * (int(rank.max()) + 1)
    values = np.empty(draws)
    for draw in range(draws):
        counts = np.bincount(place[rng.integers(0, len(liked), len(liked))], minlength=size)
        bad, good = counts[::2].astype(np.float64), counts[1::2].astype(np.float64)
        with np.errstate(invalid="ignore"):
            values[draw] = good @ (np.cumsum(bad) - bad / 2) / (good.sum() * bad.sum())
    if not np.isfinite(values).any():
        return float("nan"), float("nan")
    low, high = np.nanquantile(values, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Curve:
    """A ROC curve; empty where a label is missing.

    Attributes:
        false_positive: Shares of disliked ratings above a threshold.
        true_positive: Shares of liked ratings above it.
    """

    false_positive: tuple[float, ...]
    true_positive: tuple[float, ...]


def roc(liked: Bools, score: Floats, points: int = ROC_POINTS) -> Curve:
    """The ROC curve at evenly spaced false positive rates, linear between thresholds."""
    positives, negatives = int(liked.sum()), int((~liked).sum())
    if not positives or not negatives:
        return Curve((), ())
    place = levels(score)
    order = np.argsort(-place, kind="stable")
    last_of_tie = np.append(np.diff(place[order]) != 0, True)
    true = np.concatenate([[0], np.cumsum(liked[order])[last_of_tie] / positives])
    false = np.concatenate([[0], np.cumsum(~liked[order])[last_of_tie] / negatives])
    grid = np.linspace(0, 1, points)
    # where the curve rises vertically the highest point counts
    keep = np.append(np.diff(false) > 0, True)
    return Curve(tuple(grid.tolist()), tuple(np.interp(grid, false[keep], true[keep]).tolist()))


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Ratings whose probability lies in one bin.

    Attributes:
        low: Lower edge.
        high: Upper edge.
        n: Ratings.
        mean: Mean probability.
        share: Share liked.
    """

    low: float
    high: float
    n: int
    mean: float
    share: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Do the probabilities mean what they say?

    Attributes:
        bins: Ten of equal width, empty ones left out.
        expected_error: Mean absolute gap, weighted by rows.
        brier: Mean squared error.
    """

    bins: tuple[CalibrationBin, ...]
    expected_error: float
    brier: float


def calibration(liked: Bools, probability: Floats, bins: int = CALIBRATION_BINS) -> Calibration:
    edges = np.linspace(0, 1, bins + 1)
    index = np.clip(np.digitize(probability, edges[1:-1]), 0, bins - 1)
    rows, gap = [], 0.0
    for b in np.unique(index):
        own = index == b
        n, mean, share = int(own.sum()), float(probability[own].mean()), float(liked[own].mean())
        gap += n / len(liked) * abs(mean - share)
        rows.append(CalibrationBin(float(edges[b]), float(edges[b + 1]), n, mean, share))
    return Calibration(tuple(rows), gap, float(np.mean(np.square(probability - liked))))
