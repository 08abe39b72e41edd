"""Tables of every kind, whole and damaged: what is read is what another reader reads, or a row of the file is named."""

import csv
import io
import json
import math
import re
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rebeca.data import tables
from rebeca.data.cells import check_id, check_number, check_text
from rebeca.data.options import RatingRules, TableLayout
from rebeca.data.ratings import rating_checks, read_ratings
from rebeca.data.tables import read_table
from rebeca.errors import DataError

USUAL = TableLayout()
COLUMNS = rating_checks(".")
FAST = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
IDS = st.text("abé01 -_", min_size=1, max_size=5).filter(str.strip)
NUMBERS = st.integers(-99, 99) | st.integers(-300, 300).map(lambda n: n / 4)
ROWS = st.lists(st.tuples(IDS, IDS, NUMBERS), min_size=1, max_size=8)


def write(path, rows):
    """Rows in the kind of file that the name tells, as other programs write it."""
    header = ("user", "item", "rating")
    if path.suffix == ".jsonl":
        text = "".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows)
        path.write_text(text, encoding="utf-8")
    elif path.suffix == ".parquet":
        columns = dict(zip(header, zip(*rows, strict=True), strict=True))
        pq.write_table(pa.table({**columns, "rating": list(map(float, columns["rating"]))}), path)
    else:
        with path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, delimiter="\t" if path.suffix == ".tsv" else ",").writerows([header, *rows])


def reference(path):
    """Users, items and ratings of a file that was accepted, by simpler readers."""
    data = path.read_bytes()
    if path.suffix == ".parquet":
        rows = pq.ParquetFile(path).read(columns=["user", "item", "rating"]).to_pylist()
    elif path.suffix == ".jsonl":
        lines = data.decode().removeprefix("\ufeff")
        rows = [json.loads(line) for line in re.split(r"\r\n|\r|\n", lines) if line.strip()]
    else:
        stream = io.StringIO(data.decode().removeprefix("\ufeff"), newline="")
        delimiter = "\t" if path.suffix == ".tsv" else ","
        cells = csv.reader(stream, delimiter=delimiter, skipinitialspace=delimiter == ",")
        header, *rest = [[cell.strip() for cell in row] for row in cells if any(map(str.strip, row))]
        rows = [dict(zip(header, row, strict=True)) for row in rest]
    return [(plain(row["user"]), plain(row["item"]), float(row["rating"])) for row in rows]


def plain(value):
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def read(path):
    table = read_table(path, USUAL, COLUMNS)
    return list(zip(table.columns["user"], table.columns["item"], map(float, table.columns["rating"]), strict=True))


@FAST
@given(rows=ROWS, suffix=st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]))
def test_what_other_programs_write_is_read_to_the_last_rating(tmp_path, rows, suffix):
    path = tmp_path / f"t{suffix}"
    write(path, rows)
    assert read(path) == [(user.strip(), item.strip(), float(rating)) for user, item, rating in rows]


CHANGES = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(["flip", "insert", "delete"]), st.binary(min_size=1, max_size=3)),
    min_size=1,
    max_size=3,
)


