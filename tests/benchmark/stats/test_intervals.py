import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from benchmark.stats.exact import resampled_means
from benchmark.stats.intervals import (
    bootstrap_t,
    kept_weights,
    mean_interval,
    mean_intervals,
    percentile,
    resampling_weights,
    skewness,
)


def weights(n, draws=2000, seed=0):
    return resampling_weights(n, draws, np.random.default_rng(seed))


def test_skewness_equals_scipy():
    x = np.random.default_rng(0).exponential(size=(50, 3))
    np.testing.assert_allclose(skewness(x), stats.skew(x))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 90))
def test_columns_together_are_columns_alone(seed, n):
    rng = np.random.default_rng(seed)
    table = rng.exponential(size=(n, 5)) ** 2
    table[rng.random((n, 5)) < 0.1] = np.nan
    table[:, 3] = 0.5
    w = weights(n, 99)
    together = mean_intervals(table, w)
    for c, column in enumerate(together):
        alone = mean_interval(table[:, c], w)
        assert (alone.method, alone.n) == (column.method, column.n)
        np.testing.assert_allclose([alone.estimate, alone.low, alone.high], [column.estimate, column.low, column.high])
    for interval in together:
        if interval.method not in ("none", "exact"):
            assert interval.low <= interval.estimate <= interval.high


def test_the_order_of_users_changes_nothing():
    x = np.random.default_rng(1).normal(size=80)
    order = np.random.default_rng(2).permutation(80)
    w = weights(80)
    interval, moved = mean_interval(x, w), mean_interval(x[order], w[:, order])
    assert (interval.low, interval.high) == (pytest.approx(moved.low, rel=1e-14), pytest.approx(moved.high, rel=1e-14))


def test_bootstrap_t_by_hand():
    rng = np.random.default_rng(3)
    x = rng.exponential(size=25)
    w = weights(25)
    t = []
    for row in w:
        drawn = np.repeat(x, row)
        t.append((drawn.mean() - x.mean()) / (drawn.std(ddof=1) / 5))
    upper, lower = np.quantile(t, [0.975, 0.025])
    error = x.std(ddof=1) / 5
    low, high = bootstrap_t(x, w @ x / 25, w @ x**2 / 25, 0.95)
    assert (low, high) == (pytest.approx(x.mean() - upper * error), pytest.approx(x.mean() - lower * error))
    assert mean_interval(x, w, method="bootstrap-t").low == pytest.approx(low)


def test_draws_in_which_all_are_alike_have_an_infinite_t():
    """They once were left out, and they are the ones that should make the interval wide."""
    one_in_eight = np.array([1.0, 0, 0, 0, 0, 0, 0, 0])  # a third of the draws are all zero
    interval = mean_interval(one_in_eight, weights(8), method="bootstrap-t")
    assert interval.method == "student-t" and interval.bootstrap_t is None and interval.high > 0.3
    two = mean_interval(np.array([0.0, 1.0]), weights(2), method="bootstrap-t")
    assert two.method == "student-t" and two.low < 0 < 1 < two.high
    few = np.array([1.0] * 6 + [0.0] * 34)  # here one draw in six hundred
    assert mean_interval(few, weights(40), method="bootstrap-t").method == "bootstrap-t"


def test_bootstrap_t_covers_rare_values():
    """Shares of 5 % at 80 users, which intervals without the infinite draws held far less often."""
    rng = np.random.default_rng(6)
    held = []
    for _ in range(200):
        x = (rng.random(80) < 0.05).astype(float)
        interval = mean_interval(x, resampling_weights(80, 400, rng), method="bootstrap-t")
        held.append(interval.low <= 0.05 <= interval.high)
    assert np.mean(held) > 0.8


def test_odd_values_have_named_outcomes():
    assert mean_interval(np.array([np.nan, 1.0]), weights(2)).method == "none"
    assert mean_interval(np.full(5, np.nan), weights(5)).n == 0
    assert mean_interval(np.array([1.0, 1.0, np.nan]), weights(3)).method == "exact"
    with pytest.raises(ValueError, match="infinite"):
        mean_interval(np.array([1.0, np.inf]), weights(2))
    assert mean_intervals(np.empty((5, 0)), weights(5)) == []
    assert bootstrap_t(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0.95) is None
    assert percentile(0.5, np.full(9, np.nan), 9).method == "none"


def test_draws_without_anybody_known_hold_nobody():
    w = np.array([[1, 1, 0], [0, 0, 2]])
    kept = kept_weights(w, np.array([True, True, False]))
    assert kept.tolist() == [[1, 1], [0, 0]]
    assert resampled_means(kept, np.array([1.0, 2.0])).tolist() == [1.5]


@pytest.mark.parametrize("seed", range(6))
def test_draws_that_equal_the_mean_count_half_whatever_the_order_of_adding(seed):
    """Shares of 32 wins add up to the mean in many draws. Sums in another order once fell on either side of it."""
    rng = np.random.default_rng(seed)
    wins = np.round(rng.normal(29, 2, 100)).clip(0, 32).astype(int)
    w = weights(100, 999)
    centre, sums = wins.sum(), w @ wins  # whole numbers
    below = np.mean(sums < centre) + 0.5 * np.mean(sums == centre)
    assert np.mean(sums == centre) > 0.005
    x = wins / 32
    bias, z = special.ndtri(below), special.ndtri([0.025, 0.975])
    acceleration = stats.skew(x) / 60
    levels = special.ndtr(bias + (bias + z) / (1 - acceleration * (bias + z)))
    low, high = np.quantile(sums / 3200, levels)
    for _ in range(5):
        order = rng.permutation(100)
        interval = mean_interval(x[order], w[:, order])
        assert (interval.low, interval.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
