"""Pictures of a unit of work: what a generator made, checked, and stored without copies of catalogue pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from rebeca.arrays import Floats, Pixels
from rebeca.data.catalogue import MOST_PIXELS, Catalogue
from rebeca.errors import GeneratorError
from rebeca.interfaces import Picture, Request

BLANK_DEVIATION = 1.0
"""A picture whose pixels vary less than this (of 255) shows nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """One picture as it is stored.

    Attributes:
        user: Person's id.
        replicate: Within the person.
        seed: Picture's seed.
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


def check(picture: object, request: Request, catalogue: Catalogue, generator: str) -> Made:
    """Checks what a generator answered to a request.

    Raises:
        GeneratorError: If it is no picture at all; a picture that is missing or blank is a counted failure.
    """
    where = f"generator '{generator}', user '{request.user}', picture {request.replicate}"
    if picture is None:
        return Made(request.user, request.replicate, request.seed, "", -1, "missing")
    if not isinstance(picture, Picture):
        raise GeneratorError(f"{where}: expected a Picture, got {type(picture).__name__}")
    pixels: Any = picture.pixels
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        found = f"{pixels.dtype} {list(pixels.shape)}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise GeneratorError(f"{where}: expected uint8 RGB [height, width, 3], got {found}")
    if picture.embedding is not None and not np.isfinite(picture.embedding).all():
        raise GeneratorError(f"{where}: the embedding holds a number that is not finite")
    item = -1 if picture.item is None else int(picture.item)
    if item >= len(catalogue):
        raise GeneratorError(f"{where}: there is no catalogue picture {item}")
    if not 0 < pixels.shape[0] * pixels.shape[1] <= MOST_PIXELS:
        raise GeneratorError(
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
    folder: Path, answers: Iterator[object], requests: Sequence[Request], catalogue: Catalogue, generator: str
) -> None:
    """Takes a generator's answers to ``requests`` and writes them into a folder.

    Raises:
        GeneratorError: If there are too few or too many answers, or one breaks the contract.
    """
    made: list[Made] = []
    embeddings: list[Floats | None] = []
    seen: set[str] = set()
    for request in requests:
        try:
            answer = next(answers)
        except StopIteration:
            raise GeneratorError(
                f"generator '{generator}' answered {len(made)} of {len(requests)} requests",
                hint="generate must yield one picture, or None, a request",
            ) from None
        row = check(answer, request, catalogue, generator)
        made.append(row)
        embeddings.append(answer.embedding if isinstance(answer, Picture) else None)
        if isinstance(answer, Picture) and row.item < 0 and row.digest not in seen:
            seen.add(row.digest)
            (folder / f"{row.digest}.png").write_bytes(png(answer.pixels))
    if next(answers, None) is not None:
        raise GeneratorError(f"generator '{generator}' answered more than {len(requests)} requests")
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
    if all(e is not None for e in embeddings):
        np.save(folder / "embeddings.npy", np.stack([np.asarray(e, np.float32) for e in embeddings]))


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
