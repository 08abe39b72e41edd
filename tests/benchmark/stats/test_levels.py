"""Power, equivalence and the smallest p."""

import numpy as np
import pytest
from scipy import stats

from benchmark.stats.comparison import Rules, compare
from benchmark.stats.intervals import resampling_weights
from benchmark.stats.levels import detectable, equivalent, smallest_p


def weights(n, draws=500):
    return resampling_weights(n, draws, np.random.default_rng(0))


def test_power_factors_follow_alpha():
    assert (detectable(0.05), equivalent(0.05)) == (2.80, 2.93)
    assert (detectable(0.01), equivalent(0.01)) == (3.42, 3.61)
    d = np.random.default_rng(8).normal(0.1, 1, (40, 1))
    both = [compare(d, weights(40), Rules(99, a), np.random.default_rng(0))[0].detectable for a in (0.05, 0.01)]
    assert both[1] / both[0] == pytest.approx(3.42 / 2.80)


def test_smallest_p():
    assert smallest_p(6, 9999) == 2 / 64
    assert smallest_p(40, 9999) == 1 / 10_000


def test_equivalence_is_two_one_sided_tests():
    from statsmodels.stats.weightstats import ttost_paired

    for seed in range(30):
        rng = np.random.default_rng(seed)
        a = rng.normal(size=25)
        b = a + rng.normal(size=25) * 0.1 + rng.normal() * 0.05
        (result,) = compare((a - b)[:, None], weights(25), Rules(499, 0.05, 0.08), rng)
        p, *_ = ttost_paired(a, b, -0.08, 0.08)
        assert (p < 0.05) == (result.inner.low > -0.08 and result.inner.high < 0.08)


def test_effect_and_detectable_equal_statsmodels():
    from statsmodels.stats.power import TTestPower

    d = np.random.default_rng(1).normal(0.3, 1, 120)
    (result,) = compare(d[:, None], weights(120), Rules(499, 0.05), np.random.default_rng(0))
    t = stats.ttest_1samp(d, 0).statistic
    assert result.effect * np.sqrt(120) == pytest.approx(t)
    needed = TTestPower().solve_power(nobs=120, alpha=0.05, power=0.8) * d.std(ddof=1)
    assert result.detectable == pytest.approx(needed, rel=0.02)
