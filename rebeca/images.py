"""Images in whatever form a caller has them: a folder, paths, Pillow's images, arrays. They are read when needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from rebeca.arrays import Pixels
from rebeca.errors import DataError
from rebeca.pixels import MOST_PIXELS, decode_image, shown_image
from rebeca.spans import Part, span

__all__ = ["Images", "read_images"]

SUFFIXES = (".avif", ".bmp", ".gif", ".heic", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Of the files in a folder that are read as images, in lower case."""
READERS = 8
"""Threads that read and decode the next batch of images."""
CHANNELS = (1, 3, 4)
"""Grey, RGB, and RGB with transparency."""
LAYOUT = "uint8 [height, width, 3], or [height, width] if it is grey"

SingleImage: TypeAlias = str | PathLike[str] | Image.Image | npt.NDArray[Any]
ImageSource: TypeAlias = str | PathLike[str] | Iterable[SingleImage]
"""A folder, or images."""


class LazyPixels(Sequence[Pixels]):
    """Images that are read when they are indexed, uint8 RGB [height, width, 3].

    Args:
        read: Reads one of the items.
        items: What is read, in the order of the images.
    """

    def __init__(self, read: Callable[[int], Pixels], items: Sequence[int]) -> None:
        self._read, self._items = read, items

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Pixels: ...
    @overload
    def __getitem__(self, index: slice) -> list[Pixels]: ...
    def __getitem__(self, index: int | slice) -> Pixels | list[Pixels]:
        if isinstance(index, slice):
            return [self._read(item) for item in self._items[index]]
        return self._read(self._items[index])


class Images(LazyPixels):
    """Images with names; :func:`read_images` makes them.

    Example:
        >>> import numpy as np
        >>> from rebeca.images import Images, read_images
        >>> images = read_images(np.zeros((2, 32, 48, 3), np.uint8))
        >>> isinstance(images, Images), len(images), images.names
        (True, 2, ('images[0]', 'images[1]'))

    Attributes:
        names: One per image: the file's name for a folder, the path for a path, else ``images[3]`` for the fourth.
    """

    def __init__(self, entries: Sequence[SingleImage], names: Sequence[str]) -> None:
        super().__init__(partial(_pixels_of, tuple(entries), tuple(names), threading.Lock()), range(len(entries)))
        self.names = tuple(names)


def read_images(source: ImageSource) -> Images:
    """Images as every encoder and scorer of this package takes them: uint8 RGB [height, width, 3].

    All kinds become what a viewer shows, see :func:`rebeca.pixels.decode_image`: grey becomes RGB, transparent pixels
    show white behind them, and EXIF turns the image. Files are read and decoded only when they are indexed, so a large
    folder needs little memory.

    Args:
        source: A folder, whose image files are taken in the order of their names (``10.png`` before ``9.png``). Or a
            sequence of paths, Pillow's images, and uint8 arrays [height, width] (grey) or [height, width, 3 or 4] (RGB,
            RGBA), mixed at will.

    Returns:
        A sequence with the images' ``names``.

    Raises:
        DataError: Naming the folder, the missing file, or what is no image. Damaged files are named when they are
            indexed.

    Example:
        >>> import numpy as np
        >>> from PIL import Image
        >>> from rebeca.images import read_images
        >>> images = read_images([np.zeros((32, 48), np.uint8), Image.new("RGBA", (20, 10))])
        >>> images.names
        ('images[0]', 'images[1]')
        >>> [image.shape for image in images]
        [(32, 48, 3), (10, 20, 3)]
        >>> images[1].min()  # transparent: the white behind it
        np.uint8(255)
    """
    if isinstance(source, Images):
        return source
    if isinstance(source, str | PathLike):
        return _of_folder(Path(source))
    if isinstance(source, Image.Image) or (isinstance(source, np.ndarray) and source.ndim in (2, 3)):
        raise DataError("images is a single image, expected several", hint="give a list: [image]")
    if not isinstance(source, Iterable):
        raise DataError(f"images is a {type(source).__name__}", hint="give a folder, or a list of images")
    entries = tuple(source)
    return Images(entries, [_name_of(entry, f"images[{i}]") for i, entry in enumerate(entries)])


