"""Names for the array types that the whole project uses, and the one operation that all parts share."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
"""uint8 RGB, [height, width, 3], 0 to 255."""


def unit_rows(x: Floats) -> Floats:
    """Rows [n, dim] divided by their length; a row of zeros stays."""
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    return np.divide(x, norms, out=np.zeros_like(x), where=norms > 0)
