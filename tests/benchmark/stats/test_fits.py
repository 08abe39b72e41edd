"""Fits as a random factor: variances, draws, tests, intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmark.stats.comparison import Rules, compare, sign_flips
from benchmark.stats.fits import FitEffects, FittedValues, MeanSquare, PairEffects, bartlett, fit_effects
from benchmark.stats.intervals import mean_interval, resampling_weights, widened
from benchmark.stats.ranks import share_first
from rebeca.arrays import Floats

DRAWS = 999


def simulated(rng: np.random.Generator, fits: int, users: int, sd_fits: float, sd_users: float = 0.1) -> Floats:
    """float64 [fits, users] of one generator."""
    values = rng.normal(0, sd_fits, (fits, 1)) + rng.normal(0, sd_users, users) + rng.normal(0, 0.1, (fits, users))
    return np.asarray(values, np.float64)


def family(
    rng: np.random.Generator, generators: int, fits: int, users: int, sd: float, use: str = "m"
) -> list[FittedValues]:
    return [
        FittedValues(f"g{g}", use, tuple(f"{g}-{f}" for f in range(fits)), simulated(rng, fits, users, sd))
        for g in range(generators)
    ]


def effects_of(generators: list[FittedValues], draws: int = DRAWS) -> FitEffects:
    return fit_effects(generators, draws, "test")


def test_variance_between_fits_is_that_of_a_two_way_analysis_of_variance() -> None:
    generators = family(np.random.default_rng(0), 5, 3, 40, 0.05)
    (variance,) = effects_of(generators).procedures.values()
    sums = noise = 0.0
    for each in generators:
        v = each.values
        sums += 40 * ((v.mean(axis=1) - v.mean()) ** 2).sum()
        noise += sum((v[f, u] - v[f].mean() - v[:, u].mean() + v.mean()) ** 2 for f in range(3) for u in range(40))
    assert variance.total.degrees == 10
    assert variance.total.value == pytest.approx(sums / 10 / 40)
    assert variance.total.noise == pytest.approx(noise / (10 * 39) / 40)
    assert variance.shared is None


def test_variance_between_fits_is_estimated_without_bias() -> None:
    rng = np.random.default_rng(1)
    (variance,) = effects_of(family(rng, 400, 3, 50, 0.03)).procedures.values()
    assert variance.total.variance == pytest.approx(0.03**2, rel=0.15)
    (nothing,) = effects_of(family(rng, 400, 3, 50, 0.0)).procedures.values()
    assert nothing.total.variance < 0.1 * nothing.total.noise


def test_generators_that_share_their_fits_are_compared_within_them() -> None:
    rng = np.random.default_rng(2)
    generators = []
    for group in range(60):
        common = rng.normal(0, 0.2, (3, 1))
        keys = tuple(f"{group}-{f}" for f in range(3))
        generators += [
            FittedValues(f"g{group}-{member}", "m", keys, common + simulated(rng, 3, 30, 0.02)) for member in "ab"
        ]
    effects = effects_of(generators)
    (variance,) = effects.procedures.values()
    assert variance.total.degrees == 120 and variance.shared is not None and variance.shared.degrees == 120
    assert variance.shared.variance == pytest.approx(0.02**2, rel=0.6)
    assert variance.total.variance == pytest.approx(0.2**2 + 0.02**2, rel=0.3)
    within, between = effects.draws[:, 0] - effects.draws[:, 1], effects.draws[:, 0] - effects.draws[:, 2]
    assert within.std() < between.std() / 4
    assert effects.variances[0, 1] < effects.variances[0, 2] / 20


def test_a_generator_with_one_fit_has_no_effect() -> None:
    rng = np.random.default_rng(3)
    retrieval = FittedValues("r", "catalogue", ("only",), simulated(rng, 3, 20, 0.0))
    effects = effects_of([*family(rng, 2, 3, 20, 0.1), retrieval])
    assert not effects.draws[:, 2].any() and effects.draws[:, :2].all()
    assert effects.variances[2, 2] == 0.0 and effects.variances[0, 2] == effects.variances[0, 0] > 0
    assert set(effects.procedures) == {"m"}
    assert effects_of([retrieval]).pairs(np.array([0]), np.array([0])) is None
    assert retrieval.spread is None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 5), st.integers(2, 4))
def test_draws_do_not_depend_on_the_order_of_generators(seed: int, fits: int, generators: int) -> None:
    family_ = family(np.random.default_rng(seed), generators, fits, 10, 0.1)
    forwards, backwards = effects_of(family_, 20), effects_of(family_[::-1], 20)
    np.testing.assert_allclose(forwards.draws, backwards.draws[:, ::-1], rtol=1e-9)
    np.testing.assert_allclose(forwards.variances, backwards.variances[::-1, ::-1], rtol=1e-9)


def test_users_without_a_value_in_some_fit_say_nothing_about_fits() -> None:
    (own,) = family(np.random.default_rng(4), 1, 3, 12, 0.1)
    extra = np.hstack([own.values, np.array([[9.0], [np.nan], [9.0]])])
    more = FittedValues(own.id, own.procedure, own.keys, extra)
    assert effects_of([own]).procedures["m"].total == effects_of([more]).procedures["m"].total
    assert more.spread == own.spread == pytest.approx(own.values.mean(axis=1).std(ddof=1))


def test_draws_have_the_tails_of_students_t() -> None:
    """Without noise, a draw over its estimated error has Student's t with the pooled degrees of freedom."""
    square = MeanSquare(4.0, 0.0, 6)
    rng = np.random.default_rng(5)
    t = rng.standard_normal(200_000) * np.sqrt(square.draws(200_000, rng)) / 2.0
    assert np.quantile(np.abs(t), 0.95) == pytest.approx(stats.t.ppf(0.975, 6), rel=0.02)


