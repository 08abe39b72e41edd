"""What is reported about judges, from a handful of held-out ratings; expected numbers are worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.analysis.inputs import HeldOutScores
from benchmark.analysis.judges import judge_report
from benchmark.analysis.measures import MEANINGS
from rebeca.ties import TIE


def scores(*blocks):
    """Rows of (judge, split, share, [(user, liked, score), ...]) blocks."""
    rows = [(judge, split, share, *row) for judge, split, share, own in blocks for row in own]
    judge, split, share, user, label, score = (np.array(column) for column in zip(*rows, strict=True))
    return HeldOutScores(user, np.arange(len(rows)), split, label.astype(bool), judge, score.astype(float), share)


GOOD_AND_BAD = [(0, 1, 0.95), (0, 0, 0.15), (1, 1, 0.25), (1, 0, 0.65)]
"""AUC of user 0 is 1, of user 1 is 0; of the four pairs of all users three are the right way round."""
TRAINED = [(0, 1, 0.8), (0, 0, 0.3), (1, 1, 0.7), (1, 0, 0.4)]
"""AUC of both users, and over all rows, is 1."""


def report(judged, users=2, draws=50):
    return judge_report(judged, users, draws, "test")


def test_areas_within_users_and_over_all_by_hand():
    judged = report(scores(("verifier", "test", 1.0, GOOD_AND_BAD), ("verifier", "train", 1.0, TRAINED)))["verifier"]
    assert judged.meaning == "the verifier"
    assert judged.rows == 4
    assert (judged.auc_within_user.estimate, judged.auc_within_user.n) == (0.5, 2)
    assert judged.auc_pooled.estimate == 0.75
    assert judged.verifier_gain is None


def test_a_judge_on_its_own_training_ratings():
    train = [*TRAINED, (1, 1, 0.9)]
    judged = report(scores(("verifier", "test", 1.0, GOOD_AND_BAD), ("verifier", "train", 1.0, train)))[
        "verifier"
    ].train
    assert (judged.rows, judged.auc_pooled, judged.auc_within_user.estimate) == (5, 1.0, 1.0)
    assert judged.roc.true_positive[0] == 1


def test_calibration_of_a_judge_by_hand():
    judged = report(scores(("verifier", "test", 1.0, GOOD_AND_BAD), ("verifier", "train", 1.0, TRAINED)))["verifier"]
    assert [(bin.low, bin.n, bin.mean, bin.share) for bin in judged.calibration.bins] == [
        (pytest.approx(0.1), 1, 0.15, 0), (pytest.approx(0.2), 1, 0.25, 1), (pytest.approx(0.6), 1, 0.65, 0),
        (pytest.approx(0.9), 1, 0.95, 1),
    ]  # fmt: skip
    assert judged.calibration.expected_error == pytest.approx((0.15 + 0.75 + 0.65 + 0.05) / 4)
    assert judged.calibration.brier == pytest.approx((0.15**2 + 0.75**2 + 0.65**2 + 0.05**2) / 4)


def test_the_interval_over_rows_holds_the_pooled_area():
    judged = report(scores(("verifier", "test", 1.0, GOOD_AND_BAD * 10), ("verifier", "train", 1.0, TRAINED)))[
        "verifier"
    ]
    ends = judged.auc_pooled_rows_interval
    assert 0.5 < ends.low < 0.75 < ends.high < 1


def test_the_learning_curve_goes_by_share():
    judged = report(
        scores(
            ("verifier", "test", 1.0, GOOD_AND_BAD),
            ("verifier", "train", 1.0, TRAINED),
            ("verifier", "test", 0.5, [(0, 1, 0.1), (0, 0, 0.9), (1, 1, 0.2), (1, 0, 0.6)]),
            ("auditor", "test", 1.0, TRAINED),
            ("auditor", "train", 1.0, TRAINED),
        )
    )
    curve = judged["verifier"].learning_curve
    assert [(point.share, point.auc_within_user.estimate) for point in curve] == [(0.5, 0.0), (1.0, 0.5)]
    assert judged["verifier"].rows == 4  # of the whole share only
    assert [point.share for point in judged["auditor"].learning_curve] == [1.0]


def test_controls_and_the_mean_of_others_have_no_training():
    judged = report(
        scores(
            ("others' mean", "test", 1.0, TRAINED),
            ("population", "test", 1.0, [(0, 1, 0.5), (0, 0, 0.5), (1, 1, 0.5), (1, 0, 0.9)]),
            ("verifier", "test", 1.0, TRAINED),
            ("verifier", "train", 1.0, TRAINED),
        )
    )
    assert list(judged) == ["verifier", "population", "others' mean"] == [name for name in MEANINGS if name in judged]
    control, others = judged["population"], judged["others' mean"]
    assert control.auc_within_user.estimate == pytest.approx(0.25)
    assert control.verifier_gain.estimate == pytest.approx(0.75)
    assert others.verifier_gain is None
    for row in (control, others):
        assert row.train is row.calibration is row.auc_pooled_rows_interval is None
        assert row.learning_curve == ()


def test_a_gain_is_over_users_who_have_both_labels():
    test = [*TRAINED, (2, 1, 0.9)]  # user 2 likes everything
    judged = report(
        scores(
            ("verifier", "test", 1.0, test), ("verifier", "train", 1.0, TRAINED), ("user mean", "test", 1.0, test),
        ),
        users=3,
    )  # fmt: skip
    assert judged["user mean"].verifier_gain.estimate == 0
    assert judged["user mean"].verifier_gain.n == judged["verifier"].auc_within_user.n == 2


def test_controls_without_a_verifier_gain_nothing():
    (judged,) = report(scores(("population", "test", 1.0, GOOD_AND_BAD))).values()
    assert judged.verifier_gain is None


def test_an_area_that_does_not_exist_is_none():
    liked = [(0, 1, 0.9), (1, 1, 0.2)]
    judged = report(scores(("auditor", "test", 1.0, liked), ("auditor", "train", 1.0, liked)))["auditor"]
    assert judged.auc_within_user.estimate is judged.auc_pooled.estimate is judged.train.auc_pooled is None
    assert (judged.auc_pooled_rows_interval.low, judged.auc_pooled_rows_interval.high) == (None, None)
    assert judged.roc.true_positive == judged.train.roc.false_positive == ()


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 50)), min_size=4, max_size=30))
def test_turning_the_scores_round_turns_the_areas_round(rows):
    own = [(user, liked, score / 50) for user, liked, score in rows]
    turned = [(user, liked, 1 - score) for user, liked, score in own]
    both = [
        report(scores(("population", "test", 1.0, each)), users=4, draws=20)["population"] for each in (own, turned)
    ]
    for name in ("auc_within_user", "auc_pooled"):
        a, b = (getattr(judged, name).estimate for judged in both)
        assert (a is None) == (b is None)
        assert a is None or a + b == pytest.approx(1, abs=TIE)
