"""Degrees of freedom of sums of variances, and sizes that are found with 80 % power."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark.stats.levels import detectable
from benchmark.stats.student import detectable_errors, satterthwaite, two_sided_p

VARIANCES = st.floats(1e-3, 1e3)


def test_two_samples_have_the_degrees_of_welchs_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 12), rng.normal(0.5, 3, 20)
    parts = np.array(a.var(ddof=1) / 12), np.array(b.var(ddof=1) / 20)
    degrees = satterthwaite(parts, (11, 19), parts[0] + parts[1])
    welch = stats.ttest_ind(a, b, equal_var=False)
    assert degrees == pytest.approx(welch.df)
    t = (a.mean() - b.mean()) / np.sqrt(parts[0] + parts[1])
    assert two_sided_p(t, degrees) == pytest.approx(welch.pvalue)


@given(VARIANCES, VARIANCES, st.integers(1, 50), st.integers(1, 50))
def test_degrees_lie_between_the_fewer_and_the_sum(a, b, first, second):
    degrees = float(satterthwaite((np.array(a), np.array(b)), (first, second), np.array(a + b)))
    assert min(first, second) * (1 - 1e-9) <= degrees <= (first + second) * (1 + 1e-9)


def test_what_does_not_vary_has_infinite_degrees():
    assert satterthwaite((np.zeros(1), np.zeros(1)), (3, 4), np.zeros(1)).tolist() == [np.inf]
    assert satterthwaite((np.ones(1), np.zeros(1)), (3, 4), np.ones(1)).tolist() == [3.0]


def test_many_degrees_and_one_pair_give_the_normal_sizes():
    assert detectable_errors(0.05, 1, np.inf) == pytest.approx(detectable(0.05), abs=0.005)
    assert detectable_errors(0.05, 11, 24) > detectable_errors(0.05, 11, np.inf) > detectable_errors(0.05, 1, np.inf)


@pytest.mark.parametrize(("comparisons", "degrees"), [(1, 8), (11, 24)])
def test_the_size_is_found_in_four_of_five_tries(comparisons, degrees):
    """With the noncentral t distribution, whose noncentrality is the size in standard errors."""
    size = detectable_errors(0.05, comparisons, degrees)
    power = stats.nct.sf(stats.t.ppf(1 - 0.025 / comparisons, degrees), degrees, size)
    assert power == pytest.approx(0.8, abs=0.03)
