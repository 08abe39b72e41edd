"""Sums that are the same to the last bit on every processor.

A matrix product adds in an order that the processor's kernel chooses, and rounds after every step. Bootstrap means
and flipped sums have whole numbers on one side. So the other side is written in whole numbers as well, over a common
power of two: such products and sums are exact in any order as long as they stay below 2**53.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rebeca.arrays import Floats, Ints

WHOLE = 53
"""Whole numbers up to 2**53 are exact in double precision."""
COUNTS_AT_ONCE = 1 << 20
"""Counts that are held in double precision at once: 8 MB."""


def whole_products(counts: Ints, values: Floats) -> Floats:
    """``counts @ values``, rounded once: right to the last place, in the same bits whatever the kernel.

    Each column is split into two whole numbers over powers of two that depend on its largest value; together they
    hold 53 bits of every value down to 2**-30 of the largest, for up to 100,000 per row of counts.

    Args:
        counts: int [rows, n]; times that each value is taken, of either sign.
        values: float64 [n] or [n, columns]; finite.

    Returns:
        float64 [rows] or [rows, columns].
    """
    most = max((int(np.abs(part).sum(axis=1).max(initial=0)) for _, part in _parts(counts)), default=0)
    bits = WHOLE - max(1, most).bit_length()
    table = values if values.ndim == 2 else values[:, None]
    _, exponent = np.frexp(np.abs(table).max(axis=0, initial=0.0))
    scaled = np.ldexp(table, bits - exponent)
    high = np.rint(scaled)
    both = np.hstack([high, np.rint(np.ldexp(scaled - high, bits))])
    out = np.empty((len(counts), table.shape[1]))
    for rows, part in _parts(counts):
        upper, lower = np.hsplit(part.astype(np.float64) @ both, 2)
        out[rows] = np.ldexp(upper + np.ldexp(lower, -bits), exponent - bits)
    return out.reshape(len(counts), *values.shape[1:])


def _parts(counts: Ints) -> Iterator[tuple[slice, Ints]]:
    """Consecutive rows that fit the cache, with their places."""
    step = max(1, COUNTS_AT_ONCE // max(1, counts.shape[1]))
    for start in range(0, len(counts), step):
        yield slice(start, start + step), counts[start : start + step]


def resampled_means(weights: Ints, values: Floats) -> Floats:
    """float64 [draws] or [draws, columns]; means of bootstrap draws. Draws that hold nobody are left out.

    Args:
        weights: int [draws, users]; how often each user is drawn.
        values: float64 [users] or [users, columns]; finite.
    """
    totals = weights.sum(axis=1)
    drawn, totals = (weights, totals) if totals.all() else (weights[totals > 0], totals[totals > 0])
    return np.asarray(whole_products(drawn, values) / (totals if values.ndim == 1 else totals[:, None]))
