"""Whether an image could be a postcard of the world at all, by statistics of its detail and of its rows.

An image is inside the world when the statistics of its Haar wavelets, and the colours of the whole image and of its
rows, are not further from those of postcards than almost any postcard is (Mahalanobis distance). Gradients, plain areas
and noise are not.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np

from rebeca.arrays import Bools, Floats, Pixels
from rebeca.tinyworld.models import weights_file
from rebeca.tinyworld.scenes import SIZE, as_postcards

PART = "support"
LEVELS = 4
"""Scales of the wavelets: details of 2, 4, 8 and 16 pixels."""
ROWS_AT = 3
"""Level whose rows are compared, 8 x 8 places: a row of a postcard is mostly sky or mostly ground."""
SIZE_OF_STATISTICS = 3 * (3 * 3 * LEVELS + 2 + 3 * SIZE // 2**ROWS_AT)
_FLAT = 1.5001
"""A coefficient below this, in units of a pixel's grades 0 to 255, is flat: rounding alone may have made it. It is none
of the values that coefficients can have, so that the last bit of a sum decides nothing."""
_LEAST = 0.05
"""Added to every size before its logarithm, grades of a pixel; what is smaller hardly counts."""
_OPPONENTS = np.array([[0.299, 0.587, 0.114], [0.5, -0.5, 0.0], [0.25, 0.25, -0.5]])
"""Light, red against green, yellow against blue."""


def inside(images: Iterable[Pixels]) -> Bools:
    """Bool [n]; whether uint8 images [height, width, 3] of any size lie inside the world.

    Raises:
        ValueError: If an image is another array.
    """
    shipped = _shipped()
    return squared_distances(statistics(images), shipped["mean"], shipped["whitening"]) <= shipped["limit"][0]


def squared_distances(values: Floats, mean: Floats, whitening: Floats) -> Floats:
    """float64 [n]; squared Mahalanobis distances of statistics [n, 186] from their mean [186].

    ``whitening`` [186, 186] times its transpose is the precision.
    """
    squares: Floats = ((values - mean) @ whitening) ** 2
    return squares.sum(axis=1)


def statistics(images: Iterable[Pixels]) -> Floats:
    """float64 [n, 186]; per opponent colour, scale and direction: mean size, its unevenness, share that is flat.

    Also the mean (in units of 64 grades) and the spread of each opponent colour, and the same and the steps along each
    of eight rows.

    Raises:
        ValueError: If an image is no uint8 array [height, width, 3].
    """
    return np.concatenate([np.empty((0, SIZE_OF_STATISTICS)), *map(_statistics, as_postcards(images))])


def _statistics(postcards: Pixels) -> Floats:
    low = np.einsum("nhwc,oc->nohw", postcards.astype(np.float64), _OPPONENTS)
    out = [low.mean(axis=(2, 3)) / 64, np.log(low.std(axis=(2, 3)) + _LEAST)]
    for level in range(LEVELS):
        if level == ROWS_AT:
            out += [np.log(low.std(axis=3) + _LEAST).reshape(len(low), -1), low.mean(axis=3).reshape(len(low), -1) / 64]
            out.append(np.log(np.abs(np.diff(low, axis=3)).mean(axis=3) + _LEAST).reshape(len(low), -1))
        a, b = low[:, :, 0::2, 0::2], low[:, :, 0::2, 1::2]
        c, d = low[:, :, 1::2, 0::2], low[:, :, 1::2, 1::2]
        low = (a + b + c + d) / 4
        for band in (a - b + c - d, a + b - c - d, a - b - c + d):
            size = np.abs(band) / 4
            mean, square = size.mean(axis=(2, 3)), (size**2).mean(axis=(2, 3))
            out += [
                np.log(mean + _LEAST),
                np.log(np.sqrt(square) + _LEAST) - np.log(mean + _LEAST),
                (size < _FLAT).mean(axis=(2, 3)),
            ]
    return np.concatenate(out, axis=1)


@cache
def _shipped() -> dict[str, Floats]:
    from safetensors.numpy import load_file

    return {name: value.astype(np.float64) for name, value in load_file(weights_file(PART)).items()}
