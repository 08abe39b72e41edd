import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
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
        if interval.method not in ("none", "constant"):
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
    three = mean_interval(np.array([0.0, 0.0, 1.0]), weights(3), method="bootstrap-t")
    assert three.method == "student-t" and three.low < 0 < 1 < three.high
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
    assert mean_interval(np.array([1.0, 1.0, np.nan]), weights(3)).method == "none"
    with pytest.raises(ValueError, match="infinite"):
        mean_interval(np.array([1.0, np.inf]), weights(2))
    assert mean_intervals(np.empty((5, 0)), weights(5)) == []
    assert bootstrap_t(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0.95) is None
    assert percentile(0.5, np.full(9, np.nan), 9).method == "none"


@pytest.mark.parametrize("n", [3, 8, 100])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0), (1.0, 7.0)])
def test_users_who_all_have_the_highest_value_have_wilsons_interval(n, bounds):
    """Eight users with a value of 1 once had "1.000 (1.000 to 1.000)"."""
    low, high = bounds
    top = mean_interval(np.full(n, high), weights(n), bounds=bounds)
    bottom = mean_interval(np.full(n, low), weights(n), bounds=bounds)
    z = stats.norm.ppf(0.975)
    share = n / (n + z**2)  # Wilson's lower end for n successes of n
    assert (top.method, bottom.method) == ("wilson", "wilson")
    assert (top.low, top.high) == (pytest.approx(low + share * (high - low)), high)
    assert (bottom.low, bottom.high) == (low, pytest.approx(high - share * (high - low)))


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-np.inf, np.inf)])
def test_a_value_that_all_users_share_has_no_interval(bounds):
    interval = mean_interval(np.full(9, 0.5), weights(9), bounds=bounds)
    assert (interval.estimate, interval.method, interval.n) == (0.5, "constant", 9)
    assert np.isnan([interval.low, interval.high]).all()


def test_two_users_have_no_interval():
    for values in ([0.2, 0.2], [0.1, 0.9]):
        interval = mean_interval(np.array(values), weights(2), bounds=(0.0, 1.0))
        assert interval.method == "none" and np.isnan([interval.low, interval.high]).all()
    assert percentile(0.5, np.array([0.2, 0.4]), 2).method == "none"


@given(arrays(np.float64, st.integers(3, 70), elements=st.floats(0, 1)), st.sampled_from(["auto", "bootstrap-t"]))
@settings(max_examples=60, deadline=None)
def test_ends_stay_within_the_bounds_and_else_where_they_were(values, method):
    """An AUC of 0.5 of three users once had an interval from -5.9 to 6.9."""
    w = weights(len(values), 99)
    free, bound = (mean_interval(values, w, 0.95, method, bounds) for bounds in ((-np.inf, np.inf), (0.0, 1.0)))
    if free.method == "constant":
        return
    assert 0 <= bound.low <= bound.estimate <= bound.high <= 1
    assert (bound.low, bound.high) == (max(0.0, free.low), min(1.0, free.high))
    if bound.bootstrap_t is not None:
        assert bound.bootstrap_t[0] >= 0 and bound.bootstrap_t[1] <= 1


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
