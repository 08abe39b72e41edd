"""What a first task file is told about the layout of tables, and what is odd about the ratings."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rebeca.data.discover import codes_among, discover, far_ends, find_layout
from rebeca.data.folder import read_folder
from rebeca.data.options import RatingRules, TableLayout
from rebeca.errors import DataError
from tests.conftest import make_folder


@pytest.fixture
def folder(tmp_path):
    return make_folder(tmp_path / "data", users=6, items=12)


def rewritten(folder, change, name="ratings.csv"):
    lines = (folder / "ratings.csv").read_text().splitlines()
    (folder / "ratings.csv").unlink()
    (folder / name).write_text(change(lines))


def turned(line):
    """Rating, half a point higher and with a decimal comma; item; user."""
    user, item, rating = line.split(",")
    return f"{rating},5;{item};{user}"


@pytest.mark.parametrize(
    ("name", "change", "layout"),
    [
        ("ratings.csv", "\n".join, TableLayout()),
        ("ratings.tsv", lambda lines: "\n".join(lines).replace(",", "\t"), TableLayout()),
        ("ratings.csv", lambda lines: "\n".join(lines).replace(",", "\t"), TableLayout(delimiter="\t")),
        ("ratings.csv", lambda lines: "\n".join(lines).replace(",", ";"), TableLayout(delimiter=";")),
        (
            "ratings.dat",
            lambda lines: "\n".join(lines[1:]).replace(",", "::"),
            TableLayout(columns={"user": 1, "item": 2, "rating": 3}, delimiter="::", header=False),
        ),
        (
            "ratings_small.csv",
            lambda lines: "\n".join(["userId,movieId,rating,timestamp", *(f"{line},9" for line in lines[1:])]),
            TableLayout("ratings_small.csv", {"user": "userId", "item": "movieId"}),
        ),
        (
            "ratings.csv",
            lambda lines: "\n".join(["Score;Image ID;Rater", *map(turned, lines[1:])]),
            TableLayout(columns={"user": "Rater", "item": "Image ID", "rating": "Score"}, delimiter=";", decimal=","),
        ),
    ],
)  # fmt: skip
def test_layouts_are_found_and_read_the_same(folder, name, change, layout):
    plain = read_folder(folder, (1, 8))
    rewritten(folder, change, name)
    assert find_layout(folder, "ratings") == layout
    read = read_folder(folder, (1, 8), ratings=layout)
    half = 0.5 if layout.decimal == "," else 0
    assert read.ratings.user_ids == plain.ratings.user_ids
    np.testing.assert_array_equal(read.ratings.rating, plain.ratings.rating + half)


def test_the_very_name_wins_over_an_alias(folder):
    rewritten(folder, lambda lines: "\n".join([f"{lines[0]},Rating", *(f"{line},9" for line in lines[1:])]))
    assert find_layout(folder, "ratings").columns == {}


def test_columns_of_parquet_are_found(folder):
    frame = pd.read_csv(folder / "ratings.csv").rename(columns={"user": "worker", "rating": "stars"})
    frame.to_parquet(folder / "ratings.parquet")
    (folder / "ratings.csv").unlink()
    assert find_layout(folder, "ratings") == TableLayout(columns={"user": "worker", "rating": "stars"})


def test_one_column_may_be_item_and_file(folder):
    items = pd.read_csv(folder / "items.csv")
    items[["file"]].rename(columns={"file": "filename"}).to_csv(folder / "items.csv", index=False)
    assert find_layout(folder, "items").columns == {"item": "filename", "file": "filename"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user,item,when\na,b,monday\n", "no column is known as rating"),
        ("x,y,z\na,b,c\n", "no column is known as user or item or rating"),
        ("", "the file is empty"),
        ("user,item,rating\na,i1,3\na,i2\n", "row 3: has 2 cells, the header 3"),
        ("user,item,rating\na,i1,3\nb,i1,3\n", "every rating is 3"),
        ("user,item,rating\n", "no ratings"),
    ],
)
def test_what_cannot_be_found_out_is_said(folder, text, message):
    (folder / "ratings.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        discover(folder)


def test_rules_are_those_that_the_ratings_need(folder):
    assert discover(folder).rules == RatingRules() and discover(folder).odd == ()
    with (folder / "ratings.csv").open("a") as stream:
        stream.write("u0,i0,2\nu1,gone,3\nu1,away,3\nu2,gone,1\nu3,i3,99\n")
    found = discover(folder)
    assert found.rules == RatingRules("last", 1, "drop", (99.0,))
    assert found.odd == ("values that seem to stand for no rating: 99 (1 time)",)
    assert found.scale[1] <= 7
    data = read_folder(folder, found.scale, ratings=found.ratings, items=found.items, rules=found.rules)
    assert data.ratings.num_users == 6
    assert data.notes == (
        "left out: 1 rating with a value that stands for none",
        "left out: 3 ratings of 2 items ('gone', 'away') not in the list",
        "left out: 1 rating of an item that the user rated before; the last one counts",
    )


@pytest.mark.parametrize(
    ("values", "odd"),
    [
        ([1, 2, 3, 4, 5], []),
        ([-1, 1, 2, 3, 4, 5], [-1]),
        ([1, 2, 3, 4, 5, 99], [99]),
        ([-99, -1, 1, 2, 3, 4, 5, 999], [-99, -1, 999]),
        ([-2, -1, 0, 1, 2], []),
        ([-0.5, 0, 0.5], []),
        ([0, 1], []),
        ([1, 99], []),
        ([-1, 0, 1], []),
        ([1, 2, 3, 5, 8, 1000], []),
        ([-10, -9, 9, 10], []),
        ([0, 10, 20, 100], []),
        ([1 / 3, 2 / 3, 1], []),
    ],
)
def test_codes_are_told_from_ratings(values, odd):
    assert sorted(codes_among(np.array(values, float))) == odd


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    delimiter=st.sampled_from([",", ";", "\t", "::", "|", " ", "=", "\x01"]),
    names=st.tuples(
        st.sampled_from(["user", "userId", "User-ID", "worker", "rater_id"]),
        st.sampled_from(["item", "movieId", "image", "Photo"]),
        st.sampled_from(["rating", "score", "Stars"]),
    ),
    header=st.booleans(),
    order=st.permutations([0, 1, 2]),
    values=st.lists(st.sampled_from(["1", "2", "3.5", "5"]), min_size=12, max_size=12),
    comma=st.booleans(),
)
def test_any_usual_layout_is_found(tmp_path_factory, delimiter, names, header, order, values, comma):
    """Whatever is written in one of the usual ways is read as it was written."""
    if delimiter == ",":
        comma = False
    if not header:
        order = [0, 1, 2]
    folder = make_folder(tmp_path_factory.mktemp("d"), users=3, items=4)
    rows = [(f"u{k % 3}", f"i{k // 3}", values[k]) for k in range(12)]
    shown = [(u, i, r.replace(".", ",") if comma else r) for u, i, r in rows]
    lines = [delimiter.join(row[k] for k in order) for row in ([names] if header else []) + shown]
    (folder / "ratings.csv").write_text("\n".join(lines))
    if len(set(values)) < 2:
        return
    found = discover(folder)
    ratings = read_folder(folder, found.scale, ratings=found.ratings, items=found.items, rules=found.rules).ratings
    read = {
        (ratings.user_ids[u], ratings.item_ids[i]): r
        for u, i, r in zip(ratings.user, ratings.item, ratings.rating, strict=True)
    }
    assert read == {(u, i): float(r) for u, i, r in rows}


@pytest.mark.parametrize(
    ("values", "far"),
    [
        ([1, 2, 3, 4, 5, 77, 88], [[77, 88]]), ([-88, -77, 1, 2, 3, 4, 5], [[-88, -77]]), ([0, 1, 99], [[99]]),
        ([1, 2, 3, 4, 9], []), ([1, 2, 50, 51], []), ([1, 2], []),
    ],
)  # fmt: skip
def test_values_at_an_end_that_lie_far_from_the_others(values, far):
    assert [end.tolist() for end in far_ends(np.array(values, float))] == far


def test_two_codes_above_the_scale_are_named(folder):
    rewritten(folder, lambda lines: "\n".join([lines[0], "u0,i0,77", "u0,i1,88", *lines[3:]]))
    assert "the ratings 77 (1 time), 88 (1 time) lie far from all others" in discover(folder).odd


def test_the_column_that_was_not_taken_is_named(folder):
    rewritten(folder, lambda lines: "\n".join(["user_id,User,item,rating", *(f"9,{line}" for line in lines[1:])]))
    discovery = discover(folder)
    assert discovery.ratings.columns == {"user": "User"}
    assert "ratings: the column 'User' is taken for 'user', not 'user_id'" in discovery.odd
