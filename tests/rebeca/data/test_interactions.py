"""Ratings, likes and shares of ratings."""

import numpy as np
import pytest

from rebeca.data.interactions import like
from rebeca.data.splits import Part
from rebeca.errors import DataError
from tests.builders import interactions


def test_user_median_comes_from_training_ratings():
    train = interactions([0, 0, 0], [0, 1, 2], [1, 2, 3])
    rows = interactions([0, 0], [3, 4], [2, 3], items=5)
    assert like(rows, "user-median", train).liked.tolist() == [False, True]
    with pytest.raises(DataError, match="user-median"):
        like(interactions([1], [0], [3], users=2), "user-median", interactions([0], [0], [1], users=2))


def test_smaller_shares_of_ratings_are_parts_of_larger_ones():
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(5), [1, 2, 7, 20, 30])
    train = interactions(user, rng.permutation(60), rng.integers(1, 8, 60), users=6)
    part = Part(train, train.where(np.zeros(60, bool)))
    kept = [{*zip(t.user, t.item, strict=True)} for t in (part.thinned(s, 3).train for s in (0.1, 0.5, 1.0))]
    assert kept[0] < kept[1] < kept[2]
    assert len(kept[2]) == 60
    assert part.thinned(0.5, 3).train.ratings_per_user().tolist() == [1, 1, 4, 10, 15, 0]
    assert {*zip(*[iter(part.thinned(0.5, 4).train.item)], strict=True)} != {(i,) for _, i in kept[1]}
    assert len(part.thinned(0.5, 3).validation) == 0


def test_means_and_table():
    ratings = interactions([0, 0, 1], [0, 2, 2], [2, 4, 7], users=3, items=4)
    assert np.array_equal(ratings.user_mean(), [3, 7, np.nan], equal_nan=True)
    assert np.array_equal(ratings.item_mean(), [2, np.nan, 5.5, np.nan], equal_nan=True)
    table = np.full((3, 4), np.nan)
    table[0, 0], table[0, 2], table[1, 2] = 2, 4, 7
    assert np.array_equal(ratings.matrix(), table, equal_nan=True)
    assert ratings.where(ratings.user == 0).rating.tolist() == [2, 4]
    assert ratings.where(np.array([2, 0])).rating.tolist() == [7, 2]


def test_medians_need_ratings_of_everybody():
    ratings = interactions([0, 1], [0, 0], [2, 4])
    with pytest.raises(DataError, match="1 of 2 have none, the first is 'u1'"):
        like(ratings, "user-median", ratings.where(ratings.user == 0))
    assert like(ratings, 4).liked.tolist() == [False, True]
