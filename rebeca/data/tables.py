"""Tables from outside, as text: their layout, their limits, and every fault with the row where it stands.

A row is counted as a spreadsheet shows it: blank rows count, a quoted cell that holds a line break is one row, and the
row of column names is row 1. Where a file has no such row (Parquet, JSON lines, ``header: false``), its first record
is row 1.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rebeca.arrays import Ints
from rebeca.data.cells import Check, check_encoding
from rebeca.data.options import TableLayout
from rebeca.data.text import MOST_BYTES, check_file, kind_of, text_lines, text_rows, usual_delimiter
from rebeca.data.values import cell_of, cells_of, is_number, is_text
from rebeca.errors import DataError, counted

MOST_ROWS = 50_000_000
SHOWN_FAULTS = 10
ROWS_AT_ONCE = 1 << 10
ROW_NAMES = "give every column a name, or write the table without row names: row.names = FALSE in R"
UNREADABLE = (OSError, EOFError, zlib.error, pa.ArrowException, UnicodeDecodeError)
"""What reading a damaged or compressed table raises; the last one comes from Parquet."""
OTHER_DELIMITERS = (",", "\t", ";", "|")


class Faults:
    """What is wrong with a file: how often, and the first rows of it.

    Args:
        path: The file, for the message.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0
        self._first: list[tuple[int, str]] = []
        self._hints: dict[str, None] = {}

    def add(self, row: int, text: str, hint: str = "") -> None:
        """Notes a fault in a row."""
        self.number += 1
        self._first = sorted([*self._first, (row, text)], key=lambda fault: fault[0])[:SHOWN_FAULTS]
        if hint:
            self._hints[hint] = None

    def add_all(self, rows: Iterable[int], text: Callable[[int], str], hint: str = "") -> None:
        """Notes faults of one kind; ``text`` is told how many were noted before."""
        for number, row in enumerate(rows):
            if number < SHOWN_FAULTS:
                self.add(row, text(number), hint)
            else:
                self.number += 1

    def check(self) -> None:
        """Does nothing where there is no fault.

        Raises:
            DataError: Naming the first faults of the file, and how many there are.
        """
        if not self.number:
            return
        shown = "\n  ".join(f"row {row}: {text}" for row, text in self._first)
        more = self.number - len(self._first)
        rest = f"\n  and {more:,} more" if more else ""
        raise DataError(f"{self.path}: {shown}{rest}", hint="; ".join(self._hints))


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of a table, cells stripped of blanks around them.

    Attributes:
        columns: Cells by the names that this project gives to columns.
        rows: int [n]; row of the file of each record.
        path: The file.
        absent: Records that were not read, by the text that stands for no value.
    """

    columns: Mapping[str, list[str]]
    rows: Ints
    path: Path
    absent: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)


Records = Iterator[tuple[int, Sequence[str]]]
"""Row of the file and the cells of the columns that were asked for."""


def read_table(
    path: Path,
    layout: TableLayout,
    required: Mapping[str, Check],
    optional: Mapping[str, Check] | None = None,
    absent: Mapping[str, Collection[str]] | None = None,
    fixed: bool = False,
) -> Table:
    """Reads some columns of a table.

    Args:
        path: The file.
        layout: How it is laid out.
        required: Columns and what is checked of their cells.
        optional: The same for columns that may be absent.
        absent: Texts of a required column that stand for no value; such a record is counted, and not checked.
        fixed: Whether no task can name another layout; hints then do not offer it.

    Raises:
        DataError: Naming the file and the first rows that cannot be read, in the order of the file.
    """
    check_file(path)
    checks = {**required, **(optional or {})}
    faults = Faults(path)
    rows: list[int] = []
    left_out: Counter[str] = Counter()
    try:
        names, records = _open(path, _Wanted(layout, tuple(checks), frozenset(required), fixed), faults)
        for name, texts in (absent or {}).items():
            if texts:
                records = _present(records, names.index(name), texts, left_out)
        columns = [_Column(str(layout.columns.get(name, name)), checks[name]) for name in names]
        while batch := list(islice(records, ROWS_AT_ONCE)):
            numbers_of_rows, cells = zip(*batch, strict=True)
            rows += numbers_of_rows
            for column, texts in zip(columns, zip(*cells, strict=True), strict=True):
                column.extend(texts, numbers_of_rows, faults)
            if len(rows) > MOST_ROWS:
                raise DataError(f"{path}: more than {MOST_ROWS:,} rows, which is too many")
    except UNREADABLE as error:
        raise DataError(f"{path}: cannot be read as a table ({str(error).strip()})") from error
    faults.check()
    kept = {name: column.cells for name, column in zip(names, columns, strict=True)}
    return Table(kept, np.array(rows, np.int64), path, left_out)


def _present(records: Records, place: int, absent: Collection[str], left_out: Counter[str]) -> Records:
    """Records with a value in a column; the others are counted."""
    for row, cells in records:
        text = cells[place].strip()
        if text in absent:
            left_out[text] += 1
        else:
            yield row, cells


class _Column:
    """Cells of a column, each different text checked once and kept once.

    Args:
        title: What the file calls it, for messages.
        check: Says what is wrong with a cell.
    """

    def __init__(self, title: str, check: Check) -> None:
        self.cells: list[str] = []
        self._title = title
        self._check = check
        self._stripped: dict[str, str] = {}
        self._bad: dict[str, str] = {}

    def extend(self, texts: Sequence[str], rows: Sequence[int], faults: Faults) -> None:
        """Adds cells, and notes which of them are at fault in which rows."""
        for text in set(texts) - self._stripped.keys():
            self._stripped[text] = text.strip()
            if fault := self._check(text.strip()):
                self._bad[text] = f"column '{self._title}' {fault}"
        self.cells += map(self._stripped.__getitem__, texts)
        if self._bad:
            for row, text in zip(rows, texts, strict=True):
                if text in self._bad:
                    faults.add(row, self._bad[text])


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The layout of a table, and the columns that are asked for."""

    layout: TableLayout
    names: tuple[str, ...]
    required: frozenset[str]
    fixed: bool

    def find(self, header: Sequence[str], where: str) -> dict[str, int]:
        """Place of each column that the header has; ``where`` it stands is for messages.

        Raises:
            DataError: If one is missing, or is there twice.
        """
        places: dict[str, int] = {}
        for name in self.names:
            theirs = str(self.layout.columns.get(name, name))
            at = [place for place, column in enumerate(header) if column == theirs]
            if len(at) > 1:
                raise DataError(f"{where}: the column '{theirs}' is given twice (found: {', '.join(header)})")
            if at:
                places[name] = at[0]
            elif name in self.required or name in self.layout.columns:
                needs = f"name the file's own column in the task: columns: {{{name}: ...}}; '{name}' is needed"
                if len(header) == 1 and (sign := next(filter(header[0].count, OTHER_DELIMITERS), "")):
                    needs = f"the cells are parted by {sign!r}; part them as usual, or name it in the task: delimiter"
                if self.fixed:
                    needed = ",".join(each for each in self.names if each in self.required)
                    needs = f"the first row names the columns, parted by commas: {needed}"
                raise DataError(
                    f"{where}: no column '{theirs}' (found: {', '.join(header)})",
                    hint=needs if name in self.required else "",
                )
        return places

    def numbered(self, width: int, path: Path) -> dict[str, int]:
        """Place of each column of a table without a header: as declared, else in the order in which they are needed.

        Raises:
            DataError: If a needed one is not declared, or there is no such column.
        """
        declared = self.layout.columns or {
            name: place for place, name in enumerate((n for n in self.names if n in self.required), 1)
        }
        for name in self.required - declared.keys():
            raise DataError(f"{path}: without a header, columns has to give the number of '{name}'")
        for name, place in declared.items():
            if not 1 <= int(place) <= width:
                raise DataError(f"{path}: row 1: no column {place} for '{name}' (it has {width})")
        return {name: int(place) - 1 for name, place in declared.items()}


