"""Embeddings that somebody computed already: a NumPy file with a row a catalogue picture."""

from __future__ import annotations

import hashlib
import tokenize
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rebeca.arrays import Floats, Pixels
from rebeca.errors import DataError
from rebeca.interfaces import Encoder

DAMAGED = (tokenize.TokenError, zipfile.BadZipFile)


class Precomputed(Encoder):
    """``precomputed:<file.npy>``, float [items, dim] in the order of items.csv; encodes catalogue pictures only."""

    def __init__(self, path: Path) -> None:
        try:
            table = np.load(path, mmap_mode="r", allow_pickle=False)  # a header that lies about its size costs nothing
        except FileNotFoundError as error:
            raise DataError(f"{path}: no such file", hint="float [items, dim], in the order of items.csv") from error
        except (OSError, ValueError, EOFError, SyntaxError, TypeError, OverflowError, *DAMAGED) as error:
            raise DataError(f"{path}: not a NumPy array file ({error})") from error
        if not isinstance(table, np.ndarray):
            raise DataError(f"{path}: an archive of arrays", hint="save one array, float [items, dim], with numpy.save")
        if table.ndim != 2 or not np.issubdtype(table.dtype, np.floating):
            raise DataError(f"{path}: expected floats [items, dim], found {table.dtype} {list(table.shape)}")
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is named below
            single = table.astype(np.float32)
        bad = np.flatnonzero(~np.isfinite(single).all(axis=1))  # nor one that single precision cannot hold
        if len(bad):
            raise DataError(f"{path}: row {int(bad[0])} holds a number that is not finite")
        self.name = f"precomputed:{path.name}"
        self.dim = table.shape[1]
        self._table = single
        self._path = path

    @property
    def fingerprint(self) -> str:
        """Hash of the file's numbers."""
        return f"precomputed/1/{hashlib.sha256(self._table.tobytes()).hexdigest()}"

    def encode(self, pictures: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        """Looks up catalogue pictures.

        Raises:
            DataError: If a picture is not from the catalogue, or the file has too few rows.
        """
        if items is None or any(item is None for item in items):
            raise DataError(f"{self.name} knows catalogue pictures only", hint="use an encoder that reads pixels")
        index = [item for item in items if item is not None]
        if index and max(index) >= len(self._table):
            raise DataError(f"{self._path}: {len(self._table)} rows, but the catalogue has an item {max(index)}")
        return self._table[index]
