"""Whether a mean fell: the level where nothing changed, power, and agreement with scipy's tests."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark.stats.change import SMALLEST_P, change

NO_FITS = (np.array([]), np.array([]))
LEVEL = 0.05


def values(rng, n=32, mean=0.5):
    return rng.normal(mean, 0.2, n)


@given(st.integers(0, 10_000))
def test_without_fits_it_is_the_paired_t_test(seed):
    rng = np.random.default_rng(seed)
    before, after = values(rng), values(rng)
    result = change(before, after, NO_FITS)
    expected = stats.ttest_rel(after, before, alternative="less")
    assert result.p == pytest.approx(expected.pvalue, rel=1e-9)
    both = stats.ttest_rel(after, before).confidence_interval()
    assert (result.low, result.high) == pytest.approx((both.low, both.high))


@given(st.integers(0, 10_000))
def test_of_other_users_it_is_welchs(seed):
    rng = np.random.default_rng(seed)
    before, after = values(rng, 20), 3 * values(rng, 31)
    result = change(before, after, NO_FITS, paired=False)
    expected = stats.ttest_ind(after, before, equal_var=False, alternative="less")
    assert result.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert (result.difference, result.users) == (pytest.approx(after.mean() - before.mean()), 31)


def test_users_without_a_value_in_both_runs_do_not_count():
    rng = np.random.default_rng(0)
    before, after = values(rng), values(rng)
    before[3], after[7] = np.nan, np.nan
    known = np.delete(np.arange(32), [3, 7])
    assert change(before, after, NO_FITS) == change(before[known], after[known], NO_FITS)


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_the_level_is_kept_with_and_without_variance_between_fits(spread):
    rng, rejected, runs = np.random.default_rng(1), 0, 2000
    for _ in range(runs):
        taste = rng.normal(0.5, 0.2, 32)
        means, both = [], []
        for _ in range(2):
            fits = rng.normal(0, spread, 3)[:, None] + taste + rng.normal(0, 0.1, (3, 32))
            means.append(fits.mean(axis=0))
            both.append(fits.mean(axis=1))
        rejected += change(*means, tuple(both)).p <= LEVEL
    assert rejected / runs <= LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / runs)


def test_variance_between_fits_widens_the_interval():
    rng = np.random.default_rng(2)
    before, after = values(rng), values(rng)
    fits = np.array([0.4, 0.5, 0.6]), np.array([0.45, 0.5, 0.55])
    narrow, wide = change(before, after, NO_FITS), change(before, after, fits)
    assert wide.difference == narrow.difference
    assert wide.low < narrow.low and wide.high > narrow.high


def test_a_fall_within_the_margin_counts_as_none():
    rng = np.random.default_rng(3)
    before = values(rng, 200)
    after = before - 0.05 + rng.normal(0, 0.01, 200)
    assert change(before, after, NO_FITS).p < 1e-6
    assert change(before, after, NO_FITS, margin=0.1).p > 0.99


def test_a_rise_is_never_a_fall():
    before = values(np.random.default_rng(4))
    assert change(before, before + 0.1, NO_FITS).p == 1
    assert change(before, before + 0.1, NO_FITS).difference == pytest.approx(0.1)


@pytest.mark.parametrize(("shift", "p"), [(0.0, 1.0), (-0.3, SMALLEST_P)])
def test_values_without_any_spread(shift, p):
    before = values(np.random.default_rng(5))
    result = change(before, before + shift, NO_FITS)
    assert result.p == p
    assert result.low == pytest.approx(shift) and result.high == pytest.approx(shift)


@pytest.mark.parametrize("paired", [True, False])
def test_two_users_say_nothing(paired):
    with pytest.raises(ValueError, match="fewer than 3 users"):
        change(np.ones(2), np.zeros(2), NO_FITS, paired=paired)