def _open(path: Path, wanted: _Wanted, faults: Faults) -> tuple[list[str], Records]:
    """Names of the columns that the file has, and its records."""
    for name in wanted.layout.columns:
        if name not in wanted.names:
            raise DataError(f"{path}: columns: '{name}' is none of {', '.join(wanted.names)}")
    readers = {".parquet": _parquet, ".jsonl": _json_lines}
    return readers.get(kind_of(path), _text)(path, wanted, faults)


def _text(path: Path, wanted: _Wanted, faults: Faults) -> tuple[list[str], Records]:
    """A text table: cells parted by a delimiter, in quotes where they hold one."""
    layout = wanted.layout
    rows = text_rows(path, layout.delimiter or usual_delimiter(path))
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path}: the file is empty")
    width = len(first[1])
    header = [cell.strip() for cell in first[1]]
    if layout.header and any(map(check_encoding, header)):
        raise DataError(f"{path}: row {first[0]}: {next(filter(None, map(check_encoding, header)))}")
    places = wanted.find(header, f"{path}: row {first[0]}") if layout.header else wanted.numbered(width, path)
    at = list(places.values())

    def records() -> Records:
        for row, cells in rows if layout.header else chain([first], rows):
            if len(cells) != width:
                hint = ROW_NAMES if layout.header and len(cells) == width + 1 else ""
                faults.add(
                    row,
                    f"has {counted(len(cells), 'cell')}, {'the header' if layout.header else 'the first row'} {width}",
                    hint,
                )
            else:
                yield row, [cells[place] for place in at]

    return list(places), records()


