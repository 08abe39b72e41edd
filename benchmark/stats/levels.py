"""What a test can reach at best; plain arithmetic, so that reading a task file stays fast."""

from __future__ import annotations


def smallest_p(people: int, flips: int) -> float:
    """The smallest p that a two-sided sign-flip test can give."""
    return 2 / 2**people if people <= 30 and 2**people <= flips else 1 / (flips + 1)
