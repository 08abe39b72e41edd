"""Sums that are the same to the last bit on every processor.

A matrix product adds in an order that the processor's kernel chooses, and rounds after every step. Bootstrap means
and flipped sums have whole numbers on one side. So the other side is written in whole numbers as well, over a common
power of two: such products and sums are exact in any order as long as they stay below 2**53.
"""

from __future__ import annotations

import numpy as np

from rebeca.arrays import Floats, Ints

WHOLE = 53
"""Whole numbers up to 2**53 are exact in double precision."""


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
    bits = WHOLE - int(np.abs(counts).sum(axis=1).max(initial=1)).bit_length()
    _, exponent = np.frexp(np.abs(values).max(axis=0, initial=0.0))
    scaled = np.ldexp(values, bits - exponent)
    high = np.rint(scaled)
    low = np.rint(np.ldexp(scaled - high, bits))
    whole = counts.astype(np.float64)
    return np.asarray(np.ldexp(whole @ high + np.ldexp(whole @ low, -bits), exponent - bits))


def resampled_means(weights: Ints, values: Floats) -> Floats:
    """float64 [draws] or [draws, columns]; means of bootstrap draws. Draws that hold nobody are left out.

    Args:
        weights: int [draws, users]; how often each user is drawn.
        values: float64 [users] or [users, columns]; finite.
    """
    drawn = weights[weights.any(axis=1)]
    totals = drawn.sum(axis=1)
    return np.asarray(whole_products(drawn, values) / (totals if values.ndim == 1 else totals[:, None]))