def column_names(path: Path) -> list[str]:
    """Names of the columns of a Parquet file, or of the first object of JSON lines.

    Raises:
        DataError: If the file cannot be read.
    """
    check_file(path)
    try:
        if kind_of(path) == ".parquet":
            return [str(name) for name in pq.read_schema(path).names]
        first = next((json.loads(line) for line in text_lines(path) if line.strip()), None)
    except UNREADABLE as error:
        raise DataError(f"{path}: cannot be read as a table ({str(error).strip()})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: the first row is not a JSON object on one line ({error})") from error
    return list(first) if isinstance(first, dict) else []


def _json_lines(path: Path, wanted: _Wanted, faults: Faults) -> tuple[list[str], Records]:
    """One object per line, all with the keys of the first."""
    lines = enumerate(text_lines(path), 1)

    def objects() -> Iterator[tuple[int, dict[str, object]]]:
        for row, line in lines:
            if not line.strip():
                continue
            try:
                value = json.loads(line, object_pairs_hook=_once)
            except (ValueError, RecursionError) as error:
                faults.add(row, f"is not a JSON object on one line ({error})")
                continue
            if isinstance(value, dict):
                yield row, value
            else:
                faults.add(row, "is not an object in braces")

    rows = objects()
    first = next(rows, None)
    if first is None:
        faults.check()
        raise DataError(f"{path}: the file is empty")
    places = wanted.find(list(first[1]), f"{path}: row {first[0]}")
    keys = [str(wanted.layout.columns.get(name, name)) for name in places]
    unread = [name for name in wanted.names if name not in places]
    decimal = wanted.layout.decimal

    def records() -> Records:
        for row, value in chain([first], rows):
            added = next((name for name in unread if name in value), None)
            if added is not None:
                faults.add(row, f"has '{added}', which the first object lacks")
            cells: list[str] = []
            for key in keys:
                cell = cell_of(value.get(key), decimal)
                if cell is None:
                    faults.add(row, f"'{key}' is {json.dumps(value[key])[:40]}, expected a text or a number")
                else:
                    cells.append(cell)
            if len(cells) == len(keys):
                yield row, cells

    return list(places), records()


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of JSON.

    Raises:
        ValueError: If a key is given twice.
    """
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is given twice")
    return value


def _parquet(path: Path, wanted: _Wanted, faults: Faults) -> tuple[list[str], Records]:
    """Columns of texts and numbers; texts stay in their dictionary, so that a small file cannot fill the memory."""
    about = pq.ParquetFile(path)
    names = [field_.name for field_ in about.schema_arrow]
    places = wanted.find(names, str(path))
    theirs = [names[place] for place in places.values()]
    kinds = {name: about.schema_arrow.field(name).type for name in theirs}
    for name, kind in kinds.items():
        if not (is_text(kind) or is_number(kind) or pa.types.is_dictionary(kind)):
            raise DataError(f"{path}: column '{name}' holds {kind}, expected texts or numbers")
    _check_size(path, about.metadata, set(theirs))
    texts = [name for name, kind in kinds.items() if not is_number(kind)]
    stream = pq.ParquetFile(path, read_dictionary=texts)
    decimal = wanted.layout.decimal

    def records() -> Records:
        row = 0
        for batch in _batches(stream, theirs):
            columns = [list(cells_of(batch.column(name), decimal)) for name in theirs]
            for cells in zip(*columns, strict=True):
                row += 1
                yield row, cells

    return list(places), records()


def _batches(stream: pq.ParquetFile, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Some columns of a Parquet file, checked: offsets and places in dictionaries may be damaged.

    Raises:
        pa.ArrowException: If they are.
    """
    try:
        for batch in stream.iter_batches(ROWS_AT_ONCE, columns=names, use_threads=False):
            batch.validate(full=True)
            yield batch
    except KeyError as error:  # the names of the schema and of the columns differ
        raise pa.ArrowInvalid(f"column {error} is not among the file's columns") from error


def _check_size(path: Path, about: pq.FileMetaData, names: set[str]) -> None:
    """Refuses a file by what it says of itself, before anything is unpacked.

    Raises:
        DataError: If it has too many rows, or the columns are too large.
    """
    if about.num_rows > MOST_ROWS:
        raise DataError(f"{path}: {about.num_rows:,} rows, more than {MOST_ROWS:,}, which is too many")
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(group.num_columns)]
    if sum(column.total_uncompressed_size for column in columns if column.path_in_schema in names) > MOST_BYTES:
        raise DataError(f"{path}: more than {MOST_BYTES:,} bytes, which is too many")
