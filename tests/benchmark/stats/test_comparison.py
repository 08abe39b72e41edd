"""Pairs of generators compared."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from benchmark.stats.comparison import Rules, compare, holm, image_wins, paired_differences, sign_flips
from benchmark.stats.intervals import mean_interval, resampling_weights, wilson
from benchmark.stats.levels import smallest_p
from benchmark.stats.ranks import midranks, rank_intervals, share_first


def weights(n, draws=500):
    return resampling_weights(n, draws, np.random.default_rng(0))


def test_enumeration_equals_brute_force():
    d = np.random.default_rng(0).normal(0.5, 1, size=(8, 1))
    flips = np.array(list(itertools.product([1, -1], repeat=8)))
    t = lambda x: abs(x.mean()) / x.std(ddof=1)  # noqa: E731
    expected = np.mean([t(d[:, 0] * s) >= t(d[:, 0]) * (1 - 1e-9) for s in flips])
    (result,) = sign_flips(d, 9999, np.random.default_rng(0))
    assert result.enumerated
    assert result.flips == 256
    assert result.p == pytest.approx(expected)
    assert result.p_max_t == pytest.approx(result.p)


def test_random_flips_agree_with_enumeration():
    d = np.random.default_rng(1).normal(0.4, 1, size=(12, 3))
    exact = sign_flips(d, 4096, np.random.default_rng(0))
    drawn = sign_flips(d, 4095, np.random.default_rng(0))
    assert exact[0].enumerated
    assert not drawn[0].enumerated
    for a, b in zip(exact, drawn, strict=True):
        assert a.p == pytest.approx(b.p, abs=0.03)
        assert a.p_max_t == pytest.approx(b.p_max_t, abs=0.03)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(6, 13), st.integers(2, 7), st.integers(1, 4))
def test_nearly_constant_differences_count_the_identity_and_its_mirror(seed, users, power, pairs):
    """The observed |t| once came from another product than the flips', and could be missed by all: p was 0."""
    d = 0.3 * (1 + 10.0**-power * np.random.default_rng(seed).normal(size=(users, pairs)))
    for test in sign_flips(d, 2**users, np.random.default_rng(0)):
        assert test.enumerated and test.at_least == 2
        assert test.p == smallest_p(users, 2**users) and test.p_max_t >= test.p


def test_constant_differences_beat_all_others():
    d = np.column_stack([np.full(9, 0.1), np.random.default_rng(4).normal(0.2, 1, 9), np.zeros(9)])
    constant, noisy, zero = sign_flips(d, 512, np.random.default_rng(0))
    assert constant.p == constant.p_max_t == 2 / 512
    assert noisy.p_max_t >= noisy.p > constant.p and zero.p == zero.p_max_t == 1


def test_holm_equals_statsmodels():
    p = np.random.default_rng(2).random(9) ** 3
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(6, 20), st.integers(1, 5))
def test_adjusted_p_is_ordered_and_bounded(seed, users, pairs):
    d = np.random.default_rng(seed).normal(size=(users, pairs))
    for r in sign_flips(d, 199, np.random.default_rng(1)):
        assert 0 < r.p <= 1
        assert r.p <= r.p_max_t <= 1
        assert r.p <= r.p_holm <= 1


def test_results_of_a_pair_do_not_depend_on_the_other_pairs():
    d = np.random.default_rng(3).normal(size=(40, 4))
    alone = sign_flips(d[:, :1], 999, np.random.default_rng(0))[0]
    together = sign_flips(d, 999, np.random.default_rng(0))[0]
    assert alone.p == together.p


def test_max_t_keeps_its_level_under_the_complete_null():
    rejected = 0
    for run in range(200):
        rng = np.random.default_rng(run)
        values = rng.normal(size=(20, 4)) + rng.normal(size=(20, 1))
        d = np.column_stack([values[:, a] - values[:, b] for a, b in itertools.combinations(range(4), 2)])
        rejected += any(r.p_max_t <= 0.05 for r in sign_flips(d, 199, rng))
    assert rejected <= 20


def test_equal_generators_and_constant_differences():
    equal, shifted = np.zeros((10, 1)), np.full((10, 1), 0.3)
    result = compare(equal, weights(10), Rules(999, 0.05, 0.02), np.random.default_rng(0))[0]
    assert result.verdict == "identical"
    assert result.test.p == 1
    assert (result.difference.estimate, result.difference.method) == (0, "constant")
    two = compare(shifted, weights(10), Rules(1023, 0.05, 0.02), np.random.default_rng(0))[0]
    assert two.verdict == "better"
    assert two.effect is None


def test_few_users_are_described_not_tested():
    d = np.random.default_rng(4).normal(3, 1, size=(5, 1))
    result = compare(d, weights(5), Rules(999, 0.05, 0.02), np.random.default_rng(0))[0]
    assert result.test is None
    assert result.verdict == "described"


@pytest.mark.parametrize(("value", "users"), [(0.7, 6), (0.3, 7), (0.7, 12)])
def test_p_is_never_zero_for_constant_differences(value, users):
    (result,) = sign_flips(np.full((users, 1), value), 9999, np.random.default_rng(0))
    assert result.p == 2 / 2**users


