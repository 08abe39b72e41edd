"""The catalogue in an encoder's space: encoded in chunks, so that an interruption costs one of them at most."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.runner.images import LazyPixels
from rebeca.arrays import Floats
from rebeca.data.catalogue import Catalogue
from rebeca.interfaces import Encoder

FILE = "embeddings.npy"
PROGRESS = "progress.json"
CHUNK = 2048
"""Pictures; a multiple of every encoder's own batch. With another one the last batch of a chunk is a smaller one."""
MAPPED_FROM = 64 << 20
"""Bytes from which on vectors stay on the disk and are read where they are used."""


def encode_catalogue(
    encoder: Encoder[Any], catalogue: Catalogue, folder: Path, report: Callable[[int, int, str], None]
) -> Path:
    """Encodes every picture, going on where an earlier call stopped.

    Args:
        encoder: A fitted encoder, behind its guard.
        catalogue: The pictures.
        folder: Where the unfinished file lies; named by all that the vectors depend on.
        report: Told how many pictures are done.

    Returns:
        float32 [items, dim] as ``.npy``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape = (len(catalogue), encoder.dim)
    vectors, done = _opened(folder, shape)
    for start in range(done, shape[0], CHUNK):
        items = range(start, min(start + CHUNK, shape[0]))
        found = encoder.encode(LazyPixels(catalogue.pixels, items), list(items))
        vectors[start : items.stop] = found
        vectors.flush()
        temporary = folder / f"{PROGRESS}.tmp"
        temporary.write_text(json.dumps({"done": items.stop}), encoding="utf-8")
        temporary.replace(folder / PROGRESS)
        report(items.stop, shape[0], "pictures")
    return folder / FILE


def read_vectors(path: Path) -> Floats:
    """float32 [items, dim]; large ones stay on the disk, read-only."""
    mode: Any = "r" if path.stat().st_size >= MAPPED_FROM else None
    vectors: Floats = np.load(path, mmap_mode=mode, allow_pickle=False)
    return vectors


def _opened(folder: Path, shape: tuple[int, int]) -> tuple[Any, int]:
    """The unfinished file and how many rows of it count; a new one where there is none of this shape."""
    path = folder / FILE
    try:
        done = int(json.loads((folder / PROGRESS).read_text(encoding="utf-8"))["done"])
        vectors = np.lib.format.open_memmap(path, mode="r+")
        if vectors.shape == shape and vectors.dtype == np.float32 and 0 <= done <= shape[0]:
            return vectors, done
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # nothing there, or cut short: begin anew
        pass
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape), 0
