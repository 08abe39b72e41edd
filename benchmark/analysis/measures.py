"""Names of measures and of judges, and how a measure is read: a scorer's preference, or the personal lift by it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from rebeca.interfaces import ScorerCard

LIFT = "lift:"
"""Prefix of the key of a personal lift."""
GAP = "gap"
"""Key of verifier minus auditor."""
VERIFIER, AUDITOR = "verifier", "auditor"
OBSERVED, GROUND_TRUTH, PRIOR, AESTHETIC = "observed", "ground-truth", "prior", "aesthetic"
SUPPORT, COPIES, CONFIRMING = "support", "copies", "confirming"
"""Roles of scorers; so are ``verifier`` and ``auditor``."""
DIVERSITY, PRECISION = "diversity", "precision@"
"""Measures of sets that a leaderboard shows first: a name, and the start of one."""
RANGES = {"probability": (0.0, 1.0), "share": (0.0, 1.0), "cosine": (-1.0, 1.0), "cosine distance": (0.0, 2.0)}
"""Lowest and highest possible value, by the unit of a measure; others have no limits."""
JUDGES = (VERIFIER, AUDITOR)
CONTROLS = ("population", "user mean", "users permuted")
OTHERS = "others' mean"
MEANINGS = {
    VERIFIER: "the verifier",
    AUDITOR: "the auditor",
    "population": "control: the same images and ratings without users",
    "user mean": "control: how often this user likes anything",
    "users permuted": "control: the verifier asked as another user of the same block",
    OTHERS: "mean held-out rating of the image by all other users; a judge can exceed it",
}
"""What each row about the held-out ratings is."""


@dataclass(frozen=True, slots=True, order=True)
class Measure:
    """A number per user: a scorer's score of the user's images, or how personal they are by that scorer.

    Attributes:
        scorer: Id of a scorer, or name of a measure of whole sets.
        is_lift: Whether it is the personal lift.
    """

    scorer: str
    is_lift: bool = False

    @classmethod
    def parse(cls, key: str) -> Measure:
        """The inverse of :attr:`key`."""
        return cls(key.removeprefix(LIFT), key.startswith(LIFT))

    @property
    def key(self) -> str:
        """Its name in records and URLs: ``ncf``, ``lift:ncf``."""
        return LIFT + self.scorer if self.is_lift else self.scorer

    @property
    def kind(self) -> str:
        """``preference`` or ``personal lift``."""
        return "personal lift" if self.is_lift else "preference"

    @property
    def slug(self) -> str:
        """``preference`` or ``lift``, for names of files."""
        return "lift" if self.is_lift else "preference"

    @property
    def label(self) -> str:
        """For display: ``ncf``, ``personal lift, ncf``."""
        return f"personal lift, {self.scorer}" if self.is_lift else self.scorer


def range_of(card: ScorerCard, scale: tuple[float, float]) -> tuple[float, float] | None:
    """Lowest and highest possible value of a measure; None where there is no limit.

    Args:
        card: Of the measure.
        scale: Lowest and highest possible rating of the data set.
    """
    return scale if card.role == OBSERVED else RANGES.get(card.unit)


def worst_of_sets(card: ScorerCard, limits: tuple[float, float] | None) -> float:
    """What a failed image counts in a measure of whole sets: its worst possible value, NaN where it has no limits."""
    return math.nan if limits is None else limits[0 if card.higher_is_better else 1]


def both_by(scorer: str) -> tuple[Measure, Measure]:
    return Measure(scorer), Measure(scorer, is_lift=True)


def all_with_role(cards: Mapping[str, ScorerCard], role: str) -> list[str]:
    return [name for name, card in cards.items() if card.role == role]


def with_role(cards: Mapping[str, ScorerCard], role: str) -> str | None:
    """The first scorer with a role; None where there is none."""
    return next((name for name, card in cards.items() if card.role == role), None)
