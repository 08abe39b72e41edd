"""Comparing floating-point numbers so that rounding decides nothing.

Processors add in different orders and round differently. Two sums that are equal on paper then differ in their last
digits, and an order, a rank or a count that asks which is larger answers differently. Everything that compares sums
asks here: numbers nearer to each other than a share of the largest are tied, and ties go by position.
"""

from __future__ import annotations

import numpy as np

from rebeca.arrays import Bools, Floats, Ints

TIE = 1e-9
"""For sums in double precision, as a share of the largest number in size; they round at 1e-16."""
TIE_OF_SCORES = 1e-6
"""For what networks compute in single precision; two batches round one image's score differently by up to 4e-7."""


def size_of(*arrays: Floats) -> float:
    """The largest finite absolute value; 0 where there is none."""
    return max((float(np.abs(a).max(initial=0.0, where=np.isfinite(a))) for a in arrays), default=0.0)


def direction(difference: Floats, size: float, tie: float = TIE) -> Floats:
    """-1, 0 or 1 per difference of two numbers, 0 where they are tied; NaN stays.

    Args:
        difference: float, any shape.
        size: The largest absolute value among the numbers that were subtracted.
        tie: Share of ``size`` up to which a difference is rounding.
    """
    return np.asarray(np.where(np.abs(difference) <= tie * size, 0.0, np.sign(difference)))


def levels(values: Floats, tie: float = TIE) -> Ints:
    """int64 [n]; place of each value among the different values, from 0 for the lowest; tied values share it.

    Neighbours in sorted order are tied where they differ by no more than ``tie`` times the largest absolute value, so
    that no grid can part them. Every NaN is above all.
    """
    order = np.argsort(values, kind="stable")
    ordered = np.asarray(values, np.float64)[order]
    with np.errstate(invalid="ignore"):  # infinite less infinite
        apart = ~(np.diff(ordered) <= tie * size_of(ordered)) & ~np.isnan(ordered[:-1])
    apart &= ordered[1:] != ordered[:-1]
    places = np.empty(len(order), np.int64)
    places[order] = np.concatenate([[0], np.cumsum(apart)])[: len(order)]
    return places


def best_first(values: Floats, tie: float = TIE) -> Ints:
    """int64 [n]; positions from the highest value to the lowest. Ties go by position, NaN goes last."""
    places = -levels(values, tie)
    return np.lexsort((places, np.isnan(values)))


def is_highest(values: Floats, tie: float = TIE) -> Bools:
    """bool, shape of ``values`` [..., n]; whether a value is the highest along the last axis, or tied with it."""
    return np.asarray(values >= values.max(axis=-1, keepdims=True) - tie * size_of(values))
