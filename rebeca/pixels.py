"""Decoding image files, limits on their size, and digests of pixels."""

from __future__ import annotations

import hashlib
import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from rebeca.arrays import Pixels
from rebeca.errors import DataError

DECODING = 3
"""Raised whenever the same file could give other pixels; in the addresses of all that is read from image files."""
MOST_PIXELS = 64_000_000
"""Larger images are refused by their header, before any pixel is decoded."""
BACKGROUND = (255, 255, 255, 255)
"""White, behind transparent pixels."""
LARGEST_12_BIT, LARGEST_16_BIT = 4_095, 65_535
BITS_PER_SAMPLE, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0
"""Tags of TIFF; Pillow looks after them in images of 8 bits only."""
LEVELS_OF_RAW: Mapping[str, float] = {"L;2": 85, "L;4": 17, "RGB;16B": 1 / 256}
"""What Pillow multiplies the values of PNG files by, but not their transparent value, by the raw mode of the file."""
DAMAGED = "open the file in a viewer; save it again as PNG, JPEG or WebP, or leave the image out"
HEIC = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Of RGB in [0, 1], as every CLIP model was trained with."""


def decode_image(data: bytes, name: str) -> Pixels:
    """Decodes one image file, as a viewer shows it.

    The image is turned as its EXIF says. Transparent pixels show white behind them. 16-bit values are divided by 257,
    and 12-bit values by 4,095 / 255. Values in floating point count from 0 to 1, or from 0 to 255 where one of them is
    above 1. Of several frames the first is taken. Colour profiles are not applied.

    Args:
        data: Contents of the file.
        name: File name for messages.

    Returns:
        uint8 RGB, [height, width, 3].

    Raises:
        DataError: If it is no image, is damaged, has more than :data:`MOST_PIXELS` pixels, or values whose range nobody
            can know.
    """
    with _one_message(name, data), Image.open(BytesIO(data)) as image:
        return _decoded(image, name)


def shown_image(image: Image.Image, name: str) -> Pixels:
    """uint8 RGB of one of Pillow's images, as :func:`decode_image` shows its file; the image itself stays as it is.

    Raises:
        DataError: As :func:`decode_image`; or if its file was closed before any pixel was read.
    """
    if getattr(image, "tile", None) and getattr(image, "fp", None) is None:
        raise DataError(
            f"{name}: its file was closed before it was read", hint="give the path, or call load() while it is open"
        )
    with _one_message(name):
        return _decoded(image, name)


def _decoded(image: Image.Image, name: str) -> Pixels:
    if image.width * image.height > MOST_PIXELS:
        raise DataError(f"{name}: {image.width} x {image.height} pixels are too many (at most {MOST_PIXELS:,})")
    tiles = getattr(image, "tile", None)  # only of images that were opened and not yet read
    raw = str(tiles[0].args) if tiles else ""
    return _as_shown(ImageOps.exif_transpose(image), name, getattr(image, "tag_v2", {}), LEVELS_OF_RAW.get(raw, 1))


def _as_shown(image: Image.Image, name: str, tags: Mapping[int, Any], levels: float) -> Pixels:
    """uint8 RGB of an image of any mode.

    Args:
        image: The image.
        name: Of its file, for messages.
        tags: Those of a TIFF file.
        levels: What the file's values were multiplied by.
    """
    transparent = image.info.get("transparency")
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        grey = _grey(values, LARGEST_12_BIT if tags.get(BITS_PER_SAMPLE) == (12,) else LARGEST_16_BIT, name)
        if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
            grey = 255 - grey
        if isinstance(transparent, int):
            grey[values == transparent] = BACKGROUND[0]
        return np.repeat(grey[:, :, None], 3, axis=2)
    if isinstance(transparent, int) and image.mode == "L":
        image.info["transparency"] = int(transparent * levels)
    elif isinstance(transparent, tuple):
        image.info["transparency"] = tuple(int(value * levels) for value in transparent)
    if image.mode == "La":
        image = image.convert("LA")  # Pillow converts it to nothing else
    if image.has_transparency_data:
        over = Image.new("RGBA", image.size, BACKGROUND)
        over.alpha_composite(image.convert("RGBA"))
        image = over
    return np.asarray(image.convert("RGB"))


def _grey(values: npt.NDArray[Any], largest: int, name: str) -> Pixels:
    """uint8 [height, width] of values of 12, 16 or 32 bits; ``largest`` is white where they are integers.

    Raises:
        DataError: If they are neither 16-bit values nor between 0 and 255.
    """
    low, high = (values.min(), values.max()) if np.isfinite(values).all() else (np.nan, np.nan)
    if np.issubdtype(values.dtype, np.integer) and low >= 0 and high <= largest:
        scaled = values / (largest / 255)
    elif np.issubdtype(values.dtype, np.floating) and low >= 0 and high <= 255:
        scaled = values * (255.0 if high <= 1 else 1.0)
    else:
        raise DataError(
            f"{name}: grey values from {low:g} to {high:g} have no known range",
            hint="save the image with 8 or 16 bits, or with values from 0 to 1",
        )
    return np.round(scaled).astype(np.uint8)


def centre_square(pixels: Pixels) -> Pixels:
    """The square in the middle, as wide as the shorter side: what encoders of CLIP's kind see.

    Example:
        >>> import numpy as np
        >>> from rebeca.pixels import centre_square
        >>> centre_square(np.zeros((4, 9, 3), np.uint8)).shape
        (4, 4, 3)
    """
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def pixels_digest(pixels: Pixels) -> str:
    """SHA-256 over shape and pixel values: equal for equal images, whatever file they came in."""
    header = f"{pixels.shape[0]}x{pixels.shape[1]}:".encode()
    return hashlib.sha256(header + np.ascontiguousarray(pixels).tobytes()).hexdigest()


@contextmanager
def _one_message(name: str, data: bytes = b"") -> Iterator[None]:
    """Whatever Pillow raises for an image is one message with its name.

    Args:
        name: Of the image.
        data: Contents of its file, if it is read from one.
    """
    try:
        with _only_bombs_are_errors():
            yield
    except UnidentifiedImageError as error:
        if data[4:8] == b"ftyp" and data[8:12] in HEIC:
            raise DataError(f"{name}: a HEIC image", hint="convert it to PNG, JPEG or WebP") from error
        raise DataError(f"{name}: not a readable image", hint=DAMAGED) from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{name}: too many pixels (at most {MOST_PIXELS:,}; {error})") from error
    except (OSError, SyntaxError, ValueError, RuntimeError, AttributeError, struct.error) as error:  # AVIF, DDS, EXIF
        raise DataError(f"{name}: not a readable image ({error})", hint=DAMAGED) from error


@contextmanager
def _only_bombs_are_errors() -> Iterator[None]:
    """Pillow warns of damaged EXIF and the like, which changes no pixel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield
