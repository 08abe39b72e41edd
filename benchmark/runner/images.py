"""Pictures of a unit of work: what a generator made, checked, and stored without copies of catalogue pictures."""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from rebeca.arrays import Floats, Pixels
from rebeca.data.catalogue import Catalogue
from rebeca.errors import PluginError
from rebeca.interfaces import GeneratedImage, Request
from rebeca.pixels import MOST_PIXELS

BATCH = "batch.json"
WRITERS = 4
"""Threads that pack and write pictures."""
MOST_WAITING = 64
"""Pictures that wait to be written; then the generator waits."""
BLANK_DEVIATION = 1.0
"""A picture whose pixels vary less than this (of 255) shows nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """One picture as it is stored.

    Attributes:
        user: Person's id.
        replicate: Within the person.
        seed: The image's seed.
        digest: SHA-256 of the pixels, empty when missing.
        item: Catalogue index, or -1.
        failure: ``missing``, ``blank``, or empty.
    """

    user: str
    replicate: int
    seed: int
    digest: str
    item: int
    failure: str


class KeptPixels:
    """Pictures that were just made or read, by digest, so that every scorer need not decode them again."""

    def __init__(self, most: int | None = None) -> None:
        self.most = _an_eighth_of_memory() if most is None else most
        self._bytes = 0
        self._kept: dict[str, Pixels] = {}
        self._lock = threading.Lock()

    def add(self, digest: str, pixels: Pixels) -> None:
        """Keeps a picture while there is room."""
        with self._lock:
            if digest not in self._kept and self._bytes + pixels.nbytes <= self.most:
                self._kept[digest] = pixels
                self._bytes += pixels.nbytes

    def get(self, digest: str) -> Pixels | None:
        """A picture, where it was kept."""
        return self._kept.get(digest)

    def clear(self) -> None:
        """Forgets all."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0


def _an_eighth_of_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8
    except (AttributeError, ValueError):  # not POSIX
        return 512 << 20


def check(picture: object, request: Request, catalogue: Catalogue, generator: str) -> Made:
    """Checks what a generator answered to a request.

    Raises:
        PluginError: If it is no picture at all; a picture that is missing or blank is a counted failure.
    """
    where = f"generator '{generator}', user '{request.user}', picture {request.replicate}"
    if picture is None:
        return Made(request.user, request.replicate, request.seed, "", -1, "missing")
    if not isinstance(picture, GeneratedImage):
        raise PluginError(f"{where}: expected a GeneratedImage, got {type(picture).__name__}")
    pixels: Any = picture.pixels
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        found = f"{pixels.dtype} {list(pixels.shape)}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise PluginError(f"{where}: expected uint8 RGB [height, width, 3], got {found}")
    if picture.embedding is not None and not np.isfinite(picture.embedding).all():
        raise PluginError(f"{where}: the embedding holds a number that is not finite")
    item = -1 if picture.item is None else int(picture.item)
    if item >= len(catalogue):
        raise PluginError(f"{where}: there is no catalogue picture {item}")
    if not 0 < pixels.shape[0] * pixels.shape[1] <= MOST_PIXELS:
        raise PluginError(
            f"{where}: {pixels.shape[1]} x {pixels.shape[0]} pixels; a picture has 1 to {MOST_PIXELS:,} of them"
        )
    digest = catalogue.digest(item) if item >= 0 else picture.digest()
    blank = item < 0 and _deviation(pixels) < BLANK_DEVIATION
    return Made(request.user, request.replicate, request.seed, digest, item, "blank" if blank else "")


def _deviation(pixels: Pixels) -> float:
    """Standard deviation over all values, from a histogram: without a copy in floating point."""
    count = np.array(Image.fromarray(pixels).histogram()).reshape(3, 256).sum(axis=0)
    levels = np.arange(256)
    mean = (count * levels).sum() / count.sum()
    return float(np.sqrt((count * (levels - mean) ** 2).sum() / count.sum()))


