import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve

from benchmark.stats.intervals import resampling_weights
from benchmark.stats.verifier import auc, auc_by_user, auc_over_users, bootstrap_rows_auc, calibration, roc


def test_auc_equals_scikit_learn_with_ties():
    rng = np.random.default_rng(0)
    liked, score = rng.random(200) < 0.4, rng.integers(0, 9, 200) / 9
    assert auc(liked, score) == pytest.approx(roc_auc_score(liked, score))


def test_auc_within_user_ignores_leniency():
    rng = np.random.default_rng(1)
    user = np.repeat(np.arange(30), 20)
    lenient = rng.random(30)[user]
    liked = rng.random(600) < lenient
    by_user = auc_by_user(user, liked, lenient, 31)
    assert auc(liked, lenient) > 0.7  # pooled AUC rewards knowing who is lenient
    assert np.nanmax(np.abs(by_user - 0.5)) < 1e-12
    assert np.isnan(by_user[30])


def test_one_class_has_no_auc():
    assert np.isnan(auc(np.ones(4, bool), np.arange(4.0)))


def test_calibration_of_a_perfect_and_of_a_constant_judge():
    liked = np.array([True, False] * 50)
    perfect = calibration(liked, liked.astype(float))
    assert perfect.brier == 0
    assert perfect.expected_error == 0
    constant = calibration(liked, np.full(100, 0.9))
    assert constant.expected_error == pytest.approx(0.4)
    assert constant.brier == pytest.approx(brier_score_loss(liked, np.full(100, 0.9)))


def test_scores_that_are_equal_but_for_rounding_are_tied():
    """As the scores of two copies of an item that were added up in another order."""
    liked, score = np.array([True, False, True, False]), np.array([0.1 + 0.2, 0.3, 0.6, 0.1])
    assert auc(liked, score) == 3.5 / 4
    assert roc(liked, score, 3).true_positive == (0.5, 1.0, 1.0)
    everybody = np.array([0, 0, 1, 1])
    assert auc_over_users(everybody, liked, score, np.ones((3, 2), int)).estimate == 3.5 / 4


def test_rows_bootstrap_contains_the_auc():
    rng = np.random.default_rng(2)
    liked = rng.random(300) < 0.5
    score = liked + rng.normal(size=300)
    low, high = bootstrap_rows_auc(liked, score, 200, rng)
    assert low < auc(liked, score) < high


def test_pooled_auc_by_users_equals_drawing_users():
    rng = np.random.default_rng(3)
    user = rng.integers(0, 12, 300)
    liked, score = rng.random(300) < 0.3 + 0.03 * user, rng.integers(0, 30, 300) / 30
    w = resampling_weights(14, 60, rng)  # two users have no rows
    drawn = []
    for row in w:
        rows = np.concatenate([np.repeat(np.flatnonzero(user == u), row[u]) for u in range(14)])
        drawn.append(auc(liked[rows], score[rows]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    interval = auc_over_users(user, liked, score, w)
    assert interval.estimate == pytest.approx(auc(liked, score))
    assert (interval.low, interval.high) == (pytest.approx(low), pytest.approx(high))
    assert interval.n == len(np.unique(user))
    assert auc_over_users(user, np.ones(300, bool), score, w).method == "none"


def test_rows_bootstrap_equals_counting_pairs():
    rng = np.random.default_rng(4)
    liked, score = rng.random(80) < 0.4, rng.integers(0, 9, 80) / 9
    drawn = np.random.default_rng(5)
    expected = [auc(liked[r], score[r]) for r in (drawn.integers(0, 80, 80) for _ in range(50))]
    low, high = bootstrap_rows_auc(liked, score, 50, np.random.default_rng(5))
    assert (low, high) == (pytest.approx(np.quantile(expected, 0.025)), pytest.approx(np.quantile(expected, 0.975)))


def test_roc_lies_on_scikit_learns_curve():
    rng = np.random.default_rng(6)
    liked, score = rng.random(500) < 0.5, rng.integers(0, 40, 500) / 40
    score = np.round(score + 0.2 * liked, 9)  # scikit-learn parts .2 from .05 + .15
    curve = roc(liked, score)
    false, true, _ = roc_curve(liked, score, drop_intermediate=False)
    keep = np.append(np.diff(false) > 0, True)
    np.testing.assert_allclose(curve.true_positive, np.interp(curve.false_positive, false[keep], true[keep]))
    assert np.trapezoid(curve.true_positive, curve.false_positive) == pytest.approx(auc(liked, score), abs=0.02)
    assert roc(np.ones(5, bool), np.arange(5.0)).true_positive == ()