def test_a_pair_depends_on_its_own_users_and_signs_only():
    d = np.random.default_rng(7).normal(0.2, 1, size=(45, 300))
    alone = sign_flips(d[:, :1], 9999, np.random.default_rng(0))[0]
    assert sign_flips(d, 9999, np.random.default_rng(0))[0].at_least == alone.at_least
    d[10:, 5] = np.nan
    assert sign_flips(d, 9999, np.random.default_rng(0))[0].at_least == alone.at_least
    few = compare(d[:, 5:6], weights(45), Rules(999, 0.05, 0.02), np.random.default_rng(0))[0]
    assert few.difference.n == 10
    assert few.difference.estimate == pytest.approx(d[:10, 5].mean())


def test_student_interval_equals_scipy():
    x = np.random.default_rng(5).normal(size=25)
    mine = mean_interval(x, weights(25))
    low, high = stats.t.interval(0.95, 24, x.mean(), stats.sem(x))
    assert (mine.low, mine.high) == (pytest.approx(low), pytest.approx(high))
    assert mine.method == "student-t"


def test_bca_agrees_with_scipy():
    x = np.random.default_rng(6).exponential(size=90)
    mine = mean_interval(x, weights(90, 20_000))
    theirs = stats.bootstrap((x,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1))
    assert mine.method == "bca"
    assert mine.low == pytest.approx(theirs.confidence_interval.low, abs=0.01)
    assert mine.high == pytest.approx(theirs.confidence_interval.high, abs=0.01)


def test_constant_single_and_empty_data_have_named_outcomes():
    constant = mean_interval(np.full(80, 0.25), weights(80))
    assert (constant.estimate, constant.method) == (0.25, "constant")
    assert mean_interval(np.array([1.0]), weights(1)).method == "none"
    assert np.isnan(mean_interval(np.array([1.0]), weights(1)).low)
    assert np.isnan(mean_interval(np.array([]), np.zeros((5, 0))).estimate)


def test_wilson_equals_statsmodels():
    from statsmodels.stats.proportion import proportion_confint

    assert wilson(29, 30) == pytest.approx(proportion_confint(29, 30, method="wilson"))


def test_strata_are_resampled_within():
    strata = np.array([0] * 3 + [1] * 7)
    w = resampling_weights(10, 50, np.random.default_rng(0), strata)
    assert (w[:, :3].sum(axis=1) == 3).all() and (w.sum(axis=1) == 10).all()


def test_midranks_equal_scipy():
    x = np.random.default_rng(0).integers(0, 9, 50).astype(float)
    np.testing.assert_array_equal(midranks(x), stats.rankdata(x))


def test_rank_intervals_and_first_place():
    better = {("a", "c"): True, ("c", "a"): False, ("a", "b"): False, ("b", "a"): False}
    assert rank_intervals(["a", "b", "c"], better) == {"a": (1, 2), "b": (1, 3), "c": (2, 3)}
    values = np.column_stack([np.ones(5), np.zeros(5), np.ones(5)])
    np.testing.assert_allclose(share_first(values, weights(5)), [0.5, 0, 0.5])


def test_image_wins_equals_mann_whitney():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, (6, 9)).astype(float), rng.integers(0, 5, (6, 7)).astype(float)
    expected = [stats.mannwhitneyu(x, y).statistic / 63 for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(image_wins(a, b), expected)
    np.testing.assert_allclose(image_wins(a, b, higher_is_better=False), 1 - np.array(expected))
    a[0, :8] = np.nan
    a[1] = np.nan
    wins = image_wins(a, b)
    assert wins[0] == pytest.approx(np.mean([(a[0, 8] > y) + (a[0, 8] == y) / 2 for y in b[0]]))
    assert np.isnan(wins[1])


def test_one_image_scored_in_two_batches_is_a_tie():
    a = np.array([[0.7, 0.2]])
    assert image_wins(a, a + np.array([3e-7, -3e-7])).tolist() == [0.5]
    assert image_wins(a, a - 0.01).tolist() == [0.75]


def test_users_whose_values_differ_by_rounding_prefer_neither():
    a = np.repeat([[0.1 + 0.2, 0.5]], 8, axis=0)
    b = np.repeat([[0.3, 0.4]], 8, axis=0)
    equal, better = (paired_differences(a[:, k], b[:, k])[:, None] for k in range(2))
    result = compare(equal, weights(8), Rules(255, 0.05, 0.02), np.random.default_rng(0))[0]
    assert result.verdict == "identical" and result.prefer[0] == 0.5
    assert compare(better, weights(8), Rules(255, 0.05, 0.02), np.random.default_rng(0))[0].prefer[0] == 1
    assert np.isnan(paired_differences(np.array([np.nan, 1.0]), np.ones(2))).tolist() == [True, False]


def test_flips_agree_with_the_t_test_where_it_holds():
    for seed in range(10):
        d = np.random.default_rng(seed).normal(0.2, 1, 60)
        (result,) = sign_flips(d[:, None], 9999, np.random.default_rng(0))
        assert result.p == pytest.approx(stats.ttest_1samp(d, 0).pvalue, abs=0.02)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(6, 10))
def test_enumerated_p_ignores_order_scale_and_sign(seed, users):
    rng = np.random.default_rng(seed)
    d = rng.normal(0.3, 1, size=(users, 2))
    tests = sign_flips(d, 2**users, rng)
    assert tests[0].enumerated
    assert sign_flips(-7 * d[rng.permutation(users)], 2**users, rng) == tests


def test_an_infinite_difference_is_refused():
    with pytest.raises(ValueError, match="infinite"):
        compare(np.full((8, 1), np.inf), weights(8), Rules(99, 0.05), np.random.default_rng(0))
