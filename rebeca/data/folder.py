"""A folder data set: ratings, a list of items, and the items' image files.

::

    my-data/
      ratings.csv (or .csv.gz, .parquet)   user, item, rating
      items.csv                            item, file[, caption, tags, block]; further columns are ignored
      images/ (or images.zip)              the files that items.csv names

Every error names file, row and value; rows are counted as a spreadsheet shows them, the header being row 1.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from rebeca.arrays import Ints, first_true
from rebeca.data.catalogue import DAMAGED_ARCHIVE, Catalogue, FolderSource, PixelSource, ZipSource
from rebeca.data.dataset import Dataset, find_blocks, user_blocks
from rebeca.data.tables import numbers, read_ratings, read_table
from rebeca.errors import DataError

RATING_FILES = ("ratings.csv", "ratings.csv.gz", "ratings.parquet")


def read_folder(
    path: Path,
    scale: tuple[float, float],
    title: str = "",
    licence: str = "",
    redistribute: bool = False,
) -> Dataset:
    """Reads and checks a folder data set.

    Args:
        path: The folder.
        scale: Lowest and highest possible rating, as declared by the task.
        title: Name for pages; by default the folder's.
        licence: Terms, in one line.
        redistribute: Whether items may be copied into records and pages.

    Raises:
        DataError: Naming file, row and value of the first problem.
    """
    if not path.is_dir():
        raise DataError(
            f"{path}: no such folder", hint="name the folder with ratings.csv and items.csv: --set data.path=FOLDER"
        )
    items = read_table(path / "items.csv", ("item", "file"))
    item_ids = _unique_ids(items["item"], path / "items.csv")
    table = _ratings_file(path)
    ratings = read_ratings(read_table(table, ("user", "item", "rating")), table, item_ids, scale)
    if "block" in items:
        block: Ints = np.unique(items["block"].to_numpy(str), return_inverse=True)[1]
    else:
        block = find_blocks(ratings)[1]
    captions = tuple(items["caption"]) if "caption" in items else ("",) * len(item_ids)
    return Dataset(
        title=title or path.name,
        licence=licence or "not declared",
        redistribute=redistribute,
        catalogue=Catalogue(item_ids, _source(path, items["file"], path / "items.csv"), block, captions),
        ratings=ratings,
        block_of_user=user_blocks(ratings, block),
        scale=scale,
    )


def rating_scale(path: Path) -> tuple[float, float]:
    """The lowest and the highest rating of a folder data set, for users who do not know its scale.

    Raises:
        DataError: As :func:`read_folder`, and if all ratings are equal.
    """
    table = _ratings_file(path)
    values = numbers(read_table(table, ("user", "item", "rating"))["rating"], table)
    if not len(values):
        raise DataError(f"{table}: no ratings")
    low, high = float(values.min()), float(values.max())
    if low == high:
        raise DataError(f"{table}: every rating is {low:g}; nothing can be learned from that")
    return low, high


def _ratings_file(path: Path) -> Path:
    table = next((path / name for name in RATING_FILES if (path / name).exists()), None)
    if table is None:
        raise DataError(f"{path}: no ratings", hint=f"add one of {', '.join(RATING_FILES)}: user, item, rating")
    return table


def _unique_ids(column: pd.Series[str], path: Path) -> tuple[str, ...]:
    row = first_true(column.duplicated())
    if row is not None:
        raise DataError(f"{path}: row {row + 2}: item '{column.iloc[row]}' is listed twice")
    return tuple(column)


def _source(path: Path, files: pd.Series[str], table: Path) -> PixelSource:
    rows = list(range(2, len(files) + 2))
    images, archive = path / "images", path / "images.zip"
    if images.is_dir():
        return image_files(images, files, table, rows)
    _check_inside(files, table, rows)
    if archive.is_file():
        try:
            with zipfile.ZipFile(archive) as opened:
                members = set(opened.namelist())
        except DAMAGED_ARCHIVE as error:
            raise DataError(f"{archive}: not a readable zip archive ({error})") from error
        for row, name in zip(rows, files, strict=True):
            if name not in members:
                raise DataError(f"{table}: row {row}: file '{name}' is not in {archive}")
        return ZipSource(archive, tuple(files))
    raise DataError(f"{path}: no images", hint="put them into a folder 'images' or an archive 'images.zip'")


def image_files(images: Path, files: Iterable[str], table: Path, rows: Sequence[int]) -> FolderSource:
    """Files below a folder, after all of them were checked to be inside it.

    Args:
        images: The folder.
        files: Names that a table gives.
        table: The table, for messages.
        rows: Row of the table for each of them, for messages.
    """
    names = tuple(files)
    _check_inside(names, table, rows)
    root = images.resolve()
    for row, name in zip(rows, names, strict=True):
        try:
            target = (root / name).resolve()
            is_file = target.is_file()
        except (OSError, RuntimeError, ValueError) as error:  # a name too long, links in a circle
            raise DataError(f"{table}: row {row}: file '{name}' cannot be opened ({error})") from error
        if not target.is_relative_to(root):
            raise DataError(f"{table}: row {row}: file '{name}' points outside the image folder")
        if not is_file:
            raise DataError(f"{table}: row {row}: file '{name}' is not in {images}")
    return FolderSource(images, names)


def _check_inside(files: Iterable[str], table: Path, rows: Sequence[int]) -> None:
    for row, name in zip(rows, files, strict=True):
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or "\\" in name:
            raise DataError(f"{table}: row {row}: file '{name}' points outside the image folder")
