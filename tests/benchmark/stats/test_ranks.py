"""Ranks, their intervals, and how far two orders agree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from benchmark.stats.intervals import resampling_weights
from benchmark.stats.ranks import inversions, kendall, midranks, share_first

SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed, users=9, generators=6, noise=1.0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(users, generators))
    return (
        a,
        a + noise * rng.normal(size=(users, generators)),
        resampling_weights(users, 50, rng, np.zeros(users, int)),
    )


@given(SEEDS)
def test_it_is_scipys_tau_where_nothing_is_tied(seed):
    a, b, weights = drawn(seed)
    estimate, draws = kendall(a, b, weights)
    assert np.isclose(estimate, kendalltau(a.mean(axis=0), b.mean(axis=0)).statistic)
    assert np.isclose(draws[7], kendalltau(weights[7] @ a, weights[7] @ b).statistic)
    assert len(draws) == 50


@given(SEEDS)
def test_inversions_are_the_discordant_pairs(seed):
    a, b, weights = drawn(seed)
    pairs = 15
    assert kendall(a, b, weights)[0] == (pairs - 2 * len(inversions(a.mean(axis=0), b.mean(axis=0)))) / pairs


@given(SEEDS)
def test_order_of_users_and_scale_change_nothing(seed):
    a, b, _ = drawn(seed)
    weights = np.ones((1, 9), int)
    shuffled = np.random.default_rng(seed).permutation(9)
    assert kendall(a, b, weights)[0] == kendall(a[shuffled], 3 * b[shuffled] + 1, weights)[0]


def test_the_same_order_the_reverse_and_ties():
    a, _, weights = drawn(1)
    assert kendall(a, a, weights)[0] == 1 and kendall(a, -a, weights)[0] == -1
    assert kendall(a, np.zeros_like(a), weights)[0] == 0
    assert inversions(np.array([3.0, 2.0, 1.0]), np.array([1.0, 1.0, 2.0])) == [(0, 2), (1, 2)]
    assert np.isnan(kendall(a[:, :1], a[:, :1], weights)[0])


def test_means_that_are_equal_but_for_rounding_are_tied():
    means = np.array([[0.1 + 0.2, 0.3, 0.0]])  # the first two are one number on paper
    unweighted, other = np.ones((1, 1), int), np.array([[1.0, 2.0, 0.0]])
    assert kendall(means, other, unweighted)[0] == pytest.approx(2 / 3)
    assert inversions(means[0], other[0]) == []
    assert share_first(means, unweighted).tolist() == [0.5, 0.5, 0.0]
    assert midranks(means[0]).tolist() == [2.5, 2.5, 1.0]


def test_redrawing_leans_low_where_two_measures_have_one_order():
    """Why the range beside tau is not called an interval."""
    rng = np.random.default_rng(2)
    for _ in range(20):
        a, b = (0.02 * np.arange(10) + 0.14 * rng.normal(size=(60, 10)) for _ in range(2))
        estimate, draws = kendall(a, b, resampling_weights(60, 300, rng))
        assert np.quantile(draws, 0.975) < 1 and np.median(draws) <= estimate
