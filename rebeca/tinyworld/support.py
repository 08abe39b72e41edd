"""Whether an image could be a postcard of the world at all, by statistics of its detail and rows and by a network.

An image is inside the world when the statistics of its Haar wavelets, and the colours of the whole image and of its
rows, are not further from those of postcards than almost any postcard is (Mahalanobis distance), and when the detector
takes it for a postcard. Gradients, plain areas and noise have other statistics; what merely has the statistics of
postcards, such as means of several or shuffled blocks, is the detector's part.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebeca.arrays import Bools, Floats, Pixels
from rebeca.parallel import spread
from rebeca.tinyworld.detector import postcard_scores
from rebeca.tinyworld.models import WEIGHTS, read_part
from rebeca.tinyworld.scenes import SIZE, as_postcards, require_postcards

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
    return np.concatenate([np.empty(0, bool), *spread(_inside, as_postcards(images))])


def _inside(postcards: Pixels) -> Bools:
    return np.asarray(has_statistics(postcards) & (postcard_scores(postcards) >= 0))


def has_statistics(postcards: Pixels) -> Bools:
    """Bool [n]; whether images of the postcards' size, uint8 [n, 64, 64, 3], have statistics that postcards have.

    Raises:
        ValueError: If they are other arrays.
    """
    require_postcards(postcards)
    fitted = _shipped()
    near: Bools = squared_distances(_statistics(postcards), fitted["mean"], fitted["whitening"]) <= fitted["limit"][0]
    return near


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
            steps = np.abs(np.diff(low, axis=3)).mean(axis=3)
            by_row = (np.log(low.std(axis=3) + _LEAST), low.mean(axis=3) / 64, np.log(steps + _LEAST))
            out += [values.reshape(len(low), low.shape[1] * low.shape[2]) for values in by_row]
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
    """``mean`` [186], ``whitening`` [186, 186] and ``limit`` [1], float64."""
    tensors = {name: value.double().numpy() for name, value in read_part(WEIGHTS, PART).items()}
    whitening = np.zeros((SIZE_OF_STATISTICS, SIZE_OF_STATISTICS))
    whitening[np.tril_indices(SIZE_OF_STATISTICS)] = tensors["whitening"]
    return tensors | {"whitening": whitening}


def packed(whitening: NDArray[Any]) -> NDArray[Any]:
    """The lower triangle [17391], row by row; above it, a Cholesky factor has zeros."""
    values: NDArray[Any] = whitening[np.tril_indices(len(whitening))]
    return values
