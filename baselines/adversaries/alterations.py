"""Small changes to items, after which an image is no copy of the item in every pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Literal, get_args

import numpy as np
from PIL import Image

from rebeca.arrays import Pixels
from rebeca.seeds import substream

Alteration = Literal["noise", "crop", "flip", "hue", "jpeg", "half", "frame", "turn"]
NOISE = 8
"""Largest change of a pixel, of 255."""
CROP = 0.9
"""Share of width and height that a crop keeps."""
HUE = 7
"""Of Pillow's 256 grades of hue: ten degrees."""
JPEG_QUALITY = 50
FRAME = 0.1
"""Of each side, on both ends."""


def with_noise(pixels: Pixels, budget: int, seed: int) -> Pixels:
    """uint8 RGB, [height, width, 3]; every value moves by a whole number of at most ``budget``.

    Args:
        pixels: The item.
        budget: Largest change, of 255.
        seed: Of the image.
    """
    noise = np.random.default_rng(substream(seed, "attack-noise")).integers(
        -budget, budget, pixels.shape, endpoint=True
    )
    changed: Pixels = np.clip(pixels.astype(np.int64) + noise, 0, 255).astype(np.uint8)
    return changed


def with_one_step(pixels: Pixels, seed: int) -> Pixels:
    """uint8 RGB, [height, width, 3]; one value moves by 1, so that the digest is another one."""
    rng = np.random.default_rng(substream(seed, "attack-step"))
    place = tuple(int(rng.integers(size)) for size in pixels.shape)
    changed = pixels.copy()
    changed[place] = int(changed[place]) + (1 if changed[place] < 255 else -1)
    return changed


def altered(pixels: Pixels, alteration: Alteration, seed: int) -> Pixels:
    """uint8 RGB of the same size, or half of it.

    Args:
        pixels: The item, [height, width, 3].
        alteration: ``noise`` of at most 8 of 255; ``crop`` to a random 90 % and back to the size; ``flip`` left to
            right; ``hue`` turned by ten degrees; ``jpeg`` of quality 50; ``half`` width and height; a white ``frame``
            of a tenth of each side; ``turn`` upside down.
        seed: Of the image.
    """
    changes: Mapping[str, Callable[[Pixels, int], Pixels]] = {
        "noise": lambda pixels, seed: with_noise(pixels, NOISE, seed),
        "crop": _cropped,
        "flip": lambda pixels, seed: np.ascontiguousarray(pixels[:, ::-1]),
        "hue": lambda pixels, seed: _turned(pixels),
        "jpeg": lambda pixels, seed: _compressed(pixels),
        "half": lambda pixels, seed: _halved(pixels),
        "frame": lambda pixels, seed: _framed(pixels),
        "turn": lambda pixels, seed: np.ascontiguousarray(pixels[::-1, ::-1]),
    }
    assert set(changes) == set(get_args(Alteration))
    return changes[alteration](pixels, seed)


def _cropped(pixels: Pixels, seed: int) -> Pixels:
    rng = np.random.default_rng(substream(seed, "attack-crop"))
    height, width = pixels.shape[:2]
    kept_height, kept_width = max(1, round(height * CROP)), max(1, round(width * CROP))
    top, left = (int(rng.integers(size + 1)) for size in (height - kept_height, width - kept_width))
    box = (left, top, left + kept_width, top + kept_height)
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC, box=box))


def _turned(pixels: Pixels) -> Pixels:
    hue = np.array(Image.fromarray(pixels).convert("HSV"))
    hue[..., 0] += np.uint8(HUE)  # wraps around at 256, as hues do
    return np.asarray(Image.fromarray(hue, "HSV").convert("RGB"))


def _compressed(pixels: Pixels) -> Pixels:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(buffer).convert("RGB"))


def _halved(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    size = (max(1, width // 2), max(1, height // 2))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def _framed(pixels: Pixels) -> Pixels:
    framed = np.full_like(pixels, 255)
    rows, columns = (round(FRAME * size) for size in pixels.shape[:2])
    inner = slice(rows, pixels.shape[0] - rows), slice(columns, pixels.shape[1] - columns)
    framed[inner] = pixels[inner]
    return framed
