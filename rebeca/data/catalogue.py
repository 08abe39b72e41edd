"""The items of a data set, without their ratings, and who may be shown which."""

from __future__ import annotations

import lzma
import threading
import zipfile
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from rebeca.arrays import Bools, Ints, Pixels
from rebeca.errors import DataError
from rebeca.pixels import MOST_PIXELS, decode_image, pixels_digest
from rebeca.seeds import digest_of

DAMAGED_ARCHIVE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError, OSError)
"""What :mod:`zipfile` raises for archives that are damaged, encrypted, or packed in a way it does not know."""

SHOWN = 10
"""Items that cannot be read, in a message."""
KEPT_BYTES = 256 << 20
"""Memory for decoded items: about 5,000 of 128 x 128 pixels."""


class PixelSource(Protocol):
    """Gives the pixels of items, one at a time."""

    def read(self, index: int) -> Pixels:
        """uint8 RGB [height, width, 3] of item ``index``."""


@dataclass(frozen=True, slots=True, eq=False)
class ArraySource:
    """Items in memory, uint8 [n, height, width, 3]."""

    pixels: Pixels

    def read(self, index: int) -> Pixels:
        return self.pixels[index]


@dataclass(frozen=True, slots=True, eq=False)
class FolderSource:
    """Image files below a folder."""

    folder: Path
    files: tuple[str, ...]

    def read(self, index: int) -> Pixels:
        path = self.folder / self.files[index]
        try:
            return decode_image(path.read_bytes(), str(path))
        except FileNotFoundError as error:
            raise DataError(f"{path}: the image is listed but missing") from error


@dataclass(frozen=True, slots=True, eq=False)
class ZipSource:
    """Image files in a zip archive; read in place, never extracted."""

    archive: Path
    files: tuple[str, ...]

    def read(self, index: int) -> Pixels:
        name = f"{self.archive}!{self.files[index]}"
        try:
            with zipfile.ZipFile(self.archive) as archive:
                info = archive.getinfo(self.files[index])
                if info.file_size > MOST_PIXELS * 4:
                    raise DataError(f"{name}: {info.file_size} bytes unpacked is too large for an image")
                data = archive.read(info)
        except KeyError as error:
            raise DataError(f"{name}: the image is listed but not in the archive") from error
        except DAMAGED_ARCHIVE as error:
            raise DataError(f"{name}: cannot be read from the archive ({error})") from error
        return decode_image(data, name)


@dataclass(slots=True, eq=False)
class _Memory:
    """Decoded items, the most recent ones."""

    pixels: OrderedDict[int, Pixels] = field(default_factory=OrderedDict)
    bytes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(slots=True, eq=False)
class Catalogue:
    """All items of a data set.

    Attributes:
        item_ids: Ids.
        source: Reads the pixels of item ``index``: an object with the method ``read(index)``.
        block: int [items]; items of one block share their raters.
        captions: Captions where there are some, else empty strings.

    Example:
        >>> import numpy as np
        >>> from rebeca import Catalogue
        >>> class Greys:
        ...     def read(self, index):
        ...         return np.full((8, 8, 3), 100 * index, np.uint8)
        >>> catalogue = Catalogue(("dark", "bright"), Greys(), block=np.array([0, 0]), captions=("Night", "Fog"))
        >>> catalogue.captions[1], catalogue.pixels(1).shape, int(catalogue.pixels(1).max())
        ('Fog', (8, 8, 3), 100)
    """

    item_ids: tuple[str, ...]
    source: PixelSource
    block: Ints
    captions: tuple[str, ...] = ()
    _memory: _Memory = field(default_factory=_Memory)
    _digests: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.item_ids)

    def pixels(self, index: int) -> Pixels:
        """uint8 RGB [height, width, 3], read-only; the most recent items stay in memory."""
        memory = self._memory
        with memory.lock:
            if index in memory.pixels:
                memory.pixels.move_to_end(index)
                return memory.pixels[index]
        pixels = self.source.read(index).view()
        pixels.setflags(write=False)  # everybody is given the same array
        with memory.lock:
            if index not in memory.pixels:
                memory.pixels[index] = pixels
                memory.bytes += pixels.nbytes
            while memory.bytes > KEPT_BYTES:
                memory.bytes -= memory.pixels.popitem(last=False)[1].nbytes
        return pixels

    def without_captions(self) -> Catalogue:
        """The same items and decoded pixels, for who must not depend on captions."""
        return replace(self, captions=())

    def digest(self, index: int) -> str:
        """SHA-256 of the pixels."""
        if index not in self._digests:
            self._digests[index] = pixels_digest(self.pixels(index))
        return self._digests[index]

    def digests(self) -> list[str]:
        """SHA-256 of the pixels of every item.

        Raises:
            DataError: Naming the first items that cannot be read, and the number of all.
        """
        digests: list[str] = []
        damaged: list[DataError] = []
        for index in range(len(self)):
            try:
                digests.append(self.digest(index))
            except DataError as error:
                damaged.append(error)
        if damaged:
            more = f"\n  and {len(damaged) - SHOWN:,} more images" if len(damaged) > SHOWN else ""
            hint = next((error.hint for error in damaged if error.hint), "")
            raise DataError("\n  ".join(error.message for error in damaged[:SHOWN]) + more, hint=hint)
        return digests

    def originals(self) -> Ints:
        """Int [items]; the first item with the same pixels, which is the item itself where no earlier one has them.

        Raises:
            DataError: See :meth:`digests`.
        """
        first: dict[str, int] = {}
        return np.array([first.setdefault(digest, index) for index, digest in enumerate(self.digests())], np.int64)

    def fingerprint(self) -> str:
        """Changes with any pixel, id or caption, or the order of items."""
        described = [self.captions] if any(self.captions) else []
        return digest_of([self.item_ids, self.digests(), [int(b) for b in self.block], *described])


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Which items retrieval and nearest-item decoding may choose for a user.

    With ``held-out-items`` these are the held-out items of the user's block, otherwise all items that the user did not
    rate in training.

    Attributes:
        user_ids: Ids, in the order of the user index.
        of_block: bool [blocks, items]; candidates of each block.
        block_of_user: int [users].
        rated: Item indices that each user rated in training, or None with ``held-out-items``.

    Example:
        >>> import numpy as np
        >>> from rebeca import Candidates
        >>> every_item = np.ones((1, 4), bool)
        >>> rated = (np.array([0, 2]), np.array([3]))
        >>> candidates = Candidates(("ann", "bob"), every_item, np.array([0, 0]), rated)
        >>> candidates.of(0).tolist(), candidates.of(1).tolist()
        ([1, 3], [0, 1, 2])
    """

    user_ids: tuple[str, ...]
    of_block: Bools
    block_of_user: Ints
    rated: tuple[Ints, ...] | None = None

    def of(self, user: int) -> Ints:
        """Int [m]; candidate items of the user, ascending."""
        mask = self.of_block[self.block_of_user[user]].copy()
        if self.rated is not None:
            mask[self.rated[user]] = False
        return np.flatnonzero(mask)

    def may_show(self, users: Ints, items: Ints) -> Bools:
        """Bool [users, n]; which of the items, int [n], are candidates of each of the users, int [users]."""
        shown = self.of_block[self.block_of_user[users]][:, items]
        if self.rated is not None:
            for row, user in enumerate(users.tolist()):
                shown[row] &= ~np.isin(items, self.rated[user])
        return np.asarray(shown)
