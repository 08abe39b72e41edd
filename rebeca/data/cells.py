"""Cells of tables from outside: what is wrong with an id, a text or a number, and what a number is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from rebeca.arrays import Floats

LONGEST_ID = 500
LONGEST_TEXT = 100_000
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NO_NUMBER = ("", "na", "n/a", "nan", "null", "none", "nil", "-", "?", ".", "#n/a")
NO_NUMBER = frozenset(("NaN", *(form for text in _NO_NUMBER for form in (text, text.upper(), text.capitalize()))))
"""What programs write for a number that is not there."""
Check = Callable[[str], str]
"""Says what is wrong with a cell, or nothing."""


def check_id(cell: str) -> str:
    """What is wrong with an id of a user or an item, or the name of a file."""
    if not cell:
        return "is empty"
    if len(cell) > LONGEST_ID:
        return f"holds {len(cell):,} characters (at most {LONGEST_ID:,})"
    if fault := check_encoding(cell):
        return fault
    odd = next((character for character in cell if not character.isprintable()), "")
    return f"holds the character U+{ord(odd):04X}, which cannot be printed: {cell!r}" if odd else ""


def check_text(cell: str) -> str:
    """What is wrong with a caption or a list of tags."""
    if len(cell) > LONGEST_TEXT:
        return f"holds {len(cell):,} characters (at most {LONGEST_TEXT:,})"
    return check_encoding(cell)


def check_encoding(cell: str) -> str:
    """Bytes that are not UTF-8 were read as lone surrogates."""
    odd = next((character for character in cell if "\ud800" <= character <= "\udfff"), "")
    return f"is not UTF-8 (byte 0x{ord(odd) & 0xFF:02X}); save the file as UTF-8" if odd else ""


def check_number(decimal: str) -> Check:
    """What is wrong with a finite number that is written with this decimal sign."""

    def check(cell: str) -> str:
        if cell in NO_NUMBER:
            what = f"holds '{cell}', which is not a finite number" if cell else "is empty"
            return f"{what}; if that stands for no rating, declare missing: ['{cell}']"
        shown = cell if len(cell) <= 40 else f"{cell[:37]}..."
        plain = cell if decimal == "." else cell.replace(".", " ").replace(",", ".")
        if NUMBER.fullmatch(plain):
            return "" if np.isfinite(float(plain)) else f"holds '{shown}', which is not a finite number"
        if NUMBER.fullmatch(cell.replace(",", ".")):
            other = {".": "comma: declare decimal: ','", ",": "point: declare decimal: '.'"}[decimal]
            return f"holds '{shown}' with a decimal {other}"
        return f"holds '{shown}', which is not a finite number"

    return check


def number_text(value: float) -> str:
    """The shortest text that is read as exactly this number; whole numbers without a point."""
    value = float(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e16 else repr(value)


def numbers(cells: Sequence[str], decimal: str = ".") -> Floats:
    """float64 [n]; every checked cell of a column."""
    values = {cell: float(cell.replace(decimal, ".")) for cell in set(cells)}
    return np.array([values[cell] for cell in cells], np.float64)
