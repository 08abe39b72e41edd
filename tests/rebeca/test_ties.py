"""Rounding decides neither an order nor a rank nor a count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rebeca.ties import TIE, TIE_OF_SCORES, best_first, direction, is_highest, levels, size_of

NAN, INF = np.nan, np.inf
WHOLE = arrays(np.float64, st.integers(1, 30), elements=st.integers(-50, 50).map(float))
"""Numbers that are either equal or at least a fiftieth of the largest apart."""
SEEDS = st.integers(0, 2**32 - 1)


def rounded_otherwise(values, seed):
    """The same numbers as another processor would add them up: their last digits differ."""
    noise = np.random.default_rng(seed).uniform(-1e-13, 1e-13, values.shape)
    return values + noise * size_of(values)


@pytest.mark.parametrize(
    ("arrays", "size"),
    [
        ([], 0.0),
        ([[]], 0.0),
        ([[NAN, INF]], 0.0),
        ([[1.0, -3.0, 2.0]], 3.0),
        ([[1.0, NAN], [-INF, -2.0]], 2.0),
        ([[[1.0], [4.0]], [3.0]], 4.0),
    ],
)
def test_the_size_is_the_largest_finite_absolute_value(arrays, size):
    assert size_of(*(np.array(values, float) for values in arrays)) == size


def test_a_difference_within_the_tie_has_no_direction():
    differences = np.array([[2.0, 2e-9, -2e-9], [-2.1e-9, 0.0, NAN]])
    expected = [[1.0, 0.0, 0.0], [-1.0, 0.0, NAN]]
    np.testing.assert_array_equal(direction(differences, 2.0), expected)
    np.testing.assert_array_equal(direction(differences, 1.0), [[1.0, 1.0, -1.0], [-1.0, 0.0, NAN]])
    np.testing.assert_array_equal(direction(np.array([1e-7, 1e-5]), 1.0, TIE_OF_SCORES), [0.0, 1.0])


def test_only_equal_numbers_tie_where_all_are_zero():
    np.testing.assert_array_equal(direction(np.array([0.0, 1e-300]), 0.0), [0.0, 1.0])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([5.0], [0]),
        ([3.0, 1.0, 2.0, 1.0], [2, 0, 1, 0]),
        ([0.1 + 0.2, 0.3, 0.4], [0, 0, 1]),
        ([1.0, NAN, 0.0, NAN], [1, 2, 0, 2]),
        ([INF, -INF, 0.0, INF], [2, 0, 1, 2]),
        ([NAN, INF], [1, 0]),
        ([NAN, NAN], [0, 0]),
        ([0.0, -0.0], [0, 0]),
    ],
)
def test_levels_by_hand(values, expected):
    result = levels(np.array(values))
    assert result.tolist() == expected
    assert result.dtype == np.int64


def test_neighbours_tie_in_a_chain():
    """Each step is within the tie and the ends are not: no grid of buckets parts two neighbours."""
    chain = 1.0 + np.arange(5) * 0.8e-9
    assert levels(chain).tolist() == [0] * 5
    assert levels(chain[[0, 4]]).tolist() == [0, 1]


def test_the_tie_is_a_share_of_the_largest_number():
    assert levels(np.array([1.0, 1.0 + 1e-8])).tolist() == [0, 1]
    assert levels(np.array([1.0, 1.0 + 1e-8, 100.0])).tolist() == [0, 0, 1]
    assert levels(np.array([1.0, 1.0 + 5e-7]), TIE_OF_SCORES).tolist() == [0, 0]


@given(WHOLE)
def test_levels_of_distinct_numbers_are_their_dense_ranks(values):
    np.testing.assert_array_equal(levels(values), np.unique(values, return_inverse=True)[1])


@given(WHOLE, SEEDS)
def test_levels_follow_their_values_wherever_these_stand(values, seed):
    order = np.random.default_rng(seed).permutation(len(values))
    np.testing.assert_array_equal(levels(values[order]), levels(values)[order])


@given(WHOLE, SEEDS)
def test_rounding_changes_no_level_no_order_and_no_highest(values, seed):
    other = rounded_otherwise(values, seed)
    np.testing.assert_array_equal(levels(other), levels(values))
    np.testing.assert_array_equal(best_first(other), best_first(values))
    np.testing.assert_array_equal(is_highest(other), is_highest(values))


@given(WHOLE, st.sampled_from([2.0**-40, 0.5, 4.0, 2.0**40]))
def test_the_unit_of_the_numbers_plays_no_part(values, unit):
    np.testing.assert_array_equal(levels(values * unit), levels(values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([1.0, 3.0, 2.0], [1, 2, 0]),
        ([2.0, 3.0, 2.0, 3.0], [1, 3, 0, 2]),
        ([0.3, 0.1 + 0.2], [0, 1]),
        ([NAN, 1.0, NAN, 2.0], [3, 1, 0, 2]),
        ([-INF, NAN, INF], [2, 0, 1]),
    ],
)
def test_best_first_by_hand(values, expected):
    assert best_first(np.array(values)).tolist() == expected


@given(WHOLE)
def test_best_first_is_a_stable_sort_downwards(values):
    expected = sorted(range(len(values)), key=lambda position: -values[position])
    assert best_first(values).tolist() == expected


@given(WHOLE, SEEDS)
def test_nan_goes_last_in_its_own_order(values, seed):
    unknown = np.random.default_rng(seed).random(len(values)) < 0.5
    order = best_first(np.where(unknown, NAN, values))
    known = int((~unknown).sum())
    assert order[known:].tolist() == np.flatnonzero(unknown).tolist()
    assert (np.diff(values[order[:known]]) <= 0).all()


def test_the_highest_of_each_row_and_what_ties_with_it():
    values = np.array([[1.0, 1.0 - 0.5 * TIE, 0.9], [-1.0, -0.5, -0.7], [0.0, 0.0, 0.0]])
    expected = [[True, True, False], [False, True, False], [True, True, True]]
    assert is_highest(values).tolist() == expected
    assert is_highest(values[0], tie=0.0).tolist() == [True, False, False]


@given(WHOLE)
def test_the_highest_is_what_stands_on_the_top_level(values):
    places = levels(values)
    np.testing.assert_array_equal(is_highest(values), places == places.max())
