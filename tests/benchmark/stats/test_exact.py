"""Sums do not depend on the order of adding, and rounding does not decide what is equal."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.stats.exact import resampled_means, whole_products
from rebeca.ties import best_first, direction, is_highest, levels, size_of


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(-200, 200))
def test_products_are_the_exact_sums_rounded_once(seed, n, power):
    rng = np.random.default_rng(seed)
    counts = rng.integers(-3, 4, (4, n))
    values = rng.normal(size=n) * 10.0 ** rng.integers(-6, 1, n) * 2.0**power
    products = whole_products(counts, values)
    for row, product in zip(counts.tolist(), products.tolist(), strict=True):
        exact = sum((c * Fraction(v) for c, v in zip(row, values.tolist(), strict=True)), Fraction(0))
        assert product == float(exact)


@given(st.integers(0, 2**32 - 1))
def test_products_are_the_same_bits_in_any_order(seed):
    rng = np.random.default_rng(seed)
    counts, values = rng.integers(0, 9, (7, 90)), rng.normal(size=(90, 3))
    order = rng.permutation(90)
    np.testing.assert_array_equal(whole_products(counts, values), whole_products(counts[:, order], values[order]))
    np.testing.assert_array_equal(whole_products(counts, values)[:, 1], whole_products(counts, values[:, 1]))


def test_products_of_nothing():
    assert whole_products(np.zeros((2, 0), int), np.zeros((0, 3))).tolist() == [[0, 0, 0]] * 2
    assert whole_products(np.ones((1, 4), int), np.zeros(4)).tolist() == [0]


def test_means_of_draws_leave_out_draws_of_nobody():
    weights, values = np.array([[2, 1], [0, 0], [0, 1]]), np.array([[0.1, 1.0], [0.4, 4.0]])
    np.testing.assert_allclose(resampled_means(weights, values), [[0.2, 2.0], [0.4, 4.0]], rtol=1e-15)
    np.testing.assert_array_equal(resampled_means(weights, values[:, 1]), [2.0, 4.0])


def test_levels_part_what_differs_and_tie_what_rounds():
    assert levels(np.array([0.3, -1.0, 0.1 + 0.2, 2.0])).tolist() == [1, 0, 1, 2]
    assert levels(np.array([1.0, 1.0 + 2e-9, 1.0 + 4e-9])).tolist() == [0, 1, 2]
    assert levels(np.array([np.nan, 5.0, np.inf, -np.inf, np.inf])).tolist() == [3, 1, 2, 0, 2]
    assert levels(np.array([])).tolist() == [] and levels(np.zeros(2)).tolist() == [0, 0]
    assert levels(np.array([0.5, 0.5 + 3e-7]), 1e-6).tolist() == [0, 0]


def test_no_grid_parts_two_equal_numbers():
    """Rounding to digits would, where the two lie on either side of a half."""
    rng = np.random.default_rng(0)
    values = np.concatenate([np.arange(1000) * 1e-9 + 0.5e-9, rng.random(1000)])
    twice = levels(np.concatenate([values, values + rng.choice([-1e-16, 1e-16], 2000)]))
    assert (twice[:2000] == twice[2000:]).all()


def test_best_first_goes_by_position_where_tied():
    assert best_first(np.array([0.3, np.nan, 0.1 + 0.2, 0.9, 0.3])).tolist() == [3, 0, 2, 4, 1]
    assert best_first(-np.array([0.3, np.nan, 0.1 + 0.2, 0.9])).tolist() == [0, 2, 3, 1]


def test_directions_and_the_highest():
    values = np.array([0.1 + 0.2, 0.3, 0.1])
    assert direction(values - values[:, None], size_of(values)).tolist() == [[0, 0, -1], [0, 0, -1], [1, 1, 0]]
    assert np.isnan(direction(np.array([np.nan]), 1.0)).all()
    assert is_highest(np.array([values, [0.0, 1.0, 2.0]])).tolist() == [[True, True, False], [False, False, True]]
    assert size_of(np.array([np.nan, -3.0]), np.array([np.inf, 2.0])) == 3 and size_of(np.array([])) == 0


@pytest.mark.parametrize("tie", [1e-9, 1e-6])
def test_order_does_not_depend_on_rounding(tie):
    rng = np.random.default_rng(1)
    values = rng.integers(0, 20, 200) / 7
    shaken = values * (1 + rng.uniform(-1, 1, 200) * 1e-15)
    np.testing.assert_array_equal(best_first(values, tie), best_first(shaken, tie))
