"""Embed: all items in the space of every encoder of the task.

Items are encoded in chunks, so that an interruption costs one chunk at most.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.disk import write_atomically
from benchmark.records.costs import encode_stage
from benchmark.runner.addresses import EncoderAddress
from benchmark.runner.plugins import build_encoder
from benchmark.runner.progress import Report
from benchmark.runner.stages import Stages
from rebeca.arrays import Bools, Floats, Pixels
from rebeca.data.catalogue import Catalogue
from rebeca.images import LazyPixels
from rebeca.interfaces import Encoder

FILE = "embeddings.npy"
PROGRESS = "progress.json"
CHUNK = 2048
"""Items per chunk: a multiple of every encoder's own batch, so that no batch is cut at the end of a chunk."""
MAPPED_FROM = 64 << 20
"""Embeddings of this many bytes or more stay on the disk and are read where they are used."""


class Encoders:
    """The encoders of a task by role, built when first asked for, and then fitted if they learn.

    Args:
        addresses: Of encoders, by role.
        catalogue: All items.
        training_items: bool [items]; what encoders may learn from.
        device: Torch device.
    """

    def __init__(
        self, addresses: Mapping[str, EncoderAddress], catalogue: Catalogue, training_items: Bools, device: str
    ) -> None:
        self._addresses, self._catalogue, self._training_items = addresses, catalogue, training_items
        self._device = device
        self._built: dict[str, Encoder[Any]] = {}

    def learns_from(self, role: str) -> int:
        """Number of items that an encoder learns from when it is built."""
        learns = role not in self._built and self._addresses[role].encoder.learns
        return int(self._training_items.sum()) if learns else 0

    def get(self, role: str, report: Callable[[int], None] = lambda _: None) -> Encoder[Any]:
        """The encoder; ``report`` is called with the number of items read, if it learns now."""
        if role not in self._built:
            address = self._addresses[role]
            encoder = build_encoder(address.encoder, self._device)
            if address.encoder.learns:
                items = np.flatnonzero(self._training_items).tolist()
                reads = count(1)

                def read(item: int) -> Pixels:
                    report(next(reads))
                    return self._catalogue.pixels(item)

                encoder.fit(LazyPixels(read, items), items, address.seed)
            self._built[role] = encoder
        return self._built[role]

    def release(self) -> None:
        """Frees the memory of encoders that can be built again without learning anew."""
        self._built = {role: encoder for role, encoder in self._built.items() if self._addresses[role].encoder.learns}


def embed(role: str, encoders: Encoders, address: EncoderAddress, catalogue: Catalogue, stages: Stages) -> Floats:
    """float32 [items, dim]; all items in a role's space.

    Raises:
        PluginError: If the encoder breaks its contract.
    """
    unfinished = stages.store.checkpoint(address.embeddings)

    def write(folder: Path, report: Report) -> None:
        first = encoders.learns_from(role)
        total = first + len(catalogue)
        encoder = encoders.get(role, lambda done: report(min(done, first), total, "items"))
        encoded = encode_catalogue(encoder, catalogue, unfinished, lambda done: report(first + done, total, "items"))
        shutil.copyfile(encoded, folder / encoded.name)

    folder = stages.make(address.embeddings, encode_stage(role), write)
    shutil.rmtree(unfinished, ignore_errors=True)
    return read_vectors(folder / FILE)


def encode_catalogue(
    encoder: Encoder[Any], catalogue: Catalogue, folder: Path, report: Callable[[int], None] = lambda _: None
) -> Path:
    """Encodes every item, from where an earlier call stopped.

    Args:
        encoder: A fitted encoder.
        catalogue: The items.
        folder: Holds the unfinished file; named by all that the embeddings depend on.
        report: Called with the number of items done, whenever one is read.

    Returns:
        float32 [items, dim] as ``.npy``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape = (len(catalogue), encoder.dim)
    vectors, done = _opened(folder, shape)

    def read(item: int) -> Pixels:
        report(item)  # those before it are read
        return catalogue.pixels(item)

    for start in range(done, shape[0], CHUNK):
        items = range(start, min(start + CHUNK, shape[0]))
        vectors[start : items.stop] = encoder.encode(LazyPixels(read, items), list(items))
        vectors.flush()
        write_atomically(folder / PROGRESS, json.dumps({"done": items.stop}).encode())
        report(items.stop)
    return folder / FILE


def read_vectors(path: Path) -> Floats:
    """float32 [items, dim]; large files stay on the disk, read-only."""
    return np.load(path, mmap_mode="r" if path.stat().st_size >= MAPPED_FROM else None, allow_pickle=False)


def _opened(folder: Path, shape: tuple[int, int]) -> tuple[Any, int]:
    """The unfinished file and the number of its finished rows; a new file unless it has this shape."""
    path = folder / FILE
    try:
        done = int(json.loads((folder / PROGRESS).read_text(encoding="utf-8"))["done"])
        vectors = np.lib.format.open_memmap(path, mode="r+")
        if vectors.shape == shape and vectors.dtype == np.float32 and 0 <= done <= shape[0]:
            return vectors, done
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # absent or cut short: begin anew
        pass
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape), 0
