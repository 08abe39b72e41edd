"""Finds out how the tables of a folder are laid out, and what is odd about the ratings, for a first task file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from rebeca.arrays import Floats
from rebeca.data.cells import NO_NUMBER, NUMBER, check_encoding, number_text, numbers
from rebeca.data.folder import read_items, read_rating_table, table_file
from rebeca.data.options import TABLE_ENDINGS, Decimal, RatingRules, TableLayout
from rebeca.data.ratings import read_ratings
from rebeca.data.tables import column_names, read_table
from rebeca.data.text import kind_of, text_rows, usual_delimiter
from rebeca.errors import DataError, counted

DELIMITERS = (",", "\t", ";", "::", "|", " ", "=", "\x01")
LOOKED_AT = 200
"""Rows of a table."""
FAR = 2.0
"""A value is far from the rest where it is this many times their range away from the nearest one."""
CODE = re.compile("1|9+")
"""A negative code without its sign."""
WIDE = 8
"""Columns of numbers in a table that seems to have one row per user and one column per item."""
USER = ("user", "worker", "rater", "participant", "subject", "annotator", "reviewer", "person", "u")
ITEM = ("item", "image", "imagepair", "imagename", "picture", "photo", "movie", "product", "asin", "theme", "stimulus")
ALIASES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "ratings": {
        "user": USER,
        "item": (*ITEM, "file", "filename"),
        "rating": (
            *("rating", "ratings", "score", "scores", "stars", "rate", "value", "vote", "preference", "overall"),
            "response",
        ),
    },
    "items": {
        "item": (*ITEM, "id", "file", "filename"),
        "file": ("file", "filename", "filepath", "path", "imagefile", "imagepath", "imagename", "image", "picture"),
        "caption": ("caption", "captions", "description", "prompt", "title", "text"),
        "tags": ("tags", "keywords", "genres"),
        "block": ("block",),
    },
}
"""Names that columns have in files, the most telling first; in lower case, without signs and a final "id"."""
NEEDED = {"ratings": ("user", "item", "rating"), "items": ("item", "file")}


@dataclass(frozen=True, slots=True, eq=False)
class Discovery:
    """What a folder's tables look like.

    Attributes:
        ratings: Layout of the table of ratings.
        items: Layout of the list of items.
        rules: Rules under which all ratings can be read.
        scale: Lowest and highest rating that counts.
        odd: What is odd about the values, a sentence each; what the rules leave out is said by whoever reads the data.
    """

    ratings: TableLayout
    items: TableLayout
    rules: RatingRules
    scale: tuple[float, float]
    odd: tuple[str, ...]


def discover(path: Path) -> Discovery:
    """Looks at the tables of a folder.

    Raises:
        DataError: If a table is missing, cannot be read, or has columns that nobody can guess; or if all ratings are
            equal.
    """
    headers = [_header(_file(path, stem), stem) for stem in ("ratings", "items")]
    common = frozenset(headers[0]) & frozenset(headers[1])
    layouts = {stem: find_layout(path, stem, common) for stem in ("ratings", "items")}
    layout = layouts["ratings"]
    table = read_rating_table(path, layout, NO_NUMBER)
    if not len(table):
        raise DataError(f"{table.path}: no ratings")
    values, counts = np.unique(numbers(table.columns["rating"], layout.decimal), return_counts=True)
    codes = codes_among(values)
    usual = values[~np.isin(values, codes)]
    if len(usual) < 2:
        raise DataError(f"{table.path}: every rating is {number_text(usual[0])}; nothing can be learned from that")
    sentences = list(_guesses(layouts, dict(zip(layouts, headers, strict=True))))
    if table.absent:
        shown = ", ".join(f"'{text}' ({counted(n, 'time')})" for text, n in sorted(table.absent.items()))
        sentences.append(f"cells without a rating: {shown}")
    named = [f"{number_text(v)} ({counted(int(n), 'time')})" for v, n in zip(values, counts, strict=True)]
    if len(codes):
        shown = ", ".join(text for text, value in zip(named, values, strict=True) if value in codes)
        sentences.append(f"values that seem to stand for no rating: {shown}")
    for far in far_ends(usual):
        shown = ", ".join(text for text, value in zip(named, values, strict=True) if value in far)
        subject = f"the ratings {shown} lie" if len(far) > 1 else f"the rating {shown} lies"
        sentences.append(f"{subject} far from all others")
    scale = float(usual[0]), float(usual[-1])
    lenient = RatingRules("last", unlisted="drop", missing=(*map(float, codes), *sorted(table.absent)))
    item_ids = tuple(read_items(path, layouts["items"]).columns["item"])
    left_out = read_ratings(table, item_ids, scale, lenient, layout.decimal)[1]
    unread = [cell for cell in headers[0] if cell and cell not in ("user", "item", "rating", *layout.columns.values())]
    if 2 * left_out.duplicates > len(table) and layout.header and unread:
        sentences.append(f"most ratings are repeated; does another column tell them apart ({', '.join(unread)})?")
    rules = replace(
        lenient,
        duplicates="last" if left_out.duplicates else "refuse",
        unlisted="drop" if left_out.unlisted else "refuse",
    )
    return Discovery(layout, layouts["items"], rules, scale, tuple(sentences))


def codes_among(values: Floats) -> Floats:
    """Values that seem to stand for no rating: -1, -99 or the like below whole numbers, or 99 far above them.

    Args:
        values: float [n]; different ratings, ascending.
    """
    if not np.array_equal(values, np.round(values)):
        return values[:0]
    negative, rest = values[values < 0], values[values >= 0]
    if len(rest) <= 2 or not all(CODE.fullmatch(f"{-value:.0f}") for value in negative):
        negative, rest = values[:0], values
    last = len(rest)
    while last > 2 and set(f"{rest[last - 1]:.0f}") == {"9"} and is_far(rest[last - 1], rest[: last - 1]):
        last -= 1
    return np.concatenate([negative, rest[last:]])


def is_far(value: float, others: Floats) -> bool:
    """Whether a value lies far from the others, float [n], ascending."""
    return bool(np.abs(others - value).min() > FAR * (others[-1] - others[0]))


def far_ends(values: Floats) -> Iterator[Floats]:
    """The lowest values, and the highest ones, that lie far from all others, which are more; float [n], ascending."""
    for ascending, step in ((values, 1), (-values[::-1], -1)):
        for number in range((len(values) - 1) // 2, 0, -1):
            if is_far(ascending[number - 1], ascending[number:]):
                yield (step * ascending[:number])[::step]
                break


def find_layout(path: Path, stem: str, common: Collection[str] = ()) -> TableLayout:
    """How one table is laid out.

    Args:
        path: The folder.
        stem: ``ratings`` or ``items``.
        common: Names of columns that both tables have.

    Raises:
        DataError: If it is missing, or its columns cannot be told apart.
    """
    file = _file(path, stem)
    declared = "" if file.name in {f"{stem}{name}" for name in TABLE_ENDINGS} else file.name
    if kind_of(file) in (".parquet", ".jsonl"):
        layout = TableLayout(file=declared, columns=_columns(column_names(file), stem, file, common))
        if stem == "items":
            return layout
        cells = read_table(file, layout, {"rating": check_encoding}, {"user": check_encoding, "item": check_encoding})
        return replace(layout, decimal=_decimal([[cell] for cell in cells.columns["rating"][:LOOKED_AT]], 0))
    delimiter, rows = _sample(file, len(NEEDED[stem]))
    layout = TableLayout(file=declared, delimiter="" if delimiter == usual_delimiter(file) else delimiter)
    header, below = [cell.strip() for cell in rows[0]], rows[1:] or rows
    if stem == "ratings" and "item" not in _matches(header, stem, common):
        _check_not_wide(below, file)
    if not _is_header(header, stem):
        filled = [place for place, cells in enumerate(zip(*rows, strict=False), 1) if any(map(str.strip, cells))]
        if len(filled) < len(NEEDED[stem]):
            raise _unknown(file, header, stem, common)
        places: dict[str, str | int] = dict(zip(NEEDED[stem], filled, strict=False))
        decimal = _decimal(rows, filled[2] - 1) if stem == "ratings" else "."
        return replace(layout, header=False, columns=places, decimal=decimal)
    columns = _columns(header, stem, file, common)
    if stem == "items":
        return replace(layout, columns=columns)
    rating = header.index(str(columns.get("rating", "rating")))
    return replace(layout, columns=columns, decimal=_decimal(below, rating))


def _file(path: Path, stem: str) -> Path:
    """The table with the usual name, or the only one whose name begins as it."""
    if path.is_dir() and not any((path / f"{stem}{name}").exists() for name in TABLE_ENDINGS):
        begin = [
            file for file in sorted(path.iterdir()) if file.name.startswith(stem) and file.name.endswith(TABLE_ENDINGS)
        ]
        if len(begin) == 1:
            return begin[0]
    return table_file(path, stem, TableLayout())


def _header(file: Path, stem: str) -> list[str]:
    """Cells of the first row."""
    if kind_of(file) in (".parquet", ".jsonl"):
        return column_names(file)
    return [cell.strip() for cell in _sample(file, len(NEEDED[stem]))[1][0]]


def _sample(file: Path, least: int) -> tuple[str, list[list[str]]]:
    """The delimiter that parts the first rows into the most cells, equally many in each, and those rows.

    Raises:
        DataError: If none does.
    """
    best: tuple[str, list[list[str]]] | None = None
    for delimiter in dict.fromkeys([usual_delimiter(file), *DELIMITERS]):
        rows: list[list[str]] = []
        with suppress(DataError):  # is named by whoever reads the table
            for _, cells in islice(text_rows(file, delimiter), LOOKED_AT):
                rows.append(cells)
        widths = {len(cells) for cells in rows}
        if len(widths) == 1 and min(widths) >= max(least, len(best[1][0]) + 1 if best else 0):
            best = delimiter, rows
    if best is None:
        usual = [cells for _, cells in islice(text_rows(file, usual_delimiter(file)), LOOKED_AT)]  # names its fault
        if not usual:
            raise DataError(f"{file}: the file is empty")
        return usual_delimiter(file), usual
    return best


def _check_not_wide(rows: Sequence[Sequence[str]], file: Path) -> None:
    """Does nothing for a table with one row per rating.

    Raises:
        DataError: If most cells of many columns are numbers.
    """
    numeric = [sum(NUMBER.fullmatch(cell.strip()) is not None for cell in cells) for cells in zip(*rows, strict=False)]
    number = sum(2 * count > len(rows) for count in numeric)
    if number >= WIDE:
        raise DataError(
            f"{file}: {number} columns of numbers; there seems to be one row per user and one column per item",
            hint="write one row per rating, with the columns user, item and rating: melt in pandas, pivot_longer in R",
        )


def _plain(name: str, stem_of_id: bool = True) -> str:
    plain = re.sub(r"[^a-z0-9]+", "", name.lower())
    return plain.removesuffix("id") if stem_of_id and plain != "id" else plain


def _words(name: str) -> set[str]:
    """``bookRating``, ``Book-Rating`` and ``BOOK_RATINGS`` have the words book and rating."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]
    return {*words, *(word.removesuffix("s") for word in words)}


