"""A folder data set: ratings, a list of items, and the items' image files.

::

    my-data/
      ratings.csv       user, item, rating
      items.csv         item, file[, caption, tags, block]; further columns are ignored
      images/           the files that items.csv names, or images.zip

A table may also end in ``.tsv``, ``.jsonl`` or ``.parquet``, be compressed with ``.gz`` behind its name, and be laid
out in other ways, see :class:`~rebeca.data.tables.TableLayout`.
"""

from __future__ import annotations

import unicodedata
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from rebeca.arrays import Ints
from rebeca.data.catalogue import DAMAGED_ARCHIVE, Catalogue, FolderSource, PixelSource, ZipSource
from rebeca.data.cells import check_id, check_text
from rebeca.data.dataset import Dataset, find_blocks, user_blocks
from rebeca.data.options import ALL_RATINGS, TABLE_ENDINGS, USUAL_LAYOUT, RatingRules, TableLayout
from rebeca.data.ratings import rating_checks, read_ratings
from rebeca.data.tables import Faults, Table, read_table
from rebeca.errors import DataError
from rebeca.interfaces import CaptionFile
from rebeca.seeds import digest_of

OF_MACOS = "__MACOSX"
"""A folder in archives that macOS writes; it holds no images."""


def read_folder(
    path: Path,
    scale: tuple[float, float],
    *,
    title: str = "",
    licence: str = "",
    redistribute: bool = False,
    ratings: TableLayout = USUAL_LAYOUT,
    items: TableLayout = USUAL_LAYOUT,
    rules: RatingRules = ALL_RATINGS,
) -> Dataset:
    """Reads and checks a folder data set.

    Args:
        path: The folder.
        scale: Lowest and highest possible rating, as declared by the task.
        title: Name for pages; by default the folder's.
        licence: Terms, in one line.
        redistribute: Whether items may be copied into records and pages.
        ratings: Layout of the table of ratings.
        items: Layout of the list of items.
        rules: Which ratings count.

    Raises:
        DataError: Naming the file and the first rows that are wrong.
    """
    table = read_rating_table(path, ratings, rules.missing_texts)
    listed = read_items(path, items)
    item_ids = tuple(listed.columns["item"])
    rated, left_out = read_ratings(table, item_ids, scale, rules, ratings.decimal)
    if "block" in listed.columns:
        block: Ints = np.unique(listed.columns["block"], return_inverse=True)[1]
    else:
        block = find_blocks(rated)[1]
    captions = tuple(listed.columns.get("caption", [""] * len(item_ids)))
    return Dataset(
        title=title or path.name,
        licence=licence or "not declared",
        redistribute=redistribute,
        catalogue=Catalogue(item_ids, _source(path, listed), block, captions),
        ratings=rated,
        block_of_user=user_blocks(rated, block),
        scale=scale,
        notes=tuple(left_out.sentences(rules)),
    )


def read_rating_table(path: Path, layout: TableLayout = USUAL_LAYOUT, missing: Collection[str] = ()) -> Table:
    """Users, items and ratings as they stand in the folder's table.

    Args:
        path: The folder.
        layout: Layout of the table.
        missing: Texts that stand for no rating.

    Raises:
        DataError: If there is no such table, or naming the first rows that cannot be read.
    """
    file = table_file(path, "ratings", layout)
    return read_table(file, layout, rating_checks(layout.decimal), absent={"rating": missing})


def read_items(path: Path, layout: TableLayout = USUAL_LAYOUT) -> Table:
    """The list of items, each once.

    Raises:
        DataError: If there is no such list, or naming the first rows that are wrong.
    """
    file = table_file(path, "items", layout)
    optional = {"caption": check_text, "tags": check_text, "block": check_text}
    table = read_table(file, layout, {"item": check_id, "file": check_id}, optional)
    if not len(table):
        raise DataError(f"{file}: no items")
    faults, listed = Faults(file), set[str]()
    for row, item in zip(table.rows.tolist(), table.columns["item"], strict=True):
        if item in listed:
            faults.add(row, f"item '{item}' is listed twice")
        listed.add(item)
    faults.check()
    return table


def caption_file(path: Path, layout: TableLayout = USUAL_LAYOUT) -> CaptionFile | None:
    """The list of items where it holds captions; None also where it cannot be read, which reading the data names."""
    try:
        table = read_items(path, layout)
    except DataError:
        return None
    if "caption" not in table.columns:
        return None
    others = {name: cells for name, cells in table.columns.items() if name != "caption"}
    name = table.path.relative_to(path).as_posix()
    return CaptionFile(name, digest_of(table.columns["caption"]), digest_of(others))


def table_file(path: Path, stem: str, layout: TableLayout) -> Path:
    """The file of a table: the one that is declared, or the only one with the usual name.

    Args:
        path: The folder.
        stem: ``ratings`` or ``items``.
        layout: May name the file.

    Raises:
        DataError: If there is none, or more than one.
    """
    if not path.is_dir():
        fault = "is a file, not a folder" if path.exists() else "no such folder"
        raise DataError(f"{path}: {fault}", hint="name the folder with ratings.csv and items.csv (a task's data.path)")
    if layout.file:
        return path / layout.file
    files = [path / f"{stem}{name}" for name in TABLE_ENDINGS if (path / f"{stem}{name}").exists()]
    if len(files) > 1:
        raise DataError(
            f"{path}: {' and '.join(file.name for file in files)} are both there",
            hint=f"remove one, or name the other in the task: {stem}: {{file: {files[0].name}}}",
        )
    if not files:
        raise _no_table(path, stem)
    return files[0]


