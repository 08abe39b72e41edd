"""Names for types that the whole project uses, and the operations on arrays that all parts share.

``Floats``, ``Ints`` and ``Bools`` are numpy arrays of any width. ``Pixels`` are uint8 RGB, [height, width, 3] or one
more axis in front. ``Plain`` is what JSON can hold.

Example:
    >>> import numpy as np
    >>> from rebeca.arrays import Bools, Floats, Ints, Pixels, Plain
    >>> def brightest(images: Pixels, allowed: Bools) -> Ints:
    ...     levels: Floats = images.mean(axis=(1, 2, 3))
    ...     return np.flatnonzero(allowed & (levels == levels[allowed].max()))
    >>> brightest(np.arange(3, dtype=np.uint8)[:, None, None, None], np.array([True, True, False])).tolist()
    [1]
    >>> report: Plain = {"losses": [0.7, 0.4], "converged": True}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Bools", "Floats", "Ints", "Pixels", "Plain", "unit_rows"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
"""uint8 RGB, [height, width, 3], 0 to 255."""
Plain = float | int | str | bool | None | Sequence["Plain"] | Mapping[str, "Plain"]
"""What JSON can hold: numbers, text, and lists and mappings of them; where it is written, numbers are finite."""

LARGEST = 1e50
"""Larger numbers have squares and sums that overflow."""


def unit_rows(x: Floats) -> Floats:
    """Rows [n, dim] divided by their length; a row of zeros stays.

    Example:
        >>> import numpy as np
        >>> from rebeca.arrays import unit_rows
        >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [[0.6, 0.8], [0.0, 0.0]]
    """
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    return np.divide(x, norms, out=np.zeros_like(x), where=norms > 0)


def evenly(count: int, most: int) -> Ints:
    """Numbers from 0 to ``count`` - 1, or ``most`` of them that are evenly spaced; int [n].

    Example:
        >>> from rebeca.arrays import evenly
        >>> evenly(3, 5).tolist(), evenly(9, 3).tolist()
        ([0, 1, 2], [0, 4, 8])
    """
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


def first_true(mask: npt.ArrayLike) -> int | None:
    """Position of the first true element, None where there is none."""
    return int(np.argmax(mask)) if np.any(mask) else None