def _is_header(cells: Sequence[str], stem: str) -> bool:
    named = any(_aliased(name, cells, stem) for name in ALIASES[stem])
    return named or not any(NUMBER.fullmatch(cell.replace(",", ".")) for cell in cells)


def _columns(header: Sequence[str], stem: str, file: Path, common: Collection[str]) -> dict[str, str | int]:
    """The file's names of our columns, where they differ.

    Raises:
        DataError: If a needed column is not known by its name.
    """
    places = _matches(header, stem, common)
    if any(name not in places for name in NEEDED[stem]):
        raise _unknown(file, header, stem, common)
    return {name: theirs for name, theirs in places.items() if name != theirs}


def _matches(header: Sequence[str], stem: str, common: Collection[str] = ()) -> dict[str, str]:
    """Our columns that are there, each with the file's name."""
    known = {name: cells[0] for name in ALIASES[stem] if (cells := _aliased(name, header, stem))}
    for name in NEEDED[stem]:
        shared = [cell for cell in header if cell in common and cell not in known.values()]
        if name == "item" and known.get(name) not in ("item", *common) and len(shared) == 1:
            known[name] = shared[0]
        worded = _worded(name, header, stem, known)
        if name not in known and len(worded) == 1:
            known[name] = worded[0]
    return known


