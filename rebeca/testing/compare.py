"""Whether two answers of a plug-in are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rebeca.guards import refuse_if

Answers = Mapping[str, Any]
"""Everything that a plug-in answered, arrays and texts by name; equal plug-ins give equal answers."""
TOLERANCE = 1e-4
"""Relative to the largest number of an array: sums of another batch may round differently."""


def first_difference(first: Answers, second: Answers, tolerance: float = 0.0) -> str:
    """Name of the first answer that differs, or an empty text.

    Args:
        first: Answers.
        second: Others.
        tolerance: Of numbers, relative to the largest of their array; with it, pixels may differ by one level of 255.
    """
    for name in [*first, *second]:
        if name not in first or name not in second or not _equal(first[name], second[name], tolerance):
            return name
    return ""


def _equal(first: Any, second: Any, tolerance: float) -> bool:
    if not (isinstance(first, np.ndarray) and isinstance(second, np.ndarray)):
        return bool(type(first) is type(second) and first == second)
    if first.shape != second.shape:
        return False
    if first.dtype.kind != "f":
        levels = 1 if tolerance and first.dtype == second.dtype == np.uint8 else 0
        return bool((np.abs(first.astype(np.int64) - second.astype(np.int64)) <= levels).all())
    size = float(np.max(np.abs(first), initial=0.0, where=np.isfinite(first)))
    return bool(np.allclose(first, second, rtol=0.0, atol=tolerance * size, equal_nan=True))


def require_equal(first: Answers, second: Answers, what: str, tolerance: float = 0.0) -> None:
    """Refuses answers that differ; ``what`` says when."""
    name = first_difference(first, second, tolerance)
    refuse_if(name, f"{what}, {name} differs{_shown(first.get(name), second.get(name))}")


def _shown(first: Any, second: Any) -> str:
    """For a message: the two numbers of an array that differ most."""
    if (
        not all(isinstance(value, np.ndarray) and value.size for value in (first, second))
        or first.shape != second.shape
    ):
        return ""
    place = int(np.argmax(np.nan_to_num(np.abs(first.astype(np.float64) - second.astype(np.float64)), nan=np.inf)))
    return f": {first.flat[place]:.6g} and {second.flat[place]:.6g}"
