"""Images of a site: decoded, checked against their digests and encoded anew, so that no file of a record is copied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from benchmark.board.tables import Tables
from benchmark.records.files import TASK_FOLDER
from benchmark.records.gallery import IMAGES, ITEMS, decode_packed, gallery_users, shown_images, unpack
from benchmark.records.schema import RatedItem
from rebeca.arrays import Floats
from rebeca.errors import RecordError

LOSSLESS_UP_TO = 256
"""Longest side of images that keep every pixel; larger ones are photographs."""
LONGEST_SIDE = 512
QUALITY = 82
USERS = 14
"""Users whose images pages show, of those in the record; with all, a site would be too large for its host."""
AT_ONCE = 128
"""Images held in memory."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An image on a page.

    Attributes:
        digest: Of its pixels; also the name of its file.
        user: Index of the user.
        replicate: Which of the user's images.
    """

    digest: str
    user: int
    replicate: int


@dataclass(slots=True)
class Gallery:
    """Which images a task's pages show.

    Attributes:
        users: Indices of the users with images, in order.
        by_generator: Images by generator and user.
        liked: Training items that a user liked, with ratings.
        disliked: Training items that a user did not like.
        size: Width and height of every image by digest.
    """

    users: list[int] = field(default_factory=list)
    by_generator: dict[str, dict[int, list[Shown]]] = field(default_factory=dict)
    liked: dict[int, list[RatedItem]] = field(default_factory=dict)
    disliked: dict[int, list[RatedItem]] = field(default_factory=dict)
    size: dict[str, tuple[int, int]] = field(default_factory=dict)


def make_gallery(tables: Tables, folder: Path, private: Path | None) -> Gallery:
    """Writes the images of a task to a folder; none where they may not be shown.

    Args:
        tables: The task.
        folder: Folder to write to.
        private: ``private-images`` of a work folder, for a site that is not published.

    Raises:
        RecordError: If a file is no image, or does not match its digest.
    """
    board, gallery = tables.board, Gallery()
    if board.record.data.redistribute:
        source = board.folder
    elif private is not None:
        source = private / board.folder.parent.name / board.folder.name
    else:
        return gallery
    index = {user: u for u, user in enumerate(tables.users)}
    gallery.users = sorted(index[user] for user in gallery_users(board.record.spec.seeds, tables.users))[:USERS]
    folder.mkdir(parents=True, exist_ok=True)
    for row in board.rows:
        packed = unpack(source / row.id, IMAGES)
        shown = [
            Shown(image.digest, index[image.user], image.replicate)
            for image in shown_images(tables.rows[row.id], board.record.spec.seeds, tables.users)
            if image.digest in packed and index[image.user] in gallery.users
        ]
        by_user = gallery.by_generator[row.id] = {}
        for image in shown:
            by_user.setdefault(image.user, []).append(image)
        _write(gallery, folder, source / row.id, {image.digest: packed[image.digest] for image in shown})
    packed = unpack(source / TASK_FOLDER, ITEMS)
    for taste in board.record.taste.shown:
        if taste.user not in index:
            raise RecordError(f"{board.folder}: taste.shown: '{taste.user}' is not among the users")
        if (user := index[taste.user]) in gallery.users:
            gallery.liked[user] = [item for item in taste.liked if item.digest in packed]
            gallery.disliked[user] = [item for item in taste.disliked if item.digest in packed]
    rated = [item for lists in (gallery.liked, gallery.disliked) for items in lists.values() for item in items]
    _write(gallery, folder, source / TASK_FOLDER, {item.digest: packed[item.digest] for item in rated})
    return gallery


def _write(gallery: Gallery, folder: Path, source: Path, packed: Mapping[str, bytes]) -> None:
    """Writes images that were not written before, and adds their sizes to the gallery."""
    names = [digest for digest in packed if digest not in gallery.size]
    with ThreadPoolExecutor() as pool:  # encoding takes most of the time
        for start in range(0, len(names), AT_ONCE):
            part = names[start : start + AT_ONCE]
            images = [Image.fromarray(decode_packed(source, digest, packed[digest])) for digest in part]
            for digest, image in zip(part, images, strict=True):
                gallery.size[digest] = (image.width, image.height)
            list(pool.map(lambda image, digest: _encode(image, folder / f"{digest}.webp"), images, part))


def _encode(image: Image.Image, path: Path) -> None:
    """Lossless for small images; the same image always gives the same file."""
    if max(image.size) <= LOSSLESS_UP_TO:
        image.save(path, "WEBP", lossless=True, method=0, quality=0)  # a tenth larger, five times as fast
    else:
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        image.save(path, "WEBP", quality=QUALITY, method=4)


def best_first(shown: Sequence[Shown], scores: Floats) -> list[Shown]:
    """A user's images, highest score first; those without one last."""
    known = np.nan_to_num(scores, nan=-np.inf, neginf=-np.inf)
    return sorted(shown, key=lambda image: (-known[image.user, image.replicate], image.replicate))
