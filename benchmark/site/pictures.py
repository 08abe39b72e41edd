"""Pictures of a site: decoded, checked against their digests and written anew, so that no file is passed on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from benchmark.board.tables import Tables
from benchmark.records.files import TASK_FOLDER
from benchmark.runner.write_records import GALLERY_PICTURES, gallery_people
from rebeca.errors import DataError, RecordError
from rebeca.pixels import decode_image, pixels_digest
from rebeca.seeds import SeedScheme

LOSSLESS_UP_TO = 256
"""Longest side of pictures that keep every pixel; larger ones are photographs."""
LONGEST_SIDE = 512
QUALITY = 82
PEOPLE = 14
"""People whose pictures pages show, of those that the record carries; with all, a site outgrows its host."""
AT_ONCE = 128
"""Pictures held in memory."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture on a page.

    Attributes:
        digest: Of its pixels; the file's name.
        user: Index of the person.
        replicate: Which of the person's pictures.
    """

    digest: str
    user: int
    replicate: int


@dataclass(slots=True)
class Gallery:
    """Which pictures a task's pages show, and where they are taken from.

    Attributes:
        people: Indices of the people with pictures, in order.
        by_generator: For each generator, pictures by person.
        liked: Training pictures that a person liked, with ratings.
        disliked: Those that a person did not like.
        size: Width and height of every picture by digest.
    """

    people: list[int] = field(default_factory=list)
    by_generator: dict[str, dict[int, list[Shown]]] = field(default_factory=dict)
    liked: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    disliked: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    size: dict[str, tuple[int, int]] = field(default_factory=dict)


def make_gallery(tables: Tables, folder: Path, private: Path | None) -> Gallery:
    """Writes the pictures of a task below ``folder`` and says what was written.

    Args:
        tables: The task.
        folder: Where to.
        private: Pictures of data that may not be republished, by digest, for a site that is not.

    Raises:
        RecordError: If a file is no picture, or another one than it says.
    """
    board, gallery = tables.board, Gallery()
    public = bool(board.comparison["data"]["redistribute"])
    if not public and private is None:
        return gallery
    index = {user: u for u, user in enumerate(tables.users)}
    spec = board.comparison["spec"]
    drawn = gallery_people(SeedScheme(spec["id"], spec["version"], spec["seed"]), tables.users)
    gallery.people = sorted(index[user] for user in drawn)[:PEOPLE]
    files: dict[str, Path] = {}

    def there(source: Path | None, digest: str) -> bool:
        path = source / f"{digest}.png" if source is not None else None
        if path is not None and digest not in files and path.is_file():
            files[digest] = path
        return digest in files

    for row in board.rows:
        rows, source = tables.rows[row.id], board.folder / row.id / "pictures" if public else private
        made = {
            user: [
                Shown(str(rows.digest[user, k]), user, k)
                for k in range(min(GALLERY_PICTURES, rows.digest.shape[1]))
                if not rows.failed[user, k] and there(source, str(rows.digest[user, k]))
            ]
            for user in gallery.people
        }
        gallery.by_generator[row.id] = {user: shown for user, shown in made.items() if shown}
    taste, source = board.comparison["taste"], board.folder / TASK_FOLDER / "pictures" if public else private
    for person in taste["shown"] if taste is not None else ():
        if person["user"] not in index:
            raise RecordError(f"{board.folder}: taste.shown: '{person['user']}' is not among the people")
        for name, into in (("liked", gallery.liked), ("disliked", gallery.disliked)):
            if index[person["user"]] not in gallery.people:
                continue
            into[index[person["user"]]] = [one for one in person[name] if there(source, one["digest"])]
    folder.mkdir(parents=True, exist_ok=True)
    names = list(files)
    with ThreadPoolExecutor() as pool:  # encoding takes most of the time, and runs beside itself
        for start in range(0, len(names), AT_ONCE):
            images = [_read(files[digest], digest) for digest in names[start : start + AT_ONCE]]
            for digest, image in zip(names[start : start + AT_ONCE], images, strict=True):
                gallery.size[digest] = (image.width, image.height)
            list(pool.map(lambda image, digest: _encode(image, folder / f"{digest}.webp"), images, names[start:]))
    return gallery


def _read(path: Path, digest: str) -> Image.Image:
    """A picture, checked."""
    try:
        pixels = decode_image(path.read_bytes(), str(path))
    except DataError as error:
        raise RecordError(error.message, hint="run: rebeca-bench verify, on these records") from error
    if pixels_digest(pixels) != digest:
        raise RecordError(f"{path}: is another picture", hint="run: rebeca-bench verify, on these records")
    return Image.fromarray(pixels)


def _encode(image: Image.Image, path: Path) -> None:
    """Without loss where every pixel counts; the same picture always gives the same file."""
    buffer = BytesIO()
    if max(image.size) <= LOSSLESS_UP_TO:
        image.save(buffer, "WEBP", lossless=True, method=2, quality=25)
    else:
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        image.save(buffer, "WEBP", quality=QUALITY, method=4)
    path.write_bytes(buffer.getvalue())


def best_first(shown: Sequence[Shown], scores: Any) -> list[Shown]:
    """A person's pictures, highest score first; those without one last."""
    return sorted(shown, key=lambda one: (-_known(scores[one.user, one.replicate]), one.replicate))


def _known(score: float) -> float:
    return float(score) if score == score else -1e9  # NaN is not equal to itself
