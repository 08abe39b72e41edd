"""Embeddings from another program: a NumPy file with one row per item."""

from __future__ import annotations

import tokenize
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from rebeca.arrays import Floats, Pixels
from rebeca.errors import DataError
from rebeca.hashes import file_hash
from rebeca.interfaces import Encoder

DAMAGED = (tokenize.TokenError, zipfile.BadZipFile)
LAYOUT = "float [items, dim], in the order of items.csv"


@dataclass(frozen=True, slots=True)
class PrecomputedParams:
    """Parameters of a task file.

    Attributes:
        file: A ``.npy`` file, relative to the task file; given after the colon.
        space: The encoder that computed it, as tasks name it, such as ``published:vit-h``. The file itself cannot say.
    """

    FILES: ClassVar[tuple[str, ...]] = ("file",)
    file: str
    space: str = ""


class Precomputed(Encoder[PrecomputedParams]):
    """``precomputed:<file.npy>``, float [items, dim] in the order of items.csv; encodes items only."""

    Params = PrecomputedParams
    ARGUMENT = "file"

    @classmethod
    def fingerprint(cls, params: PrecomputedParams) -> str:
        try:
            return file_hash(Path(params.file))
        except OSError as error:
            raise _unreadable(Path(params.file), error) from error

    @classmethod
    def space(cls, params: PrecomputedParams) -> str:
        return params.space

    @cached_property
    def _table(self) -> Floats:
        return read_embeddings(Path(self.params.file))

    @property
    def dim(self) -> int:
        return self._table.shape[1]

    def encode(self, images: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        """Looks up items, float32 [n, dim].

        Raises:
            DataError: If an image is no item of the data set, or the file has too few rows.
        """
        if items is None or any(item is None for item in items):
            raise DataError(
                f"precomputed:{Path(self.params.file).name} knows items of the data set only",
                hint="use an encoder that reads pixels",
            )
        index = [item for item in items if item is not None]
        if index and max(index) >= len(self._table):
            raise DataError(f"{self.params.file}: {len(self._table)} rows, but the catalogue has an item {max(index)}")
        return self._table[index]


def read_embeddings(path: Path) -> Floats:
    """Reads and checks a file of embeddings, float32 [items, dim].

    Raises:
        DataError: If it is no array of finite floats with two dimensions.
    """
    try:
        table = np.load(path, mmap_mode="r", allow_pickle=False)  # a wrong size in the header fills no memory
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, EOFError, SyntaxError, TypeError, OverflowError, *DAMAGED) as error:
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
    return single


def _unreadable(path: Path, error: OSError) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path}: no such file", hint=LAYOUT)
    return DataError(f"{path}: not a NumPy array file ({error})")
