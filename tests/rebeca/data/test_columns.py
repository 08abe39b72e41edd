"""Columns of a Python caller: what is accepted, and which row is named where something is not."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebeca.data.columns import finite_rows, index_of, read_columns
from rebeca.errors import DataError, SpecError

TABLE = np.arange(12, dtype=np.float64).reshape(4, 3)
rows = st.integers(0, 5)


def columns(**changed):
    return {
        "users": ["b", "a", "b", "a", "c", "b"],
        "items": np.array([0, 1, 2, 3, 0, 1]),
        "likes": np.array([True, False, True, True, False, True]),
        "embeddings": TABLE,
        **changed,
    }


def test_users_are_numbered_in_ascending_order():
    ids, ratings, table = read_columns(**columns())
    assert ids == ratings.user_ids == ("a", "b", "c")
    np.testing.assert_array_equal(ratings.user, [1, 0, 1, 0, 2, 1])
    np.testing.assert_array_equal(ratings.rating, ratings.liked)
    assert ratings.num_items == 4 and table.dtype == np.float32
    np.testing.assert_array_equal(table, TABLE)


def test_whole_numbers_stay_whole_numbers():
    ids, ratings, _ = read_columns(**columns(users=np.array([10, 9, 10, 9, 100, 10])))
    assert ids == (9, 10, 100) and all(type(user) is int for user in ids)
    np.testing.assert_array_equal(ratings.user, [1, 0, 1, 0, 2, 1])


def test_graded_ratings_are_kept_beside_likes():
    _, ratings, _ = read_columns(**columns(ratings=[5, 1, 4, 4, 2, 3]))
    np.testing.assert_array_equal(ratings.rating, [5, 1, 4, 4, 2, 3])
    assert ratings.liked.tolist() == columns()["likes"].tolist()


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Series], ids=lambda kind: kind.__name__)
def test_columns_may_be_of_any_kind(kind):
    given = {name: kind(list(column)) for name, column in columns().items() if name != "embeddings"}
    ids, ratings, _ = read_columns(**given, embeddings=TABLE)
    expected_ids, expected, _ = read_columns(**columns())
    assert ids == expected_ids
    for name in ("user", "item", "liked", "rating"):
        np.testing.assert_array_equal(getattr(ratings, name), getattr(expected, name))


def test_likes_may_be_zeros_and_ones():
    _, ratings, _ = read_columns(**columns(likes=[1, 0, 1, 1, 0, 1]))
    assert ratings.liked.dtype == bool and ratings.liked.tolist() == columns()["likes"].tolist()


@given(row=rows, item=st.integers(4, 99) | st.integers(-99, -1))
def test_a_row_without_an_item_is_named(row, item):
    items = columns()["items"]
    items[row] = item
    with pytest.raises(DataError, match=f"items: row {row} holds {item}, which is no row of embeddings, which has 4"):
        read_columns(**columns(items=items))


@given(row=rows, like=st.sampled_from([2, 5, -1, 0.5, float("nan")]))
def test_a_like_that_is_none_is_named(row, like):
    likes = columns()["likes"].astype(float)
    likes[row] = like
    with pytest.raises(DataError, match=f"likes: row {row} holds {float(like)}, which is neither true nor false"):
        read_columns(**columns(likes=likes))


@given(row=rows, rating=st.sampled_from([float("nan"), float("inf"), -float("inf")]))
def test_a_rating_that_is_not_finite_is_named(row, rating):
    ratings = np.ones(6)
    ratings[row] = rating
    with pytest.raises(DataError, match=f"ratings: row {row} holds {rating}, which is not a finite number"):
        read_columns(**columns(ratings=ratings))


@given(row=st.integers(0, 3), column=st.integers(0, 2), value=st.sampled_from([float("nan"), float("inf"), 1e300]))
def test_an_embedding_that_is_not_finite_is_named(row, column, value):
    table = TABLE.copy()
    table[row, column] = value
    with pytest.raises(DataError, match=f"embeddings: row {row} holds a number that is not finite"):
        read_columns(**columns(embeddings=table))


@given(name=st.sampled_from(["users", "items", "likes"]), length=st.integers(0, 5))
def test_columns_of_other_lengths_are_named(name, length):
    short = columns()[name][:length]
    with pytest.raises(DataError, match=rf"one row per rating is needed.* {name} \[{length}\]"):
        read_columns(**columns(**{name: short}))


def test_no_ratings_and_two_dimensions_are_refused():
    nothing = {"users": [], "items": np.zeros(0, int), "likes": []}
    with pytest.raises(DataError, match="at least one"):
        read_columns(**columns(**nothing))
    with pytest.raises(DataError, match=r"items \[6, 1\]"):
        read_columns(**columns(items=columns()["items"][:, None]))
    with pytest.raises(DataError, match="items: expected whole numbers, rows of embeddings, found float64"):
        read_columns(**columns(items=np.ones(6)))


@pytest.mark.parametrize("users", [["a", 1, "b", "a", "c", "b"], [1.0] * 6, [True] * 6, [None] * 6, [1] * 5 + ["1"]])
def test_ids_of_other_kinds_are_refused(users):
    with pytest.raises(DataError, match=r"users: row \d holds .*\n  hint: ids are all texts or all whole numbers"):
        read_columns(**columns(users=users))


@pytest.mark.parametrize("table", [np.ones(3), np.ones((2, 2, 2)), np.ones((3, 0)), 1.0])
def test_what_is_no_table_is_refused(table):
    with pytest.raises(DataError, match="e: expected one row of numbers per image"):
        finite_rows(table, "e")


def test_users_are_looked_up():
    np.testing.assert_array_equal(index_of(np.array(["c", "a"]), ("a", "b", "c"), "prior"), [2, 0])
    np.testing.assert_array_equal(index_of(np.array([7]), (5, 7), "prior"), [1])
    assert index_of([], ("a",), "prior").dtype == np.int64


@pytest.mark.parametrize(
    ("asked", "known", "message"),
    [
        ("user-12", ("user-1", "user-112", "zoe"), "'user-12'\n  hint: the nearest id is 'user-112'"),
        ("zo", ("ann", "zoe"), "'zo'\n  hint: the nearest id is 'zoe'"),
        ("§", ("ann", "zoe"), "'§'\n  hint: the nearest id is"),
        ("7", (5, 7), "'7'\n  hint: the nearest id is 7"),
        (np.int64(8), (5, 78), "8\n  hint: the nearest id is 78"),
    ],
)
def test_an_unknown_user_names_the_nearest(asked, known, message):
    with pytest.raises(SpecError) as caught:
        index_of([known[0], asked], known, "prior")
    assert f"the prior was not trained on the user {message}" in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"users": "abcabc"}, "users: expected a list of ids, found a str"),
        ({"users": None}, "users: expected a list of ids, found a NoneType"),
        ({"items": [[1], [1, 2]]}, "items: expected an array of numbers, found a list"),
        ({"likes": ["yes"] * 6}, "likes: row 0 holds 'yes', which is neither true nor false"),
        ({"likes": [True] * 5 + [None]}, "likes: row 5 holds None, which is neither true nor false"),
        ({"likes": pd.Series([True] * 5 + [None], dtype="boolean")}, "likes: row 5 holds <NA>"),
        ({"likes": np.ones(6, complex)}, "likes: row 0 holds (1+0j)"),
        ({"ratings": ["good"] * 6}, "ratings: expected an array of numbers, found a list"),
        ({"embeddings": [["a", "b"]] * 4}, "embeddings: expected an array of numbers, found a list"),
        ({"embeddings": [[1, 2], [3]]}, "embeddings: expected an array of numbers, found a list"),
        ({"embeddings": {"a": 1}}, "embeddings: expected an array of numbers, found a dict"),
        ({"embeddings": TABLE + 1j}, "embeddings: expected an array of numbers, found a ndarray"),
        ({"embeddings": np.zeros((4, 3), "datetime64[s]")}, "embeddings: expected an array of numbers"),
    ],
)
def test_columns_of_other_types_are_named(given, message):
    with pytest.raises(DataError) as caught:
        read_columns(**columns(**given))
    assert message in str(caught.value)


def test_a_user_is_known_by_the_value_and_the_type():
    """1, 1.0 and True are equal in Python, and one of them is an id."""
    assert index_of([np.int32(2), 1], (1, 2), "model").tolist() == [1, 0]
    for stranger in (True, 1.0, "1", None, [1]):
        with pytest.raises(SpecError, match=r"not trained on the user .*\n  hint: the nearest id is"):
            index_of([stranger], (1, 2), "model")
    with pytest.raises(DataError, match=r"found a str\n  hint: write \[id\]"):
        index_of("ab", ("a", "b"), "model")
