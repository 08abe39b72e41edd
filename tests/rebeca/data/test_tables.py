"""Tables from outside: what is read is what a simpler reader reads, or the file is refused with a row."""

import csv
import gzip
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rebeca.data.cells import check_id, check_number, check_text, number_text, numbers
from rebeca.data.options import TableLayout
from rebeca.data.tables import Faults, column_names, read_table, text_rows
from rebeca.errors import DataError

USUAL = TableLayout()
COLUMNS = {"user": check_id, "rating": check_number(".")}


def read(path, text, layout=USUAL, columns=COLUMNS, optional=None):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path, layout, columns, optional)


def cells(table):
    return list(zip(table.columns["user"], table.columns["rating"], strict=True))


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("user,rating\na,1\nb,2\n", USUAL),
        ("\ufeffuser,rating\na,1\nb,2", USUAL),
        ("user,rating\r\na,1\r\nb,2\r\n", USUAL),
        ("user,rating\ra,1\rb,2\r", USUAL),
        (' user , rating\n a ,1\n"b ", 2 \n', USUAL),
        ("rating,other,user\n1,,a\n2,x,b\n", USUAL),
        (",user,rating\n0,a,1\n1,b,2\n", USUAL),
        ("user;rating\na;1\nb;2\n", TableLayout(delimiter=";")),
        ("user rating\na 1\nb 2\n", TableLayout(delimiter=" ")),
        ("user::rating\na::1\nb::2\n", TableLayout(delimiter="::")),
        ("a,1\nb,2\n", TableLayout(header=False)),
        ("1,a\n2,b\n", TableLayout(header=False, columns={"rating": 1, "user": 2})),
        ("userId,stars\na,1\nb,2\n", TableLayout(columns={"user": "userId", "rating": "stars"})),
    ],
)
def test_layouts_of_one_table(tmp_path, text, layout):
    assert cells(read(tmp_path / "t.csv", text, layout)) == [("a", "1"), ("b", "2")]


def test_kinds_of_files_hold_the_same(tmp_path):
    frame = pd.DataFrame({"user": ["a", "b"], "rating": [1, 2]})
    frame.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    frame.to_parquet(tmp_path / "t.parquet")
    frame.set_index("user").to_parquet(tmp_path / "index.parquet")
    frame.astype({"user": "category", "rating": float}).to_parquet(tmp_path / "other.parquet")
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress((tmp_path / "t.jsonl").read_bytes()))
    for name in ("t.tsv", "t.jsonl", "t.jsonl.gz", "t.parquet", "index.parquet", "other.parquet"):
        assert cells(read_table(tmp_path / name, USUAL, COLUMNS)) == [("a", "1"), ("b", "2")], name


def test_rows_are_counted_as_a_spreadsheet_shows_them(tmp_path):
    table = read(tmp_path / "t.csv", '\nuser,rating,note\n\na,1,"two\nlines"\nb,2,x\n')
    assert table.rows.tolist() == [4, 5]
    assert read(tmp_path / "t.csv", "a,1\n\nb,2\n", TableLayout(header=False)).rows.tolist() == [1, 3]


def test_whole_floats_are_integers(tmp_path):
    pd.DataFrame({"user": [1.0, 2.0], "rating": [1.5, 2.0]}).to_parquet(tmp_path / "t.parquet")
    assert cells(read_table(tmp_path / "t.parquet", USUAL, COLUMNS)) == [("1", "1.5"), ("2", "2")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user,rating\na,1,4\nb\n", "row 2: has 3 cells, the header 2\n  row 3: has 1 cell, the header 2"),
        ("user,rating,rating\na,1,1\n", "row 1: the column 'rating' is given twice (found: user, rating, rating)"),
        ("userId,rating\na,1\n", "row 1: no column 'user' (found: userId, rating)"),
        ("user,rating\n,1\na,x\n", "row 2: column 'user' is empty\n  row 3: column 'rating' holds 'x'"),
        ("user,rating\n\n\na,\n", "row 4: column 'rating' is empty"),
        ("user,rating\na\x1b[31m,1\n", "row 2: column 'user' holds the character U+001B, which cannot be printed"),
        ("user,rating\n" + "a" * 501 + ",1\n", "row 2: column 'user' holds 501 characters (at most 500)"),
        (b"user,rating\na,1\n\xe9,1\n", "row 3: column 'user' is not UTF-8 (byte 0xE9); save the file as UTF-8"),
        (b"us\xe9r,rating\na,1\n", "row 1: is not UTF-8 (byte 0xE9)"),
        ("user,rating\na,1\n".encode("utf-16"), "the file is UTF-16"),
        ("user,rating\na,1e999\n", "row 2: column 'rating' holds '1e999', which is not a finite number"),
        ("user,rating\na,1_0\n", "row 2: column 'rating' holds '1_0', which is not a finite number"),
        ("user,rating\na,nan\n", "row 2: column 'rating' holds 'nan', which is not a finite number"),
        ('user,rating\na,"1,5"\n', "row 2: column 'rating' holds '1,5' with a decimal comma: declare decimal: ','"),
        ('user,rating\n"a,1\n', "row 2: a quoted cell does not end where it should"),
        ('user,rating\n"a"b,1\n', "row 2: a quoted cell does not end where it should"),
        ('user,rating,note\na,1,"x\nb,2,y\nc,3,"\nd,4,z\n', "row 2: a quote opens a cell that goes on for 3 lines"),
        ('user,rating,note\na,1,"x\nb,2,y"\nd,4,z\n', "row 2: a quote opens a cell that goes on for 2 lines"),
        ("", "the file is empty"),
        ("user,rating\n" + "a" * (1 << 20) + ",1\n", "row 2 is longer than 1,048,576 bytes"),
        ("user,rating\r" + "a" * (1 << 20) + ",1\r", "row 2 is longer than 1,048,576 bytes"),
    ],
)
def test_faults_are_named_by_row(tmp_path, text, message):
    with pytest.raises(DataError, match=re.escape(f"t.csv: {message}")):
        read(tmp_path / "t.csv", text)