def batches(images: Sequence[Pixels], size: int) -> Iterator[list[Pixels]]:
    """Batches of images; the next one is read while this one is used."""
    with ThreadPoolExecutor(READERS) as pool:
        waiting = [pool.submit(images.__getitem__, i) for i in range(min(size, len(images)))]
        for start in range(size, len(images) + size, size):
            with span(Part.DATA, "wait for images to be read"):
                batch = [future.result() for future in waiting]
            waiting = [pool.submit(images.__getitem__, i) for i in range(start, min(start + size, len(images)))]
            yield batch


def _of_folder(folder: Path) -> Images:
    if not folder.is_dir():
        problem = "is a file, expected a folder" if folder.exists() else "no such folder"
        raise DataError(f"{folder}: {problem}", hint="give a folder, or a list of paths: [path]")
    files = [
        path
        for path in sorted(folder.iterdir(), key=lambda path: path.name)
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
    if not files:
        raise DataError(
            f"{folder}: the folder holds no images",
            hint="give a list of paths if they lie in folders below it, or have other endings than"
            f" {', '.join(SUFFIXES)}",
        )
    return Images(files, [path.name for path in files])


def _name_of(entry: object, place: str) -> str:
    """The name of an image, which is not read yet.

    Raises:
        DataError: If it is no image, or its file is missing.
    """
    if isinstance(entry, str | PathLike):
        if not Path(entry).is_file():
            problem = "is a folder" if Path(entry).is_dir() else "no such file"
            raise DataError(f"{place}: {entry}: {problem}", hint="a folder is given alone, files in a list")
        return str(entry)
    if isinstance(entry, Image.Image):
        shape: tuple[int, ...] = (entry.height, entry.width)
    elif isinstance(entry, np.ndarray):
        shape = entry.shape
        if entry.dtype != np.uint8:
            raise DataError(
                f"{place}: an array of {entry.dtype}, expected uint8, 0 to 255",
                hint="for values from 0 to 1: (255 * array).round().astype(np.uint8)",
            )
    else:
        kind = type(entry).__name__
        raise DataError(
            f"{place}: a {kind}, expected a path, one of Pillow's images, or an array", hint=f"an array is {LAYOUT}"
        )
    if len(shape) not in (2, 3) or shape[2:] not in [(), *((count,) for count in CHANNELS)] or 0 in shape:
        raise DataError(f"{place}: shape {list(shape)} is no image", hint=f"an array is {LAYOUT}")
    if shape[0] * shape[1] > MOST_PIXELS:
        raise DataError(f"{place}: {shape[1]} x {shape[0]} pixels are too many (at most {MOST_PIXELS:,})")
    return place


def _pixels_of(entries: Sequence[SingleImage], names: Sequence[str], lock: threading.Lock, index: int) -> Pixels:
    """Reads an image; ``lock`` keeps threads apart where Pillow reads a file that was only opened."""
    entry, name = entries[index], names[index]
    if isinstance(entry, np.ndarray):
        return _rgb(entry, name)
    if isinstance(entry, Image.Image):
        with lock:
            return shown_image(entry, name)
    try:
        data = Path(entry).read_bytes()
    except OSError as error:
        raise DataError(f"{entry}: cannot be read ({error.strerror})") from error
    return decode_image(data, str(entry))


def _rgb(array: npt.NDArray[Any], name: str) -> Pixels:
    """uint8 [height, width, 3] of an array of as many channels as :data:`CHANNELS` says, or none."""
    if array.shape[2:] == (3,):
        return array
    return shown_image(Image.fromarray(array[:, :, 0] if array.shape[2:] == (1,) else array), name)
