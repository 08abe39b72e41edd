"""Lines, rows and cells of text files from outside."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from rebeca.errors import DataError

MOST_BYTES = 1 << 30
"""Of a table, unpacked; more than ten million ratings."""
LONGEST_LINE = 1 << 20
SEPARATOR = "\x1f"
"""Stands in lines of a table whose delimiter has several characters, since :mod:`csv` takes one."""
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
ARCHIVE = b"PK\x03\x04"
"""Begins zip archives, and so the files of spreadsheet programs."""
BOM = "\ufeff"
SEP = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
"""A first line by which spreadsheets name the delimiter, and which they do not show."""
LONGEST_SEP = 32


def check_file(path: Path) -> None:
    """Does nothing for a file.

    Raises:
        DataError: If there is a folder, as Spark writes one for a table, or nothing.
    """
    if not path.is_file():
        raise DataError(
            f"{path}: {'not a file' if path.exists() else 'no such file'}",
            hint="write the table as one file" if path.is_dir() else "",
        )


def usual_delimiter(path: Path) -> str:
    """What the first line names as ``sep=;``; otherwise a tab in ``.tsv``, a comma elsewhere."""
    return _named_delimiter(path) or ("\t" if ".tsv" in path.suffixes else ",")


def _named_delimiter(path: Path) -> str:
    try:
        with _opened(path) as raw:
            first = raw.readline(LONGEST_SEP).decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error):  # whoever reads on names the fault
        return ""
    named = SEP.fullmatch(first.removeprefix(BOM))
    return named[1] if named else ""


def _opened(path: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def kind_of(path: Path) -> str:
    """The suffix of a table without that of its compression, such as ``.csv``."""
    return path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix


def text_lines(path: Path) -> Iterator[str]:
    """Lines of a text file, line ends kept; what is not UTF-8 comes as lone surrogates.

    Raises:
        DataError: If a line or the file is too long.
    """
    with _opened(path) as raw:
        start = raw.read(4)
        if start.startswith(UTF_16):
            raise DataError(f"{path}: the file is UTF-16", hint="save the file as UTF-8")
        if start == ARCHIVE:
            raise DataError(f"{path}: not text, but an archive or a spreadsheet", hint="save the table as CSV, UTF-8")
        raw.seek(0)
        stream: TextIO = io.TextIOWrapper(raw, encoding="utf-8", errors="surrogateescape", newline="")
        size = row = 0
        while line := stream.readline(LONGEST_LINE + 1):
            size, row = size + len(line), row + 1
            if len(line) > LONGEST_LINE:
                raise DataError(f"{path}: row {row} is longer than {LONGEST_LINE:,} bytes")
            if size > MOST_BYTES:
                raise DataError(f"{path}: more than {MOST_BYTES:,} bytes, which is too many")
            if row == 1:
                line = line.removeprefix(BOM)
                if SEP.fullmatch(line):
                    row = 0
                    continue
            yield line


def text_rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Row number and cells of every row that is not blank.

    Raises:
        DataError: If a quoted cell does not end, or swallows what looks like rows.
    """
    csv.field_size_limit(LONGEST_LINE)
    lines = text_lines(path)
    if len(delimiter) > 1:
        lines = (line.replace(delimiter, SEPARATOR) for line in lines)
    reader = csv.reader(
        lines,
        delimiter=SEPARATOR if len(delimiter) > 1 else delimiter,
        quoting=csv.QUOTE_NONE if len(delimiter) > 1 else csv.QUOTE_MINIMAL,  # no program quotes such cells
        skipinitialspace=True,  # with a blank as delimiter, any number of them
        strict=True,
    )
    row = 0
    width = 0
    while True:
        before, row = reader.line_num, row + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path}: cannot be read as a table ({str(error).strip()})") from error
        except csv.Error as error:
            raise DataError(
                f"{path}: row {row}: a quoted cell does not end where it should ({error})",
                hint='a cell that begins with " has to end with it, and holds " twice where it means one',
            ) from error
        width = width or len(cells)
        if reader.line_num - before > 1:
            for cell in cells:
                swallowed = [
                    line
                    for line in cell.splitlines()[1:]
                    if width > 1 and line.count(reader.dialect.delimiter) == width - 1
                ]
                if swallowed:
                    raise DataError(
                        f"{path}: row {row}: a quote opens a cell that goes on for {len(cell.splitlines())} lines and"
                        f" holds what looks like rows: {swallowed[0][:80]!r}",
                        hint='write a cell that begins with " as """...", or remove the quote',
                    )
        if any(map(str.strip, cells)):
            yield row, cells