def _no_table(path: Path, stem: str) -> DataError:
    """What is there instead of a table, and what is needed."""
    names = sorted(file.name for file in path.iterdir())
    other_kinds = [name for name in names if PurePosixPath(name).stem == stem]
    several = [name for name in names if name.startswith(stem) and name.endswith(TABLE_ENDINGS)]
    shown = ", ".join(other_kinds or [name for name in names if name.endswith(TABLE_ENDINGS)][:5])
    if other_kinds:
        hint = f"{other_kinds[0]} is of no kind that can be read; save it as {stem}.csv"
    elif len(several) > 1:
        hint = f"put the rows of these files into one {stem}.csv"
        if stem == "ratings":
            hint += "; where each is of one user, add a column 'user'"
    else:
        columns = {"ratings": "user, item, rating", "items": "item, file"}[stem]
        hint = (
            f"add {stem}.csv, .tsv, .jsonl or .parquet with the columns {columns}, or name the file in the task:"
            f" {stem}: {{file: ...}}"
        )
    return DataError(f"{path}: no {stem}.csv{f' (found: {shown})' if shown else ''}", hint=hint)


def _source(path: Path, items: Table) -> PixelSource:
    images, archive = path / "images", path / "images.zip"
    files, rows = items.columns["file"], items.rows.tolist()
    if images.is_dir():
        return image_files(images, files, items.path, rows)
    if not archive.is_file():
        raise DataError(f"{path}: no images", hint="put them into a folder 'images' or an archive 'images.zip'")
    try:
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
    except DAMAGED_ARCHIVE as error:
        raise DataError(f"{archive}: not a readable zip archive ({error})") from error
    members = _by_plain_name(names)
    return ZipSource(archive, _found(files, items.path, rows, members.get, members, str(archive)))


def image_files(images: Path, files: Iterable[str], table: Path, rows: Sequence[int]) -> FolderSource:
    """Files below a folder, after all of them were checked to be inside it.

    Args:
        images: The folder.
        files: Names that a table gives.
        table: The table, for messages.
        rows: Row of the table for each of them, for messages.

    Raises:
        DataError: Naming the first rows whose file is missing, or lies elsewhere.
    """
    root = images.resolve()
    inside = [child for child in images.iterdir() if child.name != OF_MACOS and not child.name.startswith(".")]
    only = inside[0].name if len(inside) == 1 and inside[0].is_dir() else ""

    def find(name: str) -> str | None:
        for spelled in dict.fromkeys([name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))]):
            for below in dict.fromkeys(["", only]):
                target = (root / below / spelled).resolve()
                if not target.is_relative_to(root):
                    raise ValueError("points outside the image folder")
                if target.is_file():
                    return str(PurePosixPath(below, spelled))
        return None

    below = (file.relative_to(images) for file in images.rglob("*"))
    return FolderSource(images, _found(files, table, rows, find, map(str, below), str(images)))


def _by_plain_name(members: Iterable[str]) -> Mapping[str, str]:
    """Members of an archive by the names that a table may give them: composed, and below the only folder or with it."""
    files = [name for name in members if not name.endswith("/") and PurePosixPath(name).parts[0] != OF_MACOS]
    plain = {unicodedata.normalize("NFC", name): name for name in files}
    tops = {name.partition("/")[0] if "/" in name else "" for name in plain}
    top = next(iter(tops)) if len(tops) == 1 else ""
    below = {name.removeprefix(f"{top}/"): member for name, member in plain.items()} if top else {}
    return {**below, **plain, **{name: name for name in files}}


def _found(
    files: Iterable[str],
    table: Path,
    rows: Sequence[int],
    find: Callable[[str], str | None],
    present: Iterable[str],
    where: str,
) -> tuple[str, ...]:
    """What each file is really called.

    Args:
        files: Names that a table gives.
        table: The table, for messages.
        rows: Row of the table for each of them, for messages.
        find: Gives the real name of a file.
        present: Names of all files, looked at only where one is missing.
        where: The folder or archive, for messages.

    Raises:
        DataError: Naming the first rows whose file is missing, or cannot be meant.
    """
    faults = Faults(table)
    names = []
    like: dict[str, str] = {}
    for row, name in zip(rows, files, strict=True):
        fault, hint = _misplaced(name), ""
        try:
            real = None if fault else find(name) or find(unicodedata.normalize("NFC", name).removeprefix("images/"))
        except (OSError, RuntimeError, ValueError) as error:  # a name too long, links in a circle, outside
            real, fault = None, str(error) if isinstance(error, ValueError) else f"cannot be opened ({error})"
        if not real and not fault:
            like = like or {_loosely(other): other for other in sorted(present, reverse=True)}
            fault, close = f"is not in {where}", like.get(_loosely(name))
            hint = f"'{name}' and '{close}' differ; names have to be the same, letter by letter" if close else ""
        if fault:
            faults.add(row, f"file '{name}' {fault}", hint if not faults.number else "")
        names.append(real or "")
    faults.check()
    return tuple(names)


def _loosely(name: str) -> str:
    """What a name has in common with those that differ in folder, case, or ending."""
    return PurePosixPath(name).stem.casefold()


def _misplaced(name: str) -> str:
    """What is wrong with a name that cannot lie in the image folder."""
    if "://" in name:
        return "is a web address; save the image, and give the name of its file"
    pure = PurePosixPath(name)
    if "\\" in name:
        return "has a backslash; write / between folders"
    if pure.is_absolute():
        return "is an absolute path; names are relative to the image folder"
    return "points outside the image folder" if ".." in pure.parts else ""
