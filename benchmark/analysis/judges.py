"""What is reported about the judges, from their scores of held-out ratings. Pure, so that ``verify`` can repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmark.analysis.inputs import HeldOutScores
from benchmark.analysis.measures import CONTROLS, JUDGES, MEANINGS, VERIFIER
from benchmark.analysis.numbers import Count, Ends, Interval, Share, finite
from benchmark.stats.intervals import SHARE, SIGNED, Bounds, mean_interval, resampling_weights
from benchmark.stats.items import Effects, auc_effects, item_variance, over_items, pooled_auc_effects
from benchmark.stats.random import stream
from benchmark.stats.verifier import (
    Calibration,
    Curve,
    auc,
    auc_by_user,
    auc_over_users,
    bootstrap_rows_auc,
    calibration,
    roc,
)
from rebeca.arrays import Floats, Ints

ROWS_BOOTSTRAP = 1000


@dataclass(frozen=True, slots=True)
class TrainReport:
    """The judge on its own training ratings.

    Attributes:
        rows: Ratings.
        auc_pooled: AUC over all rows.
        auc_within_user: Mean AUC within user.
        roc: ROC curve.
    """

    rows: Count
    auc_pooled: Share | None
    auc_within_user: Interval
    roc: Curve


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One fit of the learning curve.

    Attributes:
        share: Share of each user's training ratings.
        auc_within_user: On the same held-out ratings.
    """

    share: Share
    auc_within_user: Interval


@dataclass(frozen=True, slots=True)
class JudgeReport:
    """A judge, a control or others' mean on the held-out ratings.

    Attributes:
        meaning: What it is.
        rows: Held-out ratings.
        auc_within_user: Mean over users with both labels.
        auc_pooled: AUC over all rows; for its interval, users and items are drawn.
        roc: ROC curve.
        auc_pooled_rows_interval: Judges only: the published interval. It draws rows instead of users and is too narrow.
        calibration: Judges only.
        train: Judges only: on their training ratings.
        learning_curve: Judges only; empty for others.
        verifier_gain: Controls only: the verifier's AUC within user minus the control's.
    """

    meaning: str
    rows: Count
    auc_within_user: Interval
    auc_pooled: Interval
    roc: Curve
    auc_pooled_rows_interval: Ends | None = None
    calibration: Calibration | None = None
    train: TrainReport | None = None
    learning_curve: tuple[CurvePoint, ...] = ()
    verifier_gain: Interval | None = None


def judge_report(scores: HeldOutScores, users: int, draws: int, name: str) -> Mapping[str, JudgeReport]:
    """Everything that is reported about the judges, in the order of :data:`MEANINGS`.

    Args:
        scores: Of held-out and training ratings.
        users: Users of the data set.
        draws: Bootstrap draws over users, the same for all judges.
        name: Names the random streams.
    """
    reports: dict[str, JudgeReport] = {}
    within: dict[str, Floats] = {}
    effects: dict[str, Effects] = {}
    weights = resampling_weights(users, draws, stream(name, "judges"))
    for judge, meaning in MEANINGS.items():
        test = scores.of(judge, "test")
        if not len(test):
            continue
        within[judge] = auc_by_user(test.user, test.label, test.score, users)
        effects[judge] = auc_effects(test.user, test.item, test.label, test.score)
        report = JudgeReport(
            meaning,
            len(test),
            _over_items(within[judge], effects[judge], weights, SHARE),
            _pooled(test, weights),
            roc(test.label, test.score),
        )
        reports[judge] = _fitted(report, scores, judge, weights, name) if judge in JUDGES else report
    for control in CONTROLS:
        if control in within and VERIFIER in within:
            drawn = effects[VERIFIER].minus(effects[control])
            gain = _over_items(within[VERIFIER] - within[control], drawn, weights, SIGNED)
            reports[control] = replace(reports[control], verifier_gain=gain)
    return reports


def _fitted(report: JudgeReport, scores: HeldOutScores, judge: str, weights: Ints, name: str) -> JudgeReport:
    """Adds what only a fitted judge has: training ratings, probabilities, and fits on fewer ratings."""
    test, train = scores.of(judge, "test"), scores.of(judge, "train")
    low, high = bootstrap_rows_auc(test.label, test.score, ROWS_BOOTSTRAP, stream(name, "auc-rows", judge))
    shares = sorted({float(share) for share in scores.share[scores.judge == judge]})
    return replace(
        report,
        auc_pooled_rows_interval=Ends(finite(low), finite(high)),
        calibration=calibration(test.label, test.score),
        train=TrainReport(
            len(train),
            finite(auc(train.label, train.score)),
            Interval.of(mean_interval(_within(train, weights), weights, bounds=SHARE)),
            roc(train.label, train.score),
        ),
        learning_curve=tuple(_point(scores.of(judge, "test", share), share, weights) for share in shares),
    )


def _within(scores: HeldOutScores, weights: Ints) -> Floats:
    return auc_by_user(scores.user, scores.label, scores.score, weights.shape[1])


def _point(test: HeldOutScores, share: float, weights: Ints) -> CurvePoint:
    drawn = auc_effects(test.user, test.item, test.label, test.score)
    return CurvePoint(share, _over_items(_within(test, weights), drawn, weights, SHARE))


def _over_items(values: Floats, effects: Effects, weights: Ints, bounds: Bounds) -> Interval:
    """Interval over users and held-out items of the mean of ``values``, float64 [users]."""
    variance = item_variance(effects, np.isfinite(values), np.zeros(len(values), np.int64))
    return Interval.of(over_items(mean_interval(values, weights, bounds=bounds), variance, bounds=bounds))


def _pooled(test: HeldOutScores, weights: Ints) -> Interval:
    users = weights.shape[1]
    rated = np.bincount(test.user, minlength=users) > 0
    effects = pooled_auc_effects(test.user, test.item, test.label, test.score)
    variance = item_variance(effects, rated, np.zeros(users, np.int64))
    interval = auc_over_users(test.user, test.label, test.score, weights)
    return Interval.of(over_items(interval, variance, bounds=SHARE))
