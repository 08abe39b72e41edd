import numpy as np
import pytest
from scipy import stats

from benchmark.stats.agreement import correlation_pooled, correlation_within, ranks_within
from benchmark.stats.intervals import resampling_weights


@pytest.fixture
def rated():
    rng = np.random.default_rng(0)
    user = rng.permutation(np.repeat(np.arange(20), 7))
    x = rng.normal(size=140) + user
    return user, x, x + rng.normal(size=140) * 3


def weights(n=20, draws=500):
    return resampling_weights(n, draws, np.random.default_rng(1))


def test_pooled_equals_scipy(rated):
    user, x, y = rated
    assert correlation_pooled(user, x, y, weights()).estimate == pytest.approx(stats.pearsonr(x, y).statistic)
    zero = np.zeros(140, int)
    ranked = correlation_pooled(user, ranks_within(zero, x), ranks_within(zero, y), weights())
    assert ranked.estimate == pytest.approx(stats.spearmanr(x, y).statistic)


def test_within_equals_scipy_user_by_user(rated):
    user, x, y = rated
    pearson, without = correlation_within(user, x, y, weights())
    assert without == 0
    assert pearson.estimate == pytest.approx(
        np.mean([stats.pearsonr(x[user == u], y[user == u]).statistic for u in range(20)])
    )
    spearman, _ = correlation_within(user, ranks_within(user, x), ranks_within(user, y), weights())
    assert spearman.estimate == pytest.approx(
        np.mean([stats.spearmanr(x[user == u], y[user == u]).statistic for u in range(20)])
    )


def test_draws_take_whole_users(rated):
    user, x, y = rated
    w = weights(draws=50)
    drawn = []
    for row in w:
        rows = np.concatenate([np.repeat(np.flatnonzero(user == u), row[u]) for u in range(20)])
        drawn.append(stats.pearsonr(x[rows], y[rows]).statistic)
    low, high = np.quantile(drawn, [0.025, 0.975])
    found = correlation_pooled(user, x, y, w)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_users_without_a_correlation_are_counted():
    user = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    x = np.array([1.0, 2, 3, 5, 5, 5, 1, 2])
    interval, without = correlation_within(user, x, np.arange(8.0), weights(4))
    assert (interval.n, without) == (1, 2)  # one is constant, one has two images, one has none and is not counted
    assert correlation_pooled(user, np.full(8, 2.0), np.arange(8.0), weights(4)).method == "none"
