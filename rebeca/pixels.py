"""Decoding image files, limits on their size, and digests of pixels."""

from __future__ import annotations

import hashlib
import warnings
from io import BytesIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from rebeca.arrays import Pixels
from rebeca.errors import DataError

MOST_PIXELS = 64_000_000
"""Larger images are refused by their header, before any pixel is decoded."""
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Of RGB in [0, 1], as every CLIP model was trained with."""


def decode_image(data: bytes, name: str) -> Pixels:
    """Decodes one image file.

    Args:
        data: Contents of the file.
        name: File name for messages.

    Returns:
        uint8 RGB, [height, width, 3].

    Raises:
        DataError: If it is no image, is damaged, or has more than :data:`MOST_PIXELS` pixels.
    """
    try:
        with (
            warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning),
            Image.open(BytesIO(data)) as image,
        ):
            if image.width * image.height > MOST_PIXELS:
                raise DataError(f"{name}: {image.width} x {image.height} pixels are too many (at most {MOST_PIXELS:,})")
            return np.asarray(image.convert("RGB"))
    except UnidentifiedImageError as error:
        raise DataError(f"{name}: not a readable image") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{name}: too many pixels (at most {MOST_PIXELS:,}; {error})") from error
    except (OSError, SyntaxError, ValueError, RuntimeError, AttributeError) as error:  # the last two: AVIF, DDS, SPIDER
        raise DataError(f"{name}: not a readable image ({error})") from error


def pixels_digest(pixels: Pixels) -> str:
    """SHA-256 over shape and pixel values: equal for equal images, whatever file they came in."""
    header = f"{pixels.shape[0]}x{pixels.shape[1]}:".encode()
    return hashlib.sha256(header + np.ascontiguousarray(pixels).tobytes()).hexdigest()