def test_bartlett_agrees_with_scipy() -> None:
    rng = np.random.default_rng(6)
    samples = [rng.normal(0, 1 + g, 4) for g in range(4)]
    squares = [MeanSquare(float(x.var(ddof=1)), 0.0, 3) for x in samples]
    assert bartlett(squares) == pytest.approx(stats.bartlett(*samples).pvalue)
    assert bartlett(squares[:1]) is None
    assert bartlett([MeanSquare(0.0, 0.0, 2), MeanSquare(0.0, 0.0, 2)]) is None
    constant = bartlett([MeanSquare(0.0, 0.0, 2), MeanSquare(1.0, 0.0, 2)])
    assert constant is not None and 0 < constant < 0.001


def test_without_effects_flips_are_as_before() -> None:
    rng = np.random.default_rng(7)
    d = rng.normal(0.1, 1, (40, 3))
    plain = sign_flips(d, 499, np.random.default_rng(0))
    none = fit_effects([FittedValues("a", "m", ("k",), d.T[:1]), FittedValues("b", "m", ("k2",), d.T[1:2])], 499, "x")
    assert none.pairs(np.array([0]), np.array([1])) is None
    assert sign_flips(d, 499, np.random.default_rng(0), None) == plain


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(6, 40))
def test_effects_of_no_size_change_no_test(seed: int, users: int) -> None:
    d = np.random.default_rng(seed).normal(0.2, 1, (users, 3))
    flips = 2**users - 1 if users < 9 else 299  # never enumerated
    nothing = PairEffects(np.zeros((flips, 3)), np.zeros(3))
    plain = sign_flips(d, flips, np.random.default_rng(0))
    assert sign_flips(d, flips, np.random.default_rng(0), nothing) == plain
    d[0, 0] = np.nan  # pairs with other numbers of users are in other units within the family
    plain = sign_flips(d, flips, np.random.default_rng(0))
    assert [test.p for test in sign_flips(d, flips, np.random.default_rng(0), nothing)] == [test.p for test in plain]


def detections(strangers: int, fits: int, runs: int = 60) -> int:
    """In how many leaderboards the one better of 6 methods is found, beside some that are fitted in other ways."""
    rng, hits = np.random.default_rng(12), 0
    for _ in range(runs):
        members = family(rng, 6, fits, 60, 0.02)
        members += [
            FittedValues(
                f"s{n}", f"stranger {n}", tuple(f"s{n}-{f}" for f in range(fits)), simulated(rng, fits, 60, 0.02)
            )
            for n in range(strangers)
        ]
        values = np.stack([each.values.mean(axis=0) for each in members])
        values[1] += 0.1
        first, second = np.zeros(len(members) - 1, np.int64), np.arange(1, len(members))
        pairs = effects_of(members, 499).pairs(first, second)
        tests = sign_flips((values[first] - values[second]).T, 499, rng, pairs)
        hits += tests[0].p_max_t <= 0.05
    return hits


