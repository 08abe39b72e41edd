"""Tables of ratings and items: read as text after a check of their size, then checked row by row.

Every error names file, row and value; rows are counted as a spreadsheet shows them, the header being row 1.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from rebeca.arrays import Floats, Ints, first_true
from rebeca.data.interactions import Interactions
from rebeca.errors import DataError, did_you_mean

TEXTS = ("caption", "tags", "block")
LARGEST_TABLE_BYTES = 1 << 30
"""Unpacked; more than ten million ratings."""
LONGEST_LINE = 1 << 20
LONGEST_ID = 500
LONGEST_TEXT = 100_000


def read_table(path: Path, required: tuple[str, ...]) -> pd.DataFrame:
    """A table as text, with the columns that are required.

    Raises:
        DataError: Naming file, row and value of the first problem.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file")
    try:
        _check_size(path)
        if path.suffix == ".parquet":
            table = pd.read_parquet(path).astype(str)
        else:
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8", skipinitialspace=True)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}", hint="save the file as UTF-8") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read as a table ({str(error).strip()})") from error
    table.columns = [str(name).strip() for name in table.columns]
    if not table.columns.is_unique:
        raise DataError(f"{path}: row 1: a column is given twice (found: {', '.join(table.columns)})")
    for name in required:
        if name not in table:
            raise DataError(
                f"{path}: row 1: no column '{name}' (found: {', '.join(table.columns)})",
                hint=f"the columns {', '.join(required)} are needed",
            )
    for name in table.columns:
        if name in required:
            _check_ids(path, name, table[name])
        elif name in TEXTS:
            _check_length(path, name, table[name], LONGEST_TEXT)
    return table


def _check_size(path: Path) -> None:
    """Refuses a table that would fill the memory, before any of it is kept."""
    if path.suffix == ".parquet":
        about = pq.ParquetFile(path).metadata
        size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
        if size > LARGEST_TABLE_BYTES:
            raise DataError(f"{path}: {size:,} bytes unpacked are too many (at most {LARGEST_TABLE_BYTES:,})")
        return
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
        size = line = row = 0
        while chunk := stream.read(LONGEST_LINE):
            size += len(chunk)
            if size > LARGEST_TABLE_BYTES:
                raise DataError(f"{path}: more than {LARGEST_TABLE_BYTES:,} bytes, which is too many")
            first, *others = chunk.split(b"\n")
            if max(line + len(first), *(len(other) for other in others), 0) > LONGEST_LINE:
                raise DataError(f"{path}: row {row + 1} or one after it is longer than {LONGEST_LINE:,} bytes")
            line = len(others[-1]) if others else line + len(first)
            row += len(others)


def _check_ids(path: Path, name: str, column: pd.Series[str]) -> None:
    _check_length(path, name, column, LONGEST_ID)
    row = first_true((column == "") | ~column.map(str.isprintable).astype(bool))
    if row is not None:
        raise DataError(
            f"{path}: row {row + 2}: column '{name}' is empty or has a character that cannot be printed, such as a NUL"
            f" byte: {column.iloc[row]!r}"
        )


def _check_length(path: Path, name: str, column: pd.Series[str], most: int) -> None:
    row = first_true(column.str.len() > most)
    if row is not None:
        raise DataError(
            f"{path}: row {row + 2}: column '{name}' holds {len(column.iloc[row]):,} characters (at most {most:,})"
        )


def read_ratings(
    table: pd.DataFrame, path: Path, item_ids: tuple[str, ...], scale: tuple[float, float]
) -> Interactions:
    """Ratings out of the columns ``user``, ``item`` and ``rating``; the order of rows does not matter.

    Args:
        table: What :func:`read_table` gave.
        path: Its file, for messages.
        item_ids: Every item.
        scale: Lowest and highest possible rating.
    """
    if table.empty:
        raise DataError(f"{path}: no ratings")
    rating = numbers(table["rating"], path)
    row = first_true((rating < scale[0]) | (rating > scale[1]))
    if row is not None:
        raise DataError(
            f"{path}: row {table.index[row] + 2}: rating {table['rating'].iloc[row]} is outside the declared scale"
            f" {scale[0]:g} to {scale[1]:g}",
            hint="correct the rating, or the scale that the task declares",
        )
    item = table["item"].map({name: index for index, name in enumerate(item_ids)})
    row = first_true(item.isna())
    if row is not None:
        name = str(table["item"].iloc[row])
        raise DataError(
            f"{path}: row {table.index[row] + 2}: item '{name}' is not in items.csv",
            hint=did_you_mean(name, item_ids[:2000]),
        )
    user_ids, user = _user_ids(table["user"])
    row = first_true(table.duplicated(["user", "item"]))
    if row is not None:
        raise DataError(
            f"{path}: row {table.index[row] + 2}: user '{table['user'].iloc[row]}' rated item"
            f" '{table['item'].iloc[row]}' twice",
            hint="keep one rating per user and item",
        )
    item_index = item.to_numpy(np.int32)
    order = np.lexsort((item_index, user))  # the order of rows in the file must not matter
    return Interactions(user[order], item_index[order], rating[order], np.zeros(len(rating), bool), user_ids, item_ids)


def _user_ids(column: pd.Series[str]) -> tuple[tuple[str, ...], Ints]:
    """Ids in a natural order: numbers by value, then words."""
    names = sorted(set(column), key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))
    return tuple(names), column.map({name: index for index, name in enumerate(names)}).to_numpy(np.int32)


def numbers(column: pd.Series[str], path: Path) -> Floats:
    """float64; every cell of a column of ratings."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    row = first_true(~np.isfinite(values))
    if row is not None:
        raise DataError(f"{path}: row {column.index[row] + 2}: rating '{column.iloc[row]}' is not a finite number")
    return values
