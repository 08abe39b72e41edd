"""Which ratings count, and what is left out."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebeca.data.options import RatingRules
from rebeca.data.ratings import rating_checks, read_ratings
from rebeca.data.tables import Table
from rebeca.errors import DataError

ITEMS = ("i0", "i1", "i2")


def table(*rows):
    """Rows of user, item and rating, as of a file whose header is row 1."""
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    named = dict(zip(("user", "item", "rating"), map(list, columns), strict=True))
    return Table(named, np.arange(2, len(rows) + 2), Path("ratings.csv"))


def triples(ratings):
    return [
        (ratings.user_ids[u], ratings.item_ids[i], r)
        for u, i, r in zip(ratings.user, ratings.item, ratings.rating, strict=True)
    ]


def test_users_are_in_a_natural_order_and_rows_by_user_and_item():
    ratings, left_out = read_ratings(
        table(("10", "i1", "3"), ("b", "i0", "1"), ("9", "i2", "5"), ("10", "i0", "2")), ITEMS, (1, 5)
    )
    assert ratings.user_ids == ("9", "10", "b") and ratings.item_ids == ITEMS
    assert triples(ratings) == [("9", "i2", 5), ("10", "i0", 2), ("10", "i1", 3), ("b", "i0", 1)]
    assert list(left_out.sentences(RatingRules())) == []


@pytest.mark.parametrize(("rule", "rating"), [("first", 1), ("last", 3), ("mean", 2.5)])
def test_of_several_ratings_one_counts(rule, rating):
    rows = table(("a", "i1", "1"), ("b", "i0", "4"), ("a", "i1", "3.5"), ("a", "i1", "3"))
    ratings, left_out = read_ratings(rows, ITEMS, (1, 5), RatingRules(duplicates=rule))
    assert triples(ratings) == [("a", "i1", rating), ("b", "i0", 4)]
    assert left_out.duplicates == 2


def test_what_is_left_out_is_counted_and_said():
    rows = table(
        ("a", "i0", "1"), ("a", "i1", "99"), ("a", "x", "2"), ("a", "y", "99"), ("b", "i0", "3"), ("b", "i1", "4"),
        ("b", "x", "5"), ("b", "i1", "5"), ("c", "x", "3"),
    )  # fmt: skip
    rules = RatingRules("last", min_ratings=2, unlisted="drop", missing=(99,))
    ratings, left_out = read_ratings(rows, ITEMS, (1, 5), rules)
    assert triples(ratings) == [("b", "i0", 3), ("b", "i1", 5)] and ratings.user_ids == ("b",)
    assert list(left_out.sentences(rules)) == [
        "left out: 2 ratings with a value that stands for none",
        "left out: 3 ratings of 1 item ('x') not in the list",
        "left out: 1 rating of an item that the user rated before; the last one counts",
        "left out: 1 user with fewer than 2 ratings, 1 rating in all",
        "left out: 1 user none of whose ratings counts",
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "i0", "9")], "row 2: rating 9 is outside the declared scale 1 to 5"),
        ([("a", "i0", "1"), ("a", "x", "1"), ("b", "y", "1"), ("b", "x", "1")],
         "row 3: item 'x' is not listed; that concerns 3 ratings of 2 items ('x', 'y')"),
        ([("a", "i0", "1"), ("a", "i0", "1")], "row 3: user 'a' rated item 'i0' twice"),
        ([("a", "i0", "1"), ("a", "i0", "0"), ("a", "x", "2")],
         "row 3: rating 0 is outside the declared scale 1 to 5\n  row 3: user 'a' rated item 'i0' twice\n  row 4: "),
        ([], "no ratings"),
    ],
)  # fmt: skip
def test_the_first_rows_at_fault_are_named_in_the_order_of_the_file(rows, message):
    with pytest.raises(DataError, match=re.escape(f"ratings.csv: {message}")):
        read_ratings(table(*rows), ITEMS, (1, 5))


def test_a_scale_of_thirds_is_shown_exactly():
    with pytest.raises(DataError, match=r"outside the declared scale 0\.3333333333333333 to 5"):
        read_ratings(table(("a", "i0", "0.3")), ITEMS, (1 / 3, 5.0))


def test_nothing_left_says_why():
    with pytest.raises(DataError, match="no ratings are left") as raised:
        read_ratings(table(("a", "i0", "1")), ITEMS, (1, 5), RatingRules(min_ratings=2))
    assert "fewer than 2 ratings" in raised.value.hint


def test_checks_know_the_decimal_sign():
    point, comma = rating_checks(".")["rating"], rating_checks(",")["rating"]
    assert not point("1.5") and not comma("1,5") and not comma("2")
    assert "declare decimal: ','" in point("1,5") and "declare decimal: '.'" in comma("1.5")


ROW = st.tuples(st.sampled_from("ab3"), st.sampled_from([*ITEMS, "x"]), st.sampled_from(["1", "2", "3.5", "9", "-1"]))


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(ROW, max_size=12),
    duplicates=st.sampled_from(["refuse", "first", "last", "mean"]),
    unlisted=st.sampled_from(["refuse", "drop"]),
    least=st.integers(1, 3),
    missing=st.sampled_from([(), (-1.0,)]),
)
def test_the_rules_do_what_a_dictionary_does(rows, duplicates, unlisted, least, missing):
    """A second reader: dictionaries, row by row."""
    answers = {}
    refused = False
    for user, item, cell in rows:
        rating = float(cell)
        if rating in missing:
            continue
        refused |= not 1 <= rating <= 5
        if item not in ITEMS:
            refused |= unlisted == "refuse"
            continue
        answers.setdefault((user, item), []).append(rating)
    refused |= duplicates == "refuse" and any(len(values) > 1 for values in answers.values())
    choose = {"refuse": max, "first": lambda v: v[0], "last": lambda v: v[-1], "mean": np.mean}[duplicates]
    users = [user for user, _ in answers]
    wanted = {key: choose(values) for key, values in answers.items() if users.count(key[0]) >= least}
    rules = RatingRules(duplicates, least, unlisted, missing)
    if refused or not wanted:
        with pytest.raises(DataError):
            read_ratings(table(*rows), ITEMS, (1, 5), rules)
        return
    ratings, left_out = read_ratings(table(*rows), ITEMS, (1, 5), rules)
    assert {(u, i): r for u, i, r in triples(ratings)} == pytest.approx(wanted)
    assert set(ratings.user_ids) == {user for user, _ in wanted}
    counted = left_out.missing + left_out.unlisted + left_out.duplicates + left_out.of_users + len(ratings)
    assert counted == len(rows)