def write_unit(
    folder: Path,
    answers: Iterator[object],
    requests: Sequence[Request],
    catalogue: Catalogue,
    generator: str,
    kept: KeptPixels | None = None,
) -> None:
    """Takes a generator's answers to ``requests`` and writes them into a folder.

    Files are packed and written beside the making of the next pictures.

    Args:
        folder: Where to.
        answers: One a request.
        requests: What was asked for.
        catalogue: All pictures of the data set.
        generator: Its id, for messages.
        kept: Takes the pictures for the scorers.

    Raises:
        PluginError: If there are too few or too many answers, or one breaks the contract.
    """
    made: list[Made] = []
    embeddings: list[Floats | None] = []
    seen: set[str] = set()
    with ThreadPoolExecutor(WRITERS) as pool:
        writing: deque[Future[int]] = deque()
        for request in requests:
            try:
                answer = next(answers)
            except StopIteration:
                raise PluginError(
                    f"generator '{generator}' answered {len(made)} of {len(requests)} requests",
                    hint="generate must yield one picture, or None, a request",
                ) from None
            row = check(answer, request, catalogue, generator)
            made.append(row)
            embeddings.append(answer.embedding if isinstance(answer, GeneratedImage) else None)
            if isinstance(answer, GeneratedImage) and row.item < 0 and row.digest not in seen:
                seen.add(row.digest)
                pixels = answer.pixels.copy()  # a generator may use its array again while this one waits
                if kept is not None:
                    kept.add(row.digest, pixels)
                writing.append(pool.submit(_write_png, folder / f"{row.digest}.png", pixels))
            while len(writing) > MOST_WAITING:
                writing.popleft().result()
        for one in writing:
            one.result()
    if next(answers, None) is not None:
        raise PluginError(f"generator '{generator}' answered more than {len(requests)} requests")
    table = pa.table(
        {
            "user": [m.user for m in made],
            "replicate": pa.array([m.replicate for m in made], pa.int32()),
            "seed": pa.array([m.seed for m in made], pa.uint64()),
            "digest": [m.digest for m in made],
            "item": pa.array([m.item for m in made], pa.int32()),
            "failure": [m.failure for m in made],
        }
    )
    pq.write_table(table, folder / "pictures.parquet")
    known = [np.asarray(e, np.float32) for e in embeddings if e is not None]
    if known:
        unknown = np.full_like(known[0], np.nan)
        vectors = [unknown if e is None else np.asarray(e, np.float32) for e in embeddings]
        np.save(folder / "embeddings.npy", np.stack(vectors))


def write_batch(folder: Path, batch: int) -> None:
    """Writes how many pictures of a unit were made at once."""
    (folder / BATCH).write_text(json.dumps(batch), encoding="utf-8")


def read_batches(folders: Sequence[Path]) -> list[int]:
    """Every number of pictures that units were made with at once; none where it does not matter."""
    paths = [folder / BATCH for folder in folders]
    return sorted({int(json.loads(path.read_text(encoding="utf-8"))) for path in paths if path.is_file()})


def _write_png(path: Path, pixels: Pixels) -> int:
    return path.write_bytes(png(pixels))


def read_unit(folder: Path) -> list[Made]:
    """Reads what :func:`write_unit` wrote, without pixels."""
    columns = pq.read_table(folder / "pictures.parquet").to_pydict()
    return [Made(*values) for values in zip(*(columns[name] for name in Made.__slots__), strict=True)]


def read_embeddings(folders: Sequence[Path]) -> Floats:
    """float32 [pictures, dim]; what the units' pictures were decoded from, NaN where the generator did not say."""
    paths = [folder / "embeddings.npy" for folder in folders]
    known = {path: np.load(path, allow_pickle=False) for path in paths if path.is_file()}
    dim = max((vectors.shape[1] for vectors in known.values()), default=1)
    parts = [
        known[path] if path in known else np.full((len(read_unit(folder)), dim), np.nan)
        for folder, path in zip(folders, paths, strict=True)
    ]
    return np.concatenate(parts)


def png(pixels: Pixels) -> bytes:
    """A PNG file, without loss."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


class LazyPixels(Sequence[Pixels]):
    """Pictures that are read when an encoder asks for them."""

    def __init__(self, read: Callable[[int], Pixels], items: Sequence[int]) -> None:
        self._read, self._items = read, items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._read(i) for i in self._items[index]]
        return self._read(self._items[index])
