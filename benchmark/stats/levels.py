"""What a test can reach and what it can say; plain arithmetic, so that reading task files and records stays fast."""

from __future__ import annotations

from statistics import NormalDist

FEWEST_USERS = 6
"""Below this many users comparisons are described, not tested."""
VERDICTS = ("better", "worse", "identical", "equivalent", "inconclusive", "described")
"""``identical``: no user's value differs; ``described``: too few users for a test."""


_z = NormalDist().inv_cdf


def detectable(alpha: float) -> float:
    """z(1 - alpha / 2) + z(.80): standard errors that one pair finds, unadjusted, with 80 % power; 2.80 at 5 %."""
    return round(_z(1 - alpha / 2) + _z(0.8), 2)


def equivalent(alpha: float) -> float:
    """z(1 - alpha) + z(.90): standard errors in a margin within which 80 % of equal pairs are found equivalent."""
    return round(_z(1 - alpha) + _z(0.9), 2)


def smallest_p(users: int, flips: int) -> float:
    return 2 / 2**users if users <= 30 and 2**users <= flips else 1 / (flips + 1)
