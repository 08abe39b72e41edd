import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from benchmark.stats.verifier import auc, auc_by_user, bootstrap_rows_auc, calibration


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
    assert perfect["brier"] == 0
    assert perfect["expected_error"] == 0
    constant = calibration(liked, np.full(100, 0.9))
    assert constant["expected_error"] == pytest.approx(0.4)
    assert constant["brier"] == pytest.approx(brier_score_loss(liked, np.full(100, 0.9)))


def test_rows_bootstrap_contains_the_auc():
    rng = np.random.default_rng(2)
    liked = rng.random(300) < 0.5
    score = liked + rng.normal(size=300)
    low, high = bootstrap_rows_auc(liked, score, 200, rng)
    assert low < auc(liked, score) < high
