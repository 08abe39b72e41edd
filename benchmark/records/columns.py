"""Reading the Parquet files of records, which a stranger may have written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark.records.files import refuse_if
from rebeca.arrays import LARGEST
from rebeca.errors import RecordError, first_few

LONGEST_TEXT = 1 << 12
"""Bytes; ids, names of scorers and digests are far shorter."""
MOST_BYTES_PER_CELL = 256
"""On average, of an unpacked file."""
SMALLEST_LIMIT = 1 << 20
"""Bytes that any file may unpack to."""
ROWS_AT_ONCE = 1 << 16

Column = npt.NDArray[Any]


def read_columns(path: Path, schema: pa.Schema, most_rows: int, most_bytes: int | None = None) -> dict[str, Column]:
    """Columns as arrays; numbers that are missing are NaN.

    A file of a few bytes can stand for far more rows than memory holds, so it is unpacked piece by piece, and texts
    that repeat are not written out before their size is known.

    Args:
        path: The file.
        schema: Names and types.
        most_rows: Largest number of rows.
        most_bytes: Largest size of the unpacked columns; by default what so many rows of short texts and numbers take.

    Raises:
        RecordError: If the file cannot be read, is too large, or holds other columns, missing values or impossible
            numbers.
    """
    texts = [name for name, kind in zip(schema.names, schema.types, strict=True) if kind in (pa.string(), pa.binary())]
    if most_bytes is None:
        most_bytes = max(SMALLEST_LIMIT, MOST_BYTES_PER_CELL * most_rows * len(schema.names))
    try:
        names = pq.read_schema(path).names
        refuse_if(names != schema.names, f"{path}: columns {first_few(names)}, expected {schema.names}")
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            rows = file.metadata.num_rows
            refuse_if(rows > most_rows, f"{path}: {rows:,} rows are too many, at most {most_rows:,}")
            groups = map(file.metadata.row_group, range(file.metadata.num_row_groups))
            declared = sum(group.total_byte_size for group in groups)
            refuse_if(declared > most_bytes, f"{path}: {declared:,} bytes unpacked are too many")
            parts, size = [schema.empty_table()], 0
            for batch in file.iter_batches(ROWS_AT_ONCE):
                batch.validate(full=True)  # a damaged file can name texts that it does not hold
                long = [name for name in names if _longest(batch[name]) > LONGEST_TEXT]
                refuse_if(
                    long, f"{path}: column '{''.join(long[:1])}' holds a text of more than {LONGEST_TEXT:,} bytes"
                )
                size += sum(map(_size, batch.columns))
                refuse_if(size > most_bytes, f"{path}: {size:,} bytes unpacked are too many")
                parts.append(pa.table(batch).cast(schema))
        table = pa.concat_tables(parts)
        columns = {name: table[name].to_numpy() for name in schema.names}
    except (OSError, pa.ArrowException, ValueError, TypeError, MemoryError) as error:
        raise RecordError(f"{path}: cannot be read ({error})") from error
    for name, kind in zip(schema.names, schema.types, strict=True):
        if kind == pa.float64():
            large = np.abs(columns[name]) > LARGEST
            refuse_if(large.any(), f"{path}: column '{name}' holds a number above {LARGEST:g}, or an infinity")
        else:
            refuse_if(table[name].null_count, f"{path}: column '{name}' has missing values")
    return columns


def _longest(column: pa.Array) -> int:
    """Bytes of the longest text; 0 for what is no text."""
    values = column.dictionary if pa.types.is_dictionary(column.type) else column
    return (pc.max(pc.binary_length(values)).as_py() or 0) if pa.types.is_string(values.type) else 0


def _size(column: pa.Array) -> int:
    """Bytes of a column, where texts that it holds once and names several times are written out."""
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary).to_numpy(zero_copy_only=False)
    known = column.indices.drop_null().to_numpy(zero_copy_only=False)
    return int(column.nbytes) + int(lengths[known].sum()) if len(known) else int(column.nbytes)
