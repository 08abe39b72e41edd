"""What a test can reach and what it can say; plain arithmetic, so that reading task files and records stays fast."""

from __future__ import annotations

FEWEST_USERS = 6
"""Below this many people comparisons are described, not tested."""
DETECTABLE = 2.80
"""z(.975) + z(.80): standard errors that one pair finds at 5 %, unadjusted, with 80 % power."""
VERDICTS = ("better", "worse", "identical", "equivalent", "inconclusive", "described")
"""``identical``: no person's value differs; ``described``: too few people for a test."""


def smallest_p(people: int, flips: int) -> float:
    """The smallest p that a two-sided sign-flip test can give."""
    return 2 / 2**people if people <= 30 and 2**people <= flips else 1 / (flips + 1)
