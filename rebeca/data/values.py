"""Values of Parquet and of JSON lines as the texts that a text table would hold."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pyarrow as pa

from rebeca.data.cells import number_text

DOUBLE = 64
"""Bits; a float of fewer is written as the shortest text that it is read from, 1.1 and not 1.10000002."""


def is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def cells_of(column: pa.Array, decimal: str) -> Iterator[str]:
    """Cells of a column of Parquet as text; a null is an empty text."""
    if isinstance(column, pa.DictionaryArray):
        texts = list(cells_of(column.dictionary, decimal))
        for index in column.indices.to_pylist():
            yield "" if index is None else texts[index]
        return
    narrow = pa.types.is_floating(column.type) and column.type.bit_width < DOUBLE
    values = map(str, column.to_numpy(zero_copy_only=False)) if narrow else column.to_pylist()
    for value in values:
        yield cell_of(float(value) if narrow else value, decimal) or ""


def cell_of(value: object, decimal: str) -> str | None:
    """A value as text: whole floats as integers, null and NaN as an empty text; None for what is no text or number."""
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if np.isnan(value) else number_text(value).replace(".", decimal)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}".replace(".", decimal)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
