"""A data set that anybody can bring: a folder with ratings, a list of pictures, and the pictures.

::

    my-data/
      ratings.csv (or .csv.gz, .parquet)   user, item, rating
      items.csv                            item, file[, caption, tags, block]; further columns are left alone
      images/ (or images.zip)              the files that items.csv names

Every error names file, row and value; rows are counted as a spreadsheet shows them, the header being row 1.
"""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from rebeca.arrays import Floats, Ints
from rebeca.data.catalogue import Catalogue, FolderSource, PixelSource, ZipSource
from rebeca.data.dataset import Dataset, find_blocks, user_blocks
from rebeca.data.interactions import Interactions
from rebeca.errors import DataError, did_you_mean

RATING_FILES = ("ratings.csv", "ratings.csv.gz", "ratings.parquet")
LARGEST_TABLE_BYTES = 4 << 30


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
        title: Name for readers; by default the folder's.
        licence: Terms, in one line.
        redistribute: Whether pictures may be copied into records and pages.

    Raises:
        DataError: Naming file, row and value of the first problem.
    """
    if not path.is_dir():
        raise DataError(
            f"{path}: no such folder", hint="name the folder with ratings.csv and items.csv: --set data.path=FOLDER"
        )
    items = _read_table(path / "items.csv", ("item", "file"))
    item_ids = _unique_ids(items["item"], path / "items.csv")
    table_path = next((path / name for name in RATING_FILES if (path / name).exists()), None)
    if table_path is None:
        raise DataError(f"{path}: no ratings", hint=f"put one of {', '.join(RATING_FILES)} there")
    ratings = _read_ratings(table_path, item_ids, scale)
    if "block" in items:
        _, labels = np.unique(items["block"].to_numpy(str), return_inverse=True)
        block: Ints = labels
    else:
        _, found = find_blocks(ratings)
        block = found
    captions = tuple(items["caption"]) if "caption" in items else ("",) * len(item_ids)
    catalogue = Catalogue(item_ids, _source(path, items["file"], path / "items.csv"), block, captions)
    return Dataset(
        title=title or path.name,
        licence=licence or "not declared",
        redistribute=redistribute,
        catalogue=catalogue,
        ratings=ratings,
        block_of_user=user_blocks(ratings, block),
        scale=scale,
    )


def _read_table(path: Path, required: tuple[str, ...]) -> pd.DataFrame:
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if path.stat().st_size > LARGEST_TABLE_BYTES:
        raise DataError(f"{path}: {path.stat().st_size:,} bytes are too many (at most {LARGEST_TABLE_BYTES:,})")
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path).astype(str)
        else:
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8", skipinitialspace=True)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}", hint="save the file as UTF-8") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OSError) as error:
        raise DataError(f"{path}: cannot be read as a table ({str(error).strip()})") from error
    table.columns = [str(name).strip() for name in table.columns]
    for name in required:
        if name not in table:
            raise DataError(
                f"{path}: row 1: no column '{name}' (found: {', '.join(table.columns)})",
                hint=f"the columns {', '.join(required)} are needed",
            )
    for name in required:
        bad = table[name].str.contains("\x00", regex=False) | (table[name] == "")
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise DataError(f"{path}: row {row + 2}: column '{name}' is empty or has a NUL byte")
    return table


def _unique_ids(column: pd.Series[str], path: Path) -> tuple[str, ...]:
    repeated = column.duplicated()
    if repeated.any():
        row = int(np.flatnonzero(repeated)[0])
        raise DataError(f"{path}: row {row + 2}: item '{column.iloc[row]}' is listed twice")
    return tuple(column)


def _read_ratings(path: Path, item_ids: tuple[str, ...], scale: tuple[float, float]) -> Interactions:
    table = _read_table(path, ("user", "item", "rating"))
    if table.empty:
        raise DataError(f"{path}: no ratings")
    rating = _numbers(table["rating"], path, scale)
    position = {name: index for index, name in enumerate(item_ids)}
    item = table["item"].map(position)
    unknown = item.isna()
    if unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        name = str(table["item"].iloc[row])
        raise DataError(
            f"{path}: row {row + 2}: item '{name}' is not in items.csv", hint=did_you_mean(name, item_ids[:2000])
        )
    user_ids, user = _user_ids(table["user"])
    twice = table.duplicated(["user", "item"])
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise DataError(
            f"{path}: row {row + 2}: user '{table['user'].iloc[row]}' rated item '{table['item'].iloc[row]}' twice",
            hint="keep one rating a person and picture",
        )
    item_index = item.to_numpy(np.int32)
    return Interactions(user, item_index, rating, np.zeros(len(rating), bool), user_ids, item_ids)


def _user_ids(column: pd.Series[str]) -> tuple[tuple[str, ...], Ints]:
    """Ids in a natural order: numbers by value, then words."""
    names = sorted(set(column), key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name))
    position = {name: index for index, name in enumerate(names)}
    return tuple(names), column.map(position).to_numpy(np.int32)


def _numbers(column: pd.Series[str], path: Path, scale: tuple[float, float]) -> Floats:
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(f"{path}: row {row + 2}: rating '{column.iloc[row]}' is not a finite number")
    outside = (values < scale[0]) | (values > scale[1])
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise DataError(
            f"{path}: row {row + 2}: rating {column.iloc[row]} is outside the declared scale"
            f" {scale[0]:g} to {scale[1]:g}",
            hint="correct the rating, or data.params.scale in the task file",
        )
    return values


def _source(path: Path, files: pd.Series[str], table: Path) -> PixelSource:
    for row, name in enumerate(files):
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or "\\" in name:
            raise DataError(f"{table}: row {row + 2}: file '{name}' points outside the picture folder")
    images, archive = path / "images", path / "images.zip"
    if images.is_dir():
        root = images.resolve()
        for row, name in enumerate(files):
            target = (root / name).resolve()
            if not target.is_relative_to(root):
                raise DataError(f"{table}: row {row + 2}: file '{name}' points outside the picture folder")
            if not target.is_file():
                raise DataError(f"{table}: row {row + 2}: file '{name}' is not in {images}")
        return FolderSource(images, tuple(files))
    if archive.is_file():
        try:
            with zipfile.ZipFile(archive) as opened:
                members = set(opened.namelist())
        except zipfile.BadZipFile as error:
            raise DataError(f"{archive}: not a zip archive") from error
        for row, name in enumerate(files):
            if name not in members:
                raise DataError(f"{table}: row {row + 2}: file '{name}' is not in {archive}")
        return ZipSource(archive, tuple(files))
    raise DataError(f"{path}: no pictures", hint="put them into a folder 'images' or an archive 'images.zip'")
