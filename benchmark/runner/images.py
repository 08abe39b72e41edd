"""Images of a work unit: what a generator returned, checked, and stored without copies of the data set's items."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from rebeca.arrays import Floats, Pixels
from rebeca.data.catalogue import Catalogue
from rebeca.errors import PluginError
from rebeca.guards import check_image, refuse_if
from rebeca.interfaces import GeneratedImage, Request
from rebeca.spans import Part, span

BATCH = "batch.json"
EMBEDDINGS = "embeddings.npy"
TABLE = "images.parquet"
WRITERS = 4
"""Threads that compress and write images."""
MOST_WAITING = 64
"""Images that may wait to be written; beyond that the generator waits."""
BLANK_RANGE = 2
"""An image is blank if no channel differs by more levels (of 255) anywhere. A plain colour that went through a lossy
format differs by as much. One star in a night sky differs by far more, however small its share of the pixels."""


@dataclass(frozen=True, slots=True)
class ImageRow:
    """What is stored of one request's answer, pixels aside.

    Attributes:
        user: Id.
        replicate: Counted per user.
        seed: The image's seed.
        digest: SHA-256 of the pixels, empty where the image is missing.
        item: Index of the item that the generator chose, or -1.
        failure: ``missing``, ``blank``, or empty.
    """

    user: str
    replicate: int
    seed: int
    digest: str
    item: int
    failure: str


class PixelCache:
    """The images of one generator as scorers read them, so that they are decoded once and not by every scorer.

    Args:
        read: Returns the pixels of a digest.
        most: Bytes that are kept; by default an eighth of the machine's memory.
    """

    def __init__(self, read: Callable[[str], Pixels], most: int | None = None) -> None:
        self._read = read
        self._most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8 if most is None else most
        self._bytes = 0
        self._kept: dict[str, Pixels] = {}
        self._lock = threading.Lock()

    def get(self, digest: str) -> Pixels:
        """uint8 RGB [height, width, 3]."""
        kept = self._kept.get(digest)
        if kept is not None:
            return kept
        with span(Part.IMAGES, "read an image"):
            pixels = self._read(digest)
        pixels.setflags(write=False)  # other scorers are given the same array
        with self._lock:
            if digest not in self._kept and self._bytes + pixels.nbytes <= self._most:
                self._kept[digest] = pixels
                self._bytes += pixels.nbytes
        return pixels


def check(answer: object, request: Request, catalogue: Catalogue, generator: str) -> ImageRow:
    """Checks what a generator answered to a request.

    Raises:
        PluginError: If it is no image at all; one that is missing or blank is a counted failure.
    """
    where = f"generator '{generator}', user '{request.user}', image {request.replicate}"
    if answer is None:
        return ImageRow(request.user, request.replicate, request.seed, "", -1, "missing")
    if not isinstance(answer, GeneratedImage):
        raise PluginError(f"{where}: expected a GeneratedImage, got {type(answer).__name__}")
    check_image(answer, where, len(catalogue))
    item = -1 if answer.item is None else int(answer.item)
    digest = catalogue.digest(item) if item >= 0 else answer.digest()
    blank = item < 0 and _range(answer.pixels) <= BLANK_RANGE
    return ImageRow(request.user, request.replicate, request.seed, digest, item, "blank" if blank else "")


def _range(pixels: Pixels) -> int:
    """The largest difference of two values in one channel."""
    return int(np.ptp(pixels, axis=(0, 1)).max())


def write_unit(
    folder: Path, answers: Iterator[object], requests: Sequence[Request], catalogue: Catalogue, generator: str
) -> None:
    """Writes a generator's answers to ``requests`` into a folder.

    Files are compressed and written while the next images are generated.

    Args:
        folder: An empty folder.
        answers: One per request.
        requests: All requests of a work unit.
        catalogue: All items of the data set.
        generator: Its id, for messages.

    Raises:
        PluginError: If there are too few or too many answers, or one breaks the contract.
    """
    rows: list[ImageRow] = []
    embeddings: list[Floats | None] = []
    written: set[str] = set()
    with ThreadPoolExecutor(WRITERS) as pool:
        waiting: deque[Future[int]] = deque()
        for request in requests:
            try:
                answer = next(answers)
            except StopIteration:
                raise PluginError(
                    f"generator '{generator}' answered {len(rows)} of {len(requests)} requests",
                    hint="generate must yield one image, or None, per request",
                ) from None
            with span(Part.IMAGES, "check an image"):
                row = check(answer, request, catalogue, generator)
            rows.append(row)
            embeddings.append(answer.embedding if isinstance(answer, GeneratedImage) else None)
            if isinstance(answer, GeneratedImage) and row.item < 0 and row.digest not in written:
                written.add(row.digest)
                pixels = answer.pixels.copy()  # a generator may use its array again while this one waits
                path = folder / f"{row.digest}.png"
                waiting.append(pool.submit(copy_context().run, _write_png, path, pixels))
            with span(Part.IMAGES, "wait for images to be written"):
                while len(waiting) > MOST_WAITING:
                    waiting.popleft().result()
        with span(Part.IMAGES, "wait for images to be written"):
            for future in waiting:
                future.result()
    refuse_if(next(answers, None) is not None, f"generator '{generator}' answered more than {len(requests)} requests")
    with span(Part.IMAGES, "write the table of images"):
        _write_table(folder, rows)
    if lengths := sorted({len(embedding) for embedding in embeddings if embedding is not None}):
        refuse_if(
            len(lengths) > 1,
            f"generator '{generator}' returned embeddings of {lengths[0]} and of {lengths[-1]} numbers",
        )
        unknown = np.full(lengths[0], np.nan)
        vectors = [unknown if vector is None else vector for vector in embeddings]
        np.save(folder / EMBEDDINGS, np.array(vectors, np.float32))


def _write_table(folder: Path, rows: Sequence[ImageRow]) -> None:
    table = pa.table(
        {
            "user": [row.user for row in rows],
            "replicate": pa.array([row.replicate for row in rows], pa.int32()),
            "seed": pa.array([row.seed for row in rows], pa.uint64()),
            "digest": [row.digest for row in rows],
            "item": pa.array([row.item for row in rows], pa.int32()),
            "failure": [row.failure for row in rows],
        }
    )
    pq.write_table(table, folder / TABLE)


def failures_by_kind(rows: Sequence[ImageRow]) -> Counter[str]:
    return Counter(row.failure for row in rows if row.failure)


def write_batch(folder: Path, batch: int) -> None:
    """Writes how many images of a work unit were decoded at once."""
    (folder / BATCH).write_text(json.dumps(batch), encoding="utf-8")


def read_batches(folders: Sequence[Path]) -> list[int]:
    """How many images were decoded at once, each number once; empty where it does not matter."""
    paths = [folder / BATCH for folder in folders]
    return sorted({int(json.loads(path.read_text(encoding="utf-8"))) for path in paths if path.is_file()})


def _write_png(path: Path, pixels: Pixels) -> int:
    with span(Part.IMAGES, "write an image"):
        buffer = BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return path.write_bytes(buffer.getvalue())


def read_unit(folder: Path) -> list[ImageRow]:
    """Reads what :func:`write_unit` wrote, without pixels."""
    with span(Part.IMAGES, "read the table of images"):
        return [ImageRow(**row) for row in pq.read_table(folder / TABLE).to_pylist()]


def read_embeddings(folders: Sequence[Path]) -> Floats:
    """float32 [images, dim]; what the images were decoded from, NaN where the generator gave no embedding."""
    paths = [folder / EMBEDDINGS for folder in folders]
    known = {path: np.load(path, allow_pickle=False) for path in paths if path.is_file()}
    dim = max((vectors.shape[1] for vectors in known.values()), default=1)
    parts = [
        known[path] if path in known else np.full((len(read_unit(folder)), dim), np.nan)
        for folder, path in zip(folders, paths, strict=True)
    ]
    return np.concatenate(parts)
