"""Cells of tables: what is refused, and what numbers are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebeca.data.cells import check_encoding, check_id, check_number, check_text, number_text, numbers


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("u1", ""), ("é", ""), ("", "is empty"), ("a" * 500, ""), ("a" * 501, "holds 501 characters"),
        ("a\0", "U+0000"), ("a\u200b", "U+200B"), ("a\udce9", "is not UTF-8 (byte 0xE9)"),
    ],
)  # fmt: skip
def test_ids(cell, fault):
    assert fault in check_id(cell) and bool(fault) == bool(check_id(cell))


def test_texts_may_hold_what_ids_may_not():
    assert check_text("") == check_text("two\nlines") == check_encoding("é") == ""
    assert "holds 100,001 characters" in check_text("a" * 100_001) and "UTF-8" in check_text("\udce9")


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(".,"))
def test_a_number_is_read_as_it_was_written(value, decimal):
    cell = number_text(value).replace(".", decimal)
    assert check_number(decimal)(cell) == ""
    assert numbers([cell], decimal).tolist() == [value]


def test_numbers_are_written_exactly():
    assert [number_text(x) for x in (7, 7.0, 0.1, 1 / 3, 1e6, 1234567.5)] == [
        "7", "7", "0.1", "0.3333333333333333", "1000000", "1234567.5",
    ]  # fmt: skip
    assert numbers(["1,5", "2"], ",").tolist() == [1.5, 2.0]
