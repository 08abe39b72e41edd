"""Compact letter display (Piepho 2004): generators that the tests do not tell apart share a letter.

Hans-Peter Piepho, An algorithm for a letter-based representation of all-pairwise comparisons, Journal of Computational
and Graphical Statistics 13 (2004), 456-466: insert and absorb, then sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase

import numpy as np

from rebeca.arrays import Bools

Letter = frozenset[int]
"""Positions of the generators that have it."""


def letters_of(differ: Bools) -> list[tuple[str, ...]]:
    """The letters of each generator; two share a letter exactly where they are not significantly different.

    Args:
        differ: bool [generators, generators], symmetric; the best generator first, which has the letter ``a``.
    """
    letters = [frozenset(range(len(differ)))]
    for first, second in np.argwhere(np.triu(differ, 1)).tolist():
        letters = _insert(letters, first, second)
    letters = sorted(_sweep(sorted(letters, key=sorted)), key=sorted)
    names = [_name(place) for place in range(len(letters))]
    return [
        tuple(name for name, letter in zip(names, letters, strict=True) if generator in letter)
        for generator in range(len(differ))
    ]


def _insert(letters: Sequence[Letter], first: int, second: int) -> list[Letter]:
    """Divides every letter of a pair that differs; what lies within another letter is absorbed by it."""
    divided = [letter for letter in letters if first in letter and second in letter]
    kept = [letter for letter in letters if first not in letter or second not in letter]
    for part in (letter - {one_of_both} for letter in divided for one_of_both in (first, second)):
        if not any(part <= other for other in kept):
            kept.append(part)
    return kept


def _sweep(letters: Sequence[Letter]) -> list[Letter]:
    """Takes a letter from a generator that shares others with the same generators; the last letters give first."""
    kept = list(letters)
    for place in reversed(range(len(kept))):
        others = [*kept[:place], *kept[place + 1 :]]
        for generator in sorted(kept[place]):
            shared = frozenset[int]().union(*(other for other in others if generator in other))
            if kept[place] <= shared:
                kept[place] -= {generator}
    return [letter for letter in kept if letter]


def _name(place: int) -> str:
    """``a`` to ``z``, then ``a2`` to ``z2`` and so on, so that letters can be told apart where they are joined."""
    turn, letter = divmod(place, len(ascii_lowercase))
    return ascii_lowercase[letter] + (str(turn + 1) if turn else "")
