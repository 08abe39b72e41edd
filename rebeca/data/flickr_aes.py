"""FLICKR-AES: 40,988 photographs, rated from 1 to 5 by 210 users (Ren et al. 2017, Personalized Image Aesthetics).

::

    ROOT/
      FLICKR-AES_image_labeled_by_each_worker.csv   worker, imagePair, score; headers carry leading spaces
      40K/                                          the files that imagePair names

The data set is not bundled and its photographs are not passed on. ``rebeca-bench data prepare flickr-aes --root ROOT``
opens every item once and writes an index, so that no run has to decode all of them for their digests.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from rebeca.data.catalogue import Catalogue, FolderSource
from rebeca.data.dataset import Dataset
from rebeca.data.folder import image_files
from rebeca.data.interactions import Interactions
from rebeca.data.options import RatingRules, TableLayout
from rebeca.data.ratings import rating_checks, read_ratings
from rebeca.data.tables import read_table
from rebeca.errors import DataError
from rebeca.hashes import Cached, read_hashes
from rebeca.pixels import pixels_digest

TABLE = "FLICKR-AES_image_labeled_by_each_worker.csv"
IMAGES = "40K"
INDEX = "rebeca-bench-index.json"
"""File -> bytes, time of the last change in nanoseconds, SHA-256 of its pixels."""
WHERE = (
    "ask for FLICKR-AES-001.zip and the table of ratings at github.com/alanspike/personalizedImageAesthetics, and"
    f" unpack them so that {TABLE} and the folder {IMAGES} lie in one folder"
)
SCALE = (1.0, 5.0)
LIKE_AT = 4
HELD_BACK = 10
PUBLISHED = {"users": 210, "ratings": 193_208, "training": 189_008, "validation": 2_100, "test": 2_100}
"""Numbers in an executed notebook of the original."""
LICENCE = "photographs under their authors' Creative Commons licences; not redistributed here"
AT_ONCE = 512
"""Items between two writes of the index: what an interruption costs."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the files hold, for comparison with :data:`PUBLISHED`.

    Attributes:
        counts: Numbers by name.
        repeated: Ratings of an item that the same user rated before; the first one counts.
    """

    counts: dict[str, float]
    repeated: int

    @property
    def as_published(self) -> bool:
        return all(self.counts[name] == value for name, value in PUBLISHED.items())


def read_flickr_aes(root: Path, duplicates: Literal["refuse", "first"] = "refuse") -> Dataset:
    """Reads and checks the published files.

    Args:
        root: Their folder.
        duplicates: What happens to an item that a user rated twice: an error, or the first rating counts.

    Raises:
        DataError: Naming file, row and value of the first problem, or that the data were not prepared.
    """
    ratings, source, _ = _read(root, duplicates)
    index = read_hashes(root / INDEX)
    for name in source.files:
        if not _is_current(source.folder / name, index.get(name)):
            raise DataError(
                f"{root}: '{IMAGES}/{name}' was not prepared, or changed since",
                hint=f"rebeca-bench data prepare flickr-aes --root {root}",
            )
    digests = {item: index[name][2] for item, name in enumerate(source.files)}
    return Dataset(
        title="FLICKR-AES",
        licence=LICENCE,
        redistribute=False,
        catalogue=Catalogue(ratings.item_ids, source, np.zeros(len(source.files), np.int64), _digests=digests),
        ratings=ratings,
        block_of_user=np.zeros(ratings.num_users, np.int64),
        scale=SCALE,
    )


def prepare(root: Path, duplicates: Literal["refuse", "first"], report: Callable[[int, int], None]) -> Facts:
    """Opens every item that was not opened before, and writes the index; goes on where an earlier call stopped.

    Args:
        root: Folder of the published files.
        duplicates: As :func:`read_flickr_aes`.
        report: Told how many of how many items are done.

    Raises:
        DataError: If something is missing; or, after all others were opened, naming the items that are damaged.
    """
    ratings, source, repeated = _read(root, duplicates)
    index = dict(read_hashes(root / INDEX))
    missing = [name for name in source.files if not _is_current(source.folder / name, index.get(name))]
    damaged: list[str] = []
    report(len(source.files) - len(missing), len(source.files))

    def opened(name: str) -> tuple[int, int, str] | DataError:
        path = source.folder / name
        about = path.stat()
        try:
            pixels = FolderSource(source.folder, (name,)).read(0)
        except DataError as error:
            return error
        return about.st_size, about.st_mtime_ns, pixels_digest(pixels)

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(missing), AT_ONCE):
            names = missing[start : start + AT_ONCE]
            for name, entry in zip(names, pool.map(opened, names), strict=True):
                if isinstance(entry, DataError):
                    damaged.append(entry.message)
                else:
                    index[name] = entry
            _write_index(root / INDEX, index)
            report(len(source.files) - len(missing) + start + len(names), len(source.files))
    if damaged:
        others = f"; and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        raise DataError(
            f"{len(damaged)} of {len(source.files)} images cannot be read: {damaged[0]}{others}",
            hint="unpack these files again",
        )
    return facts(ratings, repeated)


def facts(ratings: Interactions, repeated: int) -> Facts:
    """Counts, and those of the published division: ten ratings per user for test, ten for validation."""
    each = ratings.ratings_per_user()
    test = np.minimum(each, HELD_BACK)
    validation = np.minimum(each - test, HELD_BACK)
    return Facts(
        {
            "users": ratings.num_users,
            "items": ratings.num_items,
            "ratings": len(ratings),
            "training": int((each - test - validation).sum()),
            "validation": int(validation.sum()),
            "test": int(test.sum()),
            "fewest ratings per user": int(each.min()),
            "most ratings per user": int(each.max()),
            "share of likes": float((ratings.rating >= LIKE_AT).mean()),
        },
        repeated,
    )


def _read(root: Path, duplicates: Literal["refuse", "first"]) -> tuple[Interactions, FolderSource, int]:
    """Ratings, items, and how many ratings were repetitions."""
    path = root / TABLE
    if not path.is_file() or not (root / IMAGES).is_dir():
        absent = path if not path.is_file() else root / IMAGES
        raise DataError(f"{absent}: missing", hint=WHERE)
    layout = TableLayout(columns={"user": "worker", "item": "imagePair", "rating": "score"})
    table = read_table(path, layout, rating_checks(layout.decimal))
    row = dict(zip(reversed(table.columns["item"]), reversed(table.rows.tolist()), strict=True))  # the first one stays
    names = sorted(row)
    ratings, left_out = read_ratings(table, tuple(names), SCALE, RatingRules(duplicates))
    return ratings, image_files(root / IMAGES, names, path, [row[name] for name in names]), left_out.duplicates


def _is_current(path: Path, entry: tuple[int, int, str] | None) -> bool:
    about = path.stat()
    return entry is not None and entry[:2] == (about.st_size, about.st_mtime_ns)


def _write_index(path: Path, index: Cached) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(index, sort_keys=True, indent=0), encoding="utf-8")
    temporary.replace(path)
