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
    """Pooled AUC with a percentile bootstrap interval over users.

    The pooled AUC counts, for every pair of users (u, v), the liked rows of u that score above not liked rows of v.
    They are counted once; a draw that takes user u w[u] times weights them by w[u] w[v]. All draws are then one
    quadratic form in halves of whole numbers, and exact (the clustered AUC of Obuchowski 1997, resampled).

    Args:
        user: int [rows].
        liked: bool [rows].
        score: float [rows].
        weights: int [draws, users].
    """
    users = weights.shape[1]
    place = levels(score)
    order = np.lexsort((place, user))
    user, liked, place = user[order], liked[order], place[order]
    owner, good, bad = user[liked], place[liked], place[~liked]
    likes = np.bincount(owner, minlength=users)
    dislikes = np.bincount(user[~liked], minlength=users)
    wins = np.zeros((users, users))
    bounds = np.searchsorted(user[~liked], np.arange(users + 1))
    for v in np.flatnonzero(dislikes):
        own = bad[bounds[v] : bounds[v + 1]]
        below = (np.searchsorted(own, good, "left") + np.searchsorted(own, good, "right")) / 2
        wins[:, v] = np.bincount(owner, weights=below, minlength=users)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = wins.sum() / (likes.sum() * dislikes.sum())
        drawn = weights.astype(np.float64)
        draws = ((drawn @ wins) * drawn).sum(axis=1) / ((weights @ likes) * (weights @ dislikes))
    return percentile(float(estimate), draws, int(((likes > 0) | (dislikes > 0)).sum()))


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
