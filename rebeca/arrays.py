"""Names for types that the whole project uses, and the operations on arrays that all parts share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

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
    """Rows [n, dim] divided by their length; a row of zeros stays."""
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    return np.divide(x, norms, out=np.zeros_like(x), where=norms > 0)


def first_true(mask: npt.ArrayLike) -> int | None:
    """Position of the first true element, None where there is none."""
    return int(np.argmax(mask)) if np.any(mask) else None