def test_generators_that_pool_with_nobody_take_little_power_from_the_others() -> None:
    alone = detections(0, 2)
    assert alone >= 30
    assert detections(3, 2) >= 0.7 * alone


def test_equal_differences_can_be_tested() -> None:
    effects = PairEffects(np.random.default_rng(0).normal(0, 0.1, (499, 2)), np.array([0.01, 0.0]))
    effects.draws[:, 1] = 0.0
    far, constant = sign_flips(np.full((8, 2), 1.0), 499, np.random.default_rng(1), effects)
    assert max(far.p, constant.p) < 0.03  # all signs are alike in one of 128 flips
    near, nothing = sign_flips(np.tile([0.01, 0.0], (8, 1)), 499, np.random.default_rng(1), effects)
    assert near.p > 0.8 and nothing.p == 1.0


def test_few_users_tell_methods_apart_whose_fits_vary_much() -> None:
    rng, hits = np.random.default_rng(11), 0
    for _ in range(40):
        members = family(rng, 4, 5, 8, 0.3)
        values = np.stack([each.values.mean(axis=0) for each in members])
        pairs = effects_of(members, 299).pairs(np.array([0]), np.array([1]))
        (test,) = sign_flips((values[0] - values[1] + 1.0)[:, None], 299, rng, pairs)
        hits += test.p <= 0.05
    assert hits >= 36


def rejections(sd_fits: float, use_fits: bool, runs: int = 300, generators: int = 4, fits: int = 3) -> float:
    """Share of leaderboards of equal methods with a verdict; every pair is compared."""
    rng = np.random.default_rng(8)
    first, second = np.triu_indices(generators, 1)
    hits = 0
    for _ in range(runs):
        members = family(rng, generators, fits, 30, sd_fits)
        values = np.stack([each.values.mean(axis=0) for each in members])
        pairs = effects_of(members, 199).pairs(first, second) if use_fits else None
        tests = sign_flips((values[first] - values[second]).T, 199, rng, pairs)
        hits += min(test.p_max_t for test in tests) <= 0.05
    return hits / runs


def test_equal_methods_are_told_apart_only_if_fits_are_ignored() -> None:
    assert rejections(0.08, use_fits=True) <= 0.085  # .05 and three standard errors of 300 runs
    assert rejections(0.08, use_fits=False) > 0.3


def test_intervals_of_a_difference_cover_the_methods() -> None:
    rng = np.random.default_rng(9)
    weights, covered, alone = resampling_weights(30, 199, rng), 0, 0
    for _ in range(200):
        members = family(rng, 3, 3, 30, 0.05)
        values = np.stack([each.values.mean(axis=0) for each in members])
        d = (values[0] - values[1])[:, None]
        pairs = effects_of(members, 399).pairs(np.array([0]), np.array([1]))
        (result,) = compare(d, weights, Rules(399, 0.05), rng, fits=pairs)
        covered += result.difference.low <= 0 <= result.difference.high
        alone += abs(d.mean()) <= mean_interval(d[:, 0], weights).high - d.mean()
        assert result.detectable is not None and pairs is not None
        assert result.detectable == pytest.approx(2.8 * np.sqrt(d.var(ddof=1) / 30 + pairs.variances[0]))
    assert covered >= 184 and alone < 170


def test_widened_intervals() -> None:
    interval = mean_interval(np.arange(10.0), resampling_weights(10, 99, np.random.default_rng(0)))
    assert widened(interval, 0.0) is interval
    wide = widened(interval, 2.0)
    assert wide.high - 4.5 == pytest.approx(np.hypot(interval.high - 4.5, 2.0)) == pytest.approx(4.5 - wide.low)
    assert widened(interval, 100.0, (0.0, 9.0)).low == 0.0


def test_first_places_take_fits_into_account() -> None:
    values = np.tile([1.0, 0.9], (20, 1))
    weights = resampling_weights(20, 4000, np.random.default_rng(0))
    assert share_first(values, weights).tolist() == [1.0, 0.0]
    effects = np.random.default_rng(1).normal(0, 0.1, (4000, 2))
    share = share_first(values, weights, effects)
    assert share[0] == pytest.approx(stats.norm.cdf(0.1 / np.sqrt(0.02)), abs=0.03)