def test_another_delimiter_is_named_where_a_header_has_one_cell(tmp_path):
    with pytest.raises(DataError, match="no column 'user'") as raised:
        read(tmp_path / "t.csv", "user;rating\na;1\n")
    assert raised.value.hint.startswith("the cells are parted by ';'")


def test_a_long_table_with_bare_returns_is_read(tmp_path):
    lines = ["user,rating"] + [f"u{i},{i % 7}" for i in range(200_000)]
    assert len(read(tmp_path / "t.csv", "\r".join(lines))) == 200_000


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (TableLayout(columns={"item": "x"}), "columns: 'item' is none of user, rating"),
        (
            TableLayout(header=False, columns={"user": 1}),
            "without a header, columns has to give the number of 'rating'",
        ),
        (TableLayout(header=False, columns={"user": 1, "rating": 3}), "row 1: no column 3 for 'rating' (it has 2)"),
    ],
)
def test_layouts_that_do_not_fit(tmp_path, layout, message):
    with pytest.raises(DataError, match=re.escape(message)):
        read(tmp_path / "t.csv", "user,rating\na,1\n", layout)


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({"delimiter": '"'}, "cannot part cells"),
        ({"header": False, "columns": {"user": "a"}}, "a table without a header has numbers for names"),
        ({"file": "../x.csv"}, "does not lie in the data folder"),
        ({"columns": {"user": "item"}}, "the file's column 'item' cannot be two of user, item and rating"),
        ({"header": False, "columns": {"user": 1, "item": 1, "rating": 3}}, "the file's column '1' cannot be two"),
    ],
)
def test_impossible_layouts(layout, message):
    with pytest.raises(ValueError, match=message):
        TableLayout(**layout)


def test_faults_of_parquet_and_json_lines(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"user": ["a", None], "rating": [None, 2.0]}).to_parquet(path)
    with pytest.raises(DataError, match=r"row 1: column 'rating' is empty; .*\n  row 2: column 'user' is empty"):
        read_table(path, USUAL, COLUMNS)
    pd.DataFrame({"user": [["a"]], "rating": [1]}).to_parquet(path)
    with pytest.raises(DataError, match="column 'user' holds list"):
        read_table(path, USUAL, COLUMNS)
    path.write_bytes(b"no table")
    with pytest.raises(DataError, match="cannot be read as a table"):
        read_table(path, USUAL, COLUMNS)
    lines = tmp_path / "t.jsonl"
    lines.write_text('{"user": "a", "rating": 1}\n[1]\n\n{"user": {}, "rating": true}\n{"user": "b"}\nx\n')
    with pytest.raises(DataError) as raised:
        read_table(lines, USUAL, COLUMNS)
    for text in (
        "row 2: is not an object",
        "row 4: 'user' is {}",
        "row 4: 'rating' is true",
        "row 6: is not a JSON object",
    ):
        assert text in str(raised.value)
    assert "row 5: column 'rating' is empty" in str(raised.value)
    assert column_names(lines) == ["user", "rating"]
    lines.write_text('[\n{"user": "a"}]\n')
    with pytest.raises(DataError, match="the first row is not a JSON object on one line"):
        column_names(lines)


def test_an_object_has_each_key_once_and_those_of_the_first(tmp_path):
    lines = tmp_path / "t.jsonl"
    first, second = '{"user": "a", "rating": 1}', '{"user": "b", "rating": 2, "rating": 3}'
    lines.write_text(f'{first}\n{second}\n{{"user": "c", "rating": 1, "caption": "x"}}\n')
    with pytest.raises(DataError) as raised:
        read_table(lines, USUAL, COLUMNS, {"caption": check_text})
    assert "row 2: is not a JSON object on one line (a key is given twice)" in str(raised.value)
    assert "row 3: has 'caption', which the first object lacks" in str(raised.value)


