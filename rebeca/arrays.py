"""Names for the array types that the whole project uses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
"""uint8 RGB, [height, width, 3], 0 to 255."""
