"""Columns of a leaderboard: which measures, in which order, under which headings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmark.analysis.measures import (
    AESTHETIC,
    AUDITOR,
    CONFIRMING,
    DIVERSITY,
    GAP,
    GROUND_TRUTH,
    OBSERVED,
    PRECISION,
    Measure,
    all_with_role,
    both_by,
    with_role,
)
from rebeca.interfaces import ScorerCard

TEST_MEANING = "p: permutation test of this generator alone, not adjusted."
GAP_MEANING = "Verifier minus auditor: large where a generator pleases the verifier alone."


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the leaderboard.

    Attributes:
        heading: Short.
        measure: Scorer or measure, ``gap``, or the lift by a scorer.
        unit: Unit.
        meaning: One sentence.
        higher_is_better: Direction; None where neither end is better.
    """

    heading: str
    measure: Measure
    unit: str
    meaning: str
    higher_is_better: bool | None = True

    @property
    def is_gap(self) -> bool:
        return self.measure.scorer == GAP

    @property
    def signed(self) -> bool:
        """Differences carry a sign."""
        return self.measure.is_lift or self.is_gap

    @property
    def key(self) -> str:
        """Names it in URLs and downloads: a measure, or ``lift:`` and a scorer, or ``gap``."""
        return self.measure.key

    @property
    def direction(self) -> str:
        return {True: "higher is better", False: "lower is better", None: "near zero is better"}[self.higher_is_better]


@dataclass(frozen=True, slots=True)
class Columns:
    """What a leaderboard can show.

    Attributes:
        primary: Scorer that decides.
        cards: By measure, of every generator.
        lifted: Scorers by which a personal lift is known.
        has_gap: Whether some generator has a gap between verifier and auditor.
    """

    primary: str
    cards: Mapping[str, ScorerCard]
    lifted: frozenset[str]
    has_gap: bool

    @property
    def best_informed(self) -> str | None:
        """The scorer that knows best: the ground truth of a synthetic world, else observed ratings."""
        return with_role(self.cards, GROUND_TRUTH) or with_role(self.cards, OBSERVED)

    @property
    def best_informed_name(self) -> str:
        """``ground truth`` or ``real ratings``."""
        return "ground truth" if with_role(self.cards, GROUND_TRUTH) else "real ratings"

    @property
    def aesthetics(self) -> list[str]:
        return all_with_role(self.cards, AESTHETIC)

    def first(self) -> list[Column]:
        """Preference and lift by the primary scorer, by the ground truth, then auditor, diversity and precision."""
        columns = self._both(self.primary, "preference", "personal lift")
        if self.best_informed is not None:
            name = self.best_informed_name
            columns += self._both(self.best_informed, name.removesuffix("s"), f"lift, {name}")
            if name == "ground truth":
                columns += self._plain(
                    name for name, card in self.cards.items() if card.is_ground_truth and not card.role
                )
        auditor = with_role(self.cards, AUDITOR)
        if auditor is not None and auditor != self.primary:
            columns += self._both(auditor, "auditor", "lift, auditor")
        precision = (name for name in self.cards if name.startswith(PRECISION))
        largest = sorted(precision, key=lambda name: int(name.removeprefix(PRECISION)))[-1:]
        return columns + self._plain([*([DIVERSITY] if DIVERSITY in self.cards else []), *largest])

    def everything(self) -> list[Column]:
        """As :meth:`first`, with aesthetics, the gap of verifier and auditor, the confirming judge, and the rest."""
        columns = self.first()
        shown = {column.key for column in columns}
        after = 2 if len(columns) > 1 and columns[1].measure.is_lift else 1
        columns[after:after] = self._plain(name for name in self.aesthetics if name not in shown)
        if self.has_gap:
            place = next((i for i, column in enumerate(columns) if column.key == DIVERSITY), len(columns))
            columns.insert(place, Column("auditor gap", Measure(GAP), "probability", GAP_MEANING, None))
        confirming = with_role(self.cards, CONFIRMING)
        if confirming is not None:
            columns += self._both(confirming, "confirming", "lift, confirming")
        shown = {column.key for column in columns}
        return columns + self._plain(name for name in sorted(self.cards) if name not in shown)

    def _both(self, scorer: str, heading: str, lift_heading: str) -> list[Column]:
        card = self.cards.get(scorer)
        if card is None:
            return []
        preference, lift = both_by(scorer)
        columns = [Column(heading, preference, card.unit, card.meaning, card.higher_is_better)]
        if scorer in self.lifted:
            meaning = f"Own images against other users' images, judged by: {card.name.lower()}. {TEST_MEANING}"
            columns.append(Column(lift_heading, lift, card.unit, meaning))
        return columns

    def _plain(self, names: Iterable[str]) -> list[Column]:
        cards = [(name, self.cards[name]) for name in names]
        return [
            Column(_lower(card.name), Measure(name), card.unit, card.meaning, card.higher_is_better)
            for name, card in cards
        ]


def _lower(name: str) -> str:
    """A heading within a sentence: "Distinct" becomes "distinct", "HPSv2" stays."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]
