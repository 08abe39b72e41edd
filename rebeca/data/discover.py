"""Finds out how the tables of a folder are laid out, and what is odd about the ratings, for a first task file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from rebeca.arrays import Floats
from rebeca.data.cells import NO_NUMBER, NUMBER, check_encoding, number_text, numbers
from rebeca.data.folder import read_items, table_file
from rebeca.data.options import TABLE_ENDINGS, Decimal, RatingRules, TableLayout
from rebeca.data.ratings import counted, rating_checks, read_ratings
from rebeca.data.tables import column_names, kind_of, read_table, text_rows, usual_delimiter
from rebeca.errors import DataError

DELIMITERS = (",", "\t", ";", "::", "|", " ")
LOOKED_AT = 200
"""Rows of a table."""
FAR = 2.0
"""A value is far from the rest where it is this many times their range away from the nearest one."""
CODE = re.compile("1|9+")
"""A negative code without its sign."""
USER = ("user", "worker", "rater", "participant", "subject", "annotator", "reviewer", "person", "u")
ITEM = ("item", "image", "imagepair", "imagename", "picture", "photo", "movie", "product", "asin", "theme", "stimulus")
ALIASES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "ratings": {
        "user": USER,
        "item": (*ITEM, "file", "filename"),
        "rating": ("rating", "ratings", "score", "scores", "stars", "rate", "value", "vote", "preference", "overall"),
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
    layouts = {stem: find_layout(path, stem) for stem in ("ratings", "items")}
    layout = layouts["ratings"]
    checks = rating_checks(layout.decimal)

    def check(cell: str) -> str:
        return "" if cell.lower() in NO_NUMBER else checks["rating"](cell)

    table = read_table(table_file(path, "ratings", layout), layout, {**checks, "rating": check})
    if not len(table):
        raise DataError(f"{table.path}: no ratings")
    cells = Counter(table.columns["rating"])
    texts = tuple(sorted(cell for cell in cells if cell.lower() in NO_NUMBER))
    rating = numbers(table.columns["rating"], layout.decimal, texts)
    values, counts = np.unique(rating[~np.isnan(rating)], return_counts=True)
    codes = codes_among(values)
    usual = values[~np.isin(values, codes)]
    if len(usual) < 2:
        what = f"every rating is {number_text(usual[0])}" if len(usual) else "no rating is a number"
        raise DataError(f"{table.path}: {what}; nothing can be learned from that")
    sentences = []
    named = [f"{number_text(v)} ({counted(int(n), 'time')})" for v, n in zip(values, counts, strict=True)]
    if len(codes) or texts:
        coded = [text for text, value in zip(named, values, strict=True) if value in codes]
        shown = ", ".join([*coded, *(f"'{text}' ({counted(cells[text], 'time')})" for text in texts)])
        sentences.append(f"values that seem to stand for no rating: {shown}")
    for end, others in ((usual[0], usual[1:]), (usual[-1], usual[:-1])):
        if len(others) > 1 and is_far(end, others):
            sentences.append(f"the rating {named[int(np.searchsorted(values, end))]} lies far from all others")
    scale = float(usual[0]), float(usual[-1])
    lenient = RatingRules("last", unlisted="drop", missing=(*map(float, codes), *texts))
    item_ids = tuple(read_items(path, layouts["items"]).columns["item"])
    left_out = read_ratings(table, item_ids, scale, lenient, layout.decimal)[1]
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


def find_layout(path: Path, stem: str) -> TableLayout:
    """How one table is laid out.

    Args:
        path: The folder.
        stem: ``ratings`` or ``items``.

    Raises:
        DataError: If it is missing, or its columns cannot be told apart.
    """
    file = _file(path, stem)
    declared = "" if file.name in {f"{stem}{name}" for name in TABLE_ENDINGS} else file.name
    if kind_of(file) in (".parquet", ".jsonl"):
        layout = TableLayout(file=declared, columns=_columns(column_names(file), stem, file))
        if stem == "items":
            return layout
        cells = read_table(file, layout, {"rating": check_encoding}, {"user": check_encoding, "item": check_encoding})
        return replace(layout, decimal=_decimal([[cell] for cell in cells.columns["rating"][:LOOKED_AT]], 0))
    delimiter, rows = _sample(file, len(NEEDED[stem]))
    layout = TableLayout(file=declared, delimiter="" if delimiter == usual_delimiter(file) else delimiter)
    header, below = [cell.strip() for cell in rows[0]], rows[1:] or rows
    if not _is_header(header, stem):
        if len(header) < len(NEEDED[stem]) or not any(NUMBER.fullmatch(cell.replace(",", ".")) for cell in header):
            raise _unknown(file, header, stem)
        places: dict[str, str | int] = {name: place for place, name in enumerate(NEEDED[stem], 1)}
        return replace(layout, header=False, columns=places, decimal=_decimal(rows, 2) if stem == "ratings" else ".")
    columns = _columns(header, stem, file)
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


def _sample(file: Path, least: int) -> tuple[str, list[list[str]]]:
    """The delimiter that parts the first rows into the most cells, equally many in each, and those rows.

    Raises:
        DataError: If none does.
    """
    best: tuple[str, list[list[str]]] | None = None
    for delimiter in dict.fromkeys([usual_delimiter(file), *DELIMITERS]):
        try:
            rows = [cells for _, cells in islice(text_rows(file, delimiter), LOOKED_AT)]
        except DataError:
            continue
        widths = {len(cells) for cells in rows}
        if len(widths) == 1 and min(widths) >= max(least, len(best[1][0]) + 1 if best else 0):
            best = delimiter, rows
    if best is None:
        usual = [cells for _, cells in islice(text_rows(file, usual_delimiter(file)), LOOKED_AT)]  # names its fault
        if not usual:
            raise DataError(f"{file}: the file is empty")
        return usual_delimiter(file), usual
    return best


def _plain(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "", name.lower())
    return plain if plain == "id" else plain.removesuffix("id")


def _is_header(cells: Sequence[str], stem: str) -> bool:
    known = {alias for aliases in ALIASES[stem].values() for alias in aliases}
    return any(_plain(cell) in known for cell in cells)


def _columns(header: Sequence[str], stem: str, file: Path) -> dict[str, str | int]:
    """The file's names of our columns, where they differ.

    Raises:
        DataError: If a needed column is not known by its name.
    """
    places = dict(_matches(header, stem))
    if any(name not in places for name in NEEDED[stem]):
        raise _unknown(file, header, stem)
    return {name: theirs for name, theirs in places.items() if name != theirs}


def _matches(header: Sequence[str], stem: str) -> Iterator[tuple[str, str]]:
    for name, aliases in ALIASES[stem].items():
        ranked = [(cell != name, aliases.index(_plain(cell)), cell) for cell in header if _plain(cell) in aliases]
        if ranked:  # the very name wins over its aliases
            yield name, min(ranked)[2]


def _unknown(file: Path, header: Sequence[str], stem: str) -> DataError:
    shown = ", ".join(header[:12])
    needed = ", ".join(NEEDED[stem])
    if stem == "ratings" and {"user", "item"} <= dict(_matches(header, stem)).keys():
        return DataError(
            f"{file}: no column of ratings (found: {shown})",
            hint="likes alone are not enough: add a column 'rating' with 1 for likes, 0 for what was seen only",
        )
    if stem == "ratings" and {"item", "rating"} <= dict(_matches(header, stem)).keys():
        return DataError(
            f"{file}: no column of users (found: {shown})",
            hint="an export of one user says nothing about others: join the exports of several users, and add a column"
            " 'user' that tells them apart",
        )
    return DataError(
        f"{file}: {needed} cannot be found among the columns (found: {shown})",
        hint=f"rename them, or write the task by hand with {stem}: {{columns: {{{NEEDED[stem][0]}: ...}}}}",
    )


def _decimal(rows: Sequence[Sequence[str]], place: int) -> Decimal:
    cells = [row[place].strip() for row in rows if len(row) > place]
    commas = [cell for cell in cells if "," in cell and NUMBER.fullmatch(cell.replace(",", "."))]
    return "," if commas and not any("." in cell for cell in cells) else "."