def test_what_is_no_gzip_is_named(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(b"user,rating\na,1\n")
    with pytest.raises(DataError, match=r"t\.csv\.gz: cannot be read as a table"):
        read_table(tmp_path / "t.csv.gz", USUAL, COLUMNS)
    with pytest.raises(DataError, match=r"t\.csv\.gz: cannot be read as a table"):
        next(text_rows(tmp_path / "t.csv.gz", ","))


def test_a_missing_table_and_a_folder_have_their_own_words(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "t.csv", USUAL, COLUMNS)
    with pytest.raises(DataError, match="not a file"):
        read_table(tmp_path, USUAL, COLUMNS)


def test_optional_columns_may_be_absent_and_hold_line_breaks(tmp_path):
    optional = {"caption": check_text, "tags": check_text}
    table = read(tmp_path / "t.csv", 'user,rating,caption\na,1,"two\nlines"\n', optional=optional)
    assert table.columns["caption"] == ["two\nlines"] and "tags" not in table.columns


def test_ten_faults_are_shown_and_all_are_counted():
    faults = Faults(Path("t.csv"))
    faults.check()
    faults.add_all(range(30, 18, -1), lambda number: f"fault {number}", "remedy")
    faults.add(2, "the first")
    with pytest.raises(DataError) as raised:
        faults.check()
    lines = str(raised.value).splitlines()
    assert lines[0] == "t.csv: row 2: the first" and lines[-2:] == ["  and 3 more", "  hint: remedy"]
    assert len(lines) == 12


TEXT = st.text(st.sampled_from("ab \"'\n\r,;\t0é "), max_size=6)
RATING = st.sampled_from(["1", "2.5", " 3 ", "-4", "1e1", "x", "", "1,5"])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(TEXT, RATING, TEXT), max_size=8),
    delimiter=st.sampled_from([",", ";", "\t"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_what_is_read_is_what_was_written_or_is_refused_by_row(tmp_path, rows, delimiter, end, quoting):
    """A table as Python's writer writes it: the cells come back stripped, or the first bad row is named."""
    buffer = io.StringIO()
    if any(set("\r\n") & set(cell) for row in rows for cell in row):
        quoting = csv.QUOTE_ALL  # the writer quotes only the line end that it uses
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([("user", "rating", "note"), *rows])
    path = tmp_path / "t.csv"
    path.write_text(buffer.getvalue(), newline="")
    try:
        table = read_table(path, TableLayout(delimiter=delimiter), COLUMNS)
    except DataError as error:
        row = int(re.search(r"row (\d+)", error.message)[1])
        user, rating, note = rows[row - 2]
        swallows = re.search(r"[\n\r].*" + re.escape(delimiter), "".join((user, rating, note)), re.S)
        bad_user = not user.strip() or not user.strip().isprintable()
        bad_rating = not re.fullmatch(r"-?\d+(\.\d+)?(e\d+)?", rating.strip())
        assert bad_user or bad_rating or swallows, error.message
    else:
        assert cells(table) == [
            (user.strip(), rating.strip()) for user, rating, note in rows if (user + rating + note).strip()
        ]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=80), st.text('user,rating\n\r"ab1 ', max_size=60).map(str.encode)))
def test_any_bytes_are_a_table_or_a_named_fault(tmp_path, data):
    """Where it is read, plain splitting of its lines gives the same cells, unless quotes are used."""
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    try:
        table = read_table(path, USUAL, COLUMNS)
    except DataError as error:
        assert str(path) in error.message
        return
    if b'"' in data:
        return
    lines = [line.split(",") for line in re.split(r"\r\n|\r|\n", data.decode()) if line.strip(" ,") or "," in line]
    lines = [[cell.strip() for cell in line] for line in lines]
    lines = [line for line in lines if any(line)]
    at = [lines[0].index(name) for name in ("user", "rating")]
    assert cells(table) == [(line[at[0]], line[at[1]]) for line in lines[1:]]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(st.text(max_size=5), st.one_of(st.integers(-9, 9), st.floats(-9, 9))), min_size=1, max_size=6
    )
)
def test_json_lines_and_parquet_hold_what_was_written(tmp_path, rows):
    frame = pd.DataFrame(rows, columns=["user", "rating"]).astype({"rating": float})
    wanted = [(user.strip(), number_text(rating)) for user, rating in rows]
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps({"user": u, "rating": float(r)}) for u, r in rows))
    try:
        frame.to_parquet(tmp_path / "t.parquet")
    except UnicodeEncodeError:  # half a character
        return
    for name in ("t.jsonl", "t.parquet"):
        try:
            table = read_table(tmp_path / name, USUAL, COLUMNS)
        except DataError as error:
            row = int(re.search(r"row (\d+)", error.message)[1])
            assert not wanted[row - 1][0].isprintable() or not wanted[row - 1][0]
        else:
            assert cells(table) == wanted
            np.testing.assert_array_equal(numbers(table.columns["rating"]), [float(r) for _, r in rows])