def _aliased(name: str, header: Sequence[str], stem: str) -> list[str]:
    """Columns of the file that are known to be ours, the best first: the very name wins over its aliases."""
    aliases = ALIASES[stem][name]
    plain = {cell: _plain(cell, name != "rating") for cell in header}
    ranked = sorted((cell != name, aliases.index(plain[cell]), cell) for cell in header if plain[cell] in aliases)
    return [cell for _, _, cell in ranked]


def _worded(name: str, header: Sequence[str], stem: str, known: Mapping[str, str]) -> list[str]:
    """Columns that may be ours, since a word of their name says so."""
    free = [cell for cell in header if cell not in known.values() or name == "file"]
    return [cell for cell in free if _words(cell) & {alias for alias in ALIASES[stem][name] if len(alias) > 1}]


def _guesses(layouts: Mapping[str, TableLayout], headers: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Columns that are not known by their whole name, or not alone by it, a sentence each."""
    for stem, layout in layouts.items():
        taken = layout.columns.values()
        for name, theirs in layout.columns.items():
            if not isinstance(theirs, str):
                continue
            like = [cell for cell in headers[stem] if cell not in taken and _plain(cell) == _plain(theirs)]
            if like or not {_plain(theirs), _plain(theirs, False)} & set(ALIASES[stem][name]):
                others = "".join(f", not '{cell}'" for cell in like)
                yield f"{stem}: the column '{theirs}' is taken for '{name}'{others}"


def _unknown(file: Path, header: Sequence[str], stem: str, common: Collection[str]) -> DataError:
    shown = ", ".join(header[:12])
    known = _matches(header, stem, common)
    lacking = [name for name in NEEDED[stem] if name not in known]
    hint = f"rename columns, or write the task by hand with {stem}: {{columns: {{{lacking[0]}: ...}}}}"
    if worded := _worded(lacking[0], header, stem, known):
        hint = f"is it {' or '.join(worded)}? {hint}"
    if lacking == ["user"]:
        hint = f"join the exports of several users, and add a column 'user' that tells them apart; or {hint}"
    if lacking == ["rating"]:
        hint = f"{hint}; likes alone are not enough: add a column 'rating' with 1 for likes, 0 for what was seen only"
    return DataError(f"{file}: no column is known as {' or '.join(lacking)} (found: {shown})", hint=hint)


def _decimal(rows: Sequence[Sequence[str]], place: int) -> Decimal:
    cells = [row[place].strip() for row in rows if len(row) > place]
    commas = [cell for cell in cells if "," in cell and NUMBER.fullmatch(cell.replace(",", "."))]
    return "," if commas and not any("." in cell for cell in cells) else "."