@settings(FAST, derandomize=True)
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
@given(rows=ROWS, changes=CHANGES)
@example(rows=[("a", "b", 1)], changes=[(21, "insert", b'"')])
def test_a_damaged_table_is_read_as_another_reader_does_or_is_refused(tmp_path, suffix, rows, changes):
    """Bytes are changed, added and taken away. No traceback, and no user, item or rating changes without a word."""
    path = tmp_path / f"t{suffix}"
    write(path, rows)
    data = bytearray(path.read_bytes())
    for place, kind, new in changes:
        at = place % len(data)
        data[at : at + (0 if kind == "insert" else len(new))] = b"" if kind == "delete" else new
        data = data or bytearray(b"\n")
    path.write_bytes(data)
    try:
        table = read(path)
    except DataError as error:
        assert str(path) in error.message
        assert re.search(r"row \d+|: (the file is|cannot be read as a table|column '|no column)", error.message)
    else:
        assert table == reference(path)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1.1, 2.0, 4.5], pa.float32(), ["1.1", "2", "4.5"]),
        (np.array([1.1, 2.0], np.float16), pa.float16(), ["1.1", "2"]),
        ([1.1, 1 / 3], pa.float64(), ["1.1", repr(1 / 3)]),
        ([Decimal("1.10"), Decimal("20.00"), Decimal("-3.25")], pa.decimal128(6, 2), ["1.1", "20", "-3.25"]),
        ([1, 2], pa.uint8(), ["1", "2"]),
        (["1", "2.5"], pa.string(), ["1", "2.5"]),
        (["1", "2.5"], pa.large_string(), ["1", "2.5"]),
        (["1", "2.5"], pa.string_view(), ["1", "2.5"]),
        (["1", "2.5", "1"], pa.dictionary(pa.int8(), pa.string()), ["1", "2.5", "1"]),
        (pa.array([1.1, 2.5, 1.1], pa.float32()), pa.dictionary(pa.int32(), pa.float32()), ["1.1", "2.5", "1.1"]),
    ],
)
def test_every_type_of_number_and_text_of_parquet(tmp_path, values, kind, expected):
    """A float of 32 bits that was written as 1.1 is 1.1, not 1.100000023841858."""
    path = tmp_path / "t.parquet"
    column = values.dictionary_encode() if isinstance(values, pa.Array) else pa.array(values, kind)
    assert column.type == kind
    pq.write_table(pa.table({"user": ["a"] * len(values), "item": ["b"] * len(values), "rating": column}), path)
    assert read_table(path, USUAL, COLUMNS).columns["rating"] == expected


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array([0], pa.timestamp("us")), r"timestamp\[us\]"),
        (pa.array([0], pa.date32()), "date32"),
        (pa.array([True]), "bool"),
        (pa.array([b"1"]), "binary"),
        (pa.array([[1]]), "list"),
    ],
)
def test_other_types_of_parquet_are_refused_by_name(tmp_path, column, kind):
    pq.write_table(pa.table({"user": ["a"], "item": ["b"], "rating": column}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=f"column 'rating' holds {kind}.*, expected texts or numbers"):
        read_table(tmp_path / "t.parquet", USUAL, COLUMNS)


@pytest.mark.parametrize(("limit", "most"), [("MOST_ROWS", 99), ("MOST_BYTES", 300)])
def test_a_large_parquet_is_refused_before_it_is_unpacked(tmp_path, monkeypatch, limit, most):
    """By what it says of itself: rows, and bytes of the columns that are read."""
    columns = {"user": [f"user{k}" for k in range(100)], "item": ["b"] * 100, "rating": [1.0] * 100}
    pq.write_table(pa.table({**columns, "other": [f"{k}" * 500 for k in range(100)]}), tmp_path / "t.parquet")
    monkeypatch.setattr(tables, "MOST_BYTES", 10_000)
    assert len(read_table(tmp_path / "t.parquet", USUAL, COLUMNS)) == 100
    monkeypatch.setattr(tables, limit, most)
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda *_, **__: pytest.fail("it was unpacked"))
    with pytest.raises(DataError, match=f"more than {most}.*too many"):
        read_table(tmp_path / "t.parquet", USUAL, COLUMNS)


def test_a_line_of_spreadsheets_names_the_delimiter_and_is_not_shown(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("\ufeffsep=;\r\nuser;item;rating\r\na;b;1\r\n", encoding="utf-8")
    table = read_table(path, USUAL, COLUMNS)
    assert table.columns["rating"] == ["1"] and table.rows.tolist() == [2]


def test_a_decimal_comma_in_json_lines_is_one_of_texts(tmp_path):
    """Numbers have a point in JSON whatever the file declares; texts are read as declared."""
    path = tmp_path / "t.jsonl"
    path.write_text('{"user": "a", "item": "b", "rating": "3,5"}\n{"user": "a", "item": "c", "rating": 4.5}\n')
    with pytest.raises(DataError, match=r"row 1: .* with a decimal comma: declare decimal: ','"):
        read_table(path, USUAL, COLUMNS)
    table = read_table(path, TableLayout(decimal=","), rating_checks(","))
    assert read_ratings(table, ("b", "c"), (1, 5), decimal=",")[0].rating.tolist() == [3.5, 4.5]


@pytest.mark.parametrize("cell", ["NA", "", "null", "NaN", "-", "N/A"])
def test_a_cell_without_a_number_names_the_option_and_the_option_leaves_it_out(tmp_path, cell):
    path = tmp_path / "t.csv"
    path.write_text(f"user,item,rating\na,b,3\na,c,{cell}\n")
    with pytest.raises(DataError, match=rf"row 3: column 'rating' .*declare missing: \['{cell}'\]"):
        read_table(path, USUAL, COLUMNS)
    rules = RatingRules(missing=(cell, -1.0))
    ratings, left_out = read_ratings(
        read_table(path, USUAL, COLUMNS, absent={"rating": rules.missing_texts}), ("b", "c"), (1, 5), rules
    )
    assert ratings.rating.tolist() == [3] and left_out.missing == 1


def test_an_id_that_looks_like_nothing_is_an_id(tmp_path):
    """Only ratings can be missing: a user may be called NA."""
    path = tmp_path / "t.csv"
    path.write_text("user,item,rating\nNA,null,3\n")
    assert read(path) == [("NA", "null", 3.0)] and math.isfinite(read(path)[0][2])
    assert check_id("NA") == "" == check_text("") and "missing" in check_number(".")("")
