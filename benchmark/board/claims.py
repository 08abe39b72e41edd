"""What sentences about a leaderboard state, so that a program can check every one of them against the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmark.analysis.measures import Measure
from benchmark.board.row import LAST, Row

Relation = Literal["is", "highest", "shared", "as good", "beats", "does not beat", "passes", "fails", "may be zero"]
"""How a subject stands in a measure:

- ``is``: it has the value;
- ``highest``: it has the value, and no ranked generator a higher one; no generator at all where no ranked one has any;
- ``shared``: so many other ranked generators have the highest value too;
- ``as good``: it was compared with all other ranked generators, and so many of them are not significantly worse;
- ``beats``, ``does not beat``: it was compared with ``than``, and is significantly better; or is not;
- ``passes``, ``fails``: its interval lies above 0, or all users have the same positive value, and the permutation test,
  adjusted over all ranked generators, rejects; or not;
- ``may be zero``: its interval does not lie above 0.
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement.

    Attributes:
        subject: Id of a generator, or name of a judge or scorer; empty for the leaderboard as a whole.
        measure: Key of a measure, or of what is derived from one: ``median:ncf``.
        relation: How the subject stands in it.
        value: The number that the sentence gives; None where it gives none.
        than: Id of the generator that the subject was compared with.
    """

    subject: str
    measure: str
    relation: Relation
    value: float | None = None
    than: str = ""


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words, and all that they state.

    Attributes:
        text: One or more sentences.
        claims: In the order of the words.
    """

    text: str = ""
    claims: tuple[Claim, ...] = ()

    def __add__(self, other: Sentence) -> Sentence:
        return Sentence(" ".join(text for text in (self.text, other.text) if text), self.claims + other.claims)


def highest(rows: Sequence[Row], values: Sequence[float]) -> tuple[Row, int]:
    """The first row with the highest value, and how many others share it. There must be a row."""
    import numpy as np  # which listing commands need not wait for

    from rebeca.ties import is_highest

    best = np.flatnonzero(is_highest(np.array(values, np.float64)))
    return rows[int(best[0])], len(best) - 1


def with_value(rows: Sequence[Row], measure: Measure) -> tuple[list[Row], list[float]]:
    """Rows that have a value, and their values."""
    known = [(row, interval.estimate) for row in rows if (interval := row.interval(measure)) is not None]
    return [row for row, _ in known], [LAST if value is None else value for _, value in known]
