"""One generator on a leaderboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.analysis.measures import Measure
from benchmark.analysis.numbers import Interval, PermutationTest
from benchmark.analysis.results import Personal, Rank, Summary
from benchmark.board.columns import Column
from benchmark.records.attestation import SELF_REPORTED, Statement, in_words
from benchmark.records.costs import seconds_per_image
from benchmark.records.schema import GeneratorRecord, Submission
from rebeca.errors import printable
from rebeca.interfaces import ScorerCard

LAST = -1e9
"""Sorts what has no value behind everything else."""

DOUBTS = {
    "unconfirmed": "a judge that was fitted afterwards does not confirm the scores",
    "copying": "too many images are undeclared near-copies of items",
    "outside": "too many images could not be items of the world",
}
"""Why a defence takes a rank."""
CLASSES = {
    "open": "knows only what the task's export gives, and public models",
    "reward-guided": "its images were optimised or chosen for a model of taste that is no judge of the task",
    "privileged": "knows a judge, held-out ratings or the ground truth, and has no rank",
}
"""What its authors declare a generator to be."""
THE_TASKS_OWN = "the task's own"


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One generator.

    Attributes:
        id: Its id.
        title: Its name, unique on the leaderboard.
        rank: By the primary scorer, or None.
        complete: Whether enough users have a preference; else it is not ranked.
        failing: Whether too many of its images failed; then it is not ranked.
        doubts: Names of the defences, out of :data:`DOUBTS`, that took its rank.
        lifts: Personal results by scorer: the primary one first, then those that know best.
        flags: Warnings, see :mod:`benchmark.board.flags`.
        statement: What others did to check it; None where nobody did.
        record: The whole record.
    """

    id: str
    title: str
    rank: Rank | None
    complete: bool
    failing: bool
    doubts: tuple[str, ...]
    lifts: Mapping[str, Personal]
    flags: list[str]
    statement: Statement | None
    record: GeneratorRecord

    @property
    def status(self) -> str:
        """Step of trust, one of :data:`benchmark.records.attestation.STEPS`."""
        return SELF_REPORTED if self.statement is None else self.statement.predicate.status

    @property
    def checked(self) -> str:
        """What others did to check it and when, in words; empty where nobody did."""
        done = self.statement and self.statement.predicate
        return f"{in_words(done)}, {done.at[:10]}" if done else ""

    @property
    def family(self) -> str:
        return self.record.generator.family

    @property
    def submission(self) -> Submission | None:
        """What its authors say about a generator that was handed in; None for the task's own."""
        return self.record.submission

    @property
    def category(self) -> str:
        """One of :data:`CLASSES`."""
        if self.submission is not None:
            return self.submission.category
        return "privileged" if self.record.generator.needs else "open"

    @property
    def who(self) -> str:
        """Who made and who scored its images, in words."""
        said = self.submission
        if said is None:
            return THE_TASKS_OWN
        maker, judge = printable(said.made_by), printable(said.scored_by)
        return f"made and scored by {maker}" if maker == judge else f"made by {maker}, scored by {judge}"

    @property
    def fits(self) -> int:
        """Fits behind its images."""
        return len(self.record.fits)

    @property
    def fit_varies(self) -> bool:
        """Whether another fit could give other images."""
        return self.record.generator.may_vary

    @property
    def ranked(self) -> bool:
        """Whether it takes part in the ranks."""
        return self.record.generator.ranked and self.complete and not self.failing and not self.doubts

    @property
    def reasons(self) -> list[str]:
        """Why it lost its rank, in words; empty where it has one, or never could."""
        lacking = ["too few users have a preference"] if not self.complete else []
        return lacking + ["too many images failed"] * self.failing + [DOUBTS[doubt] for doubt in self.doubts]

    def interval(self, measure: Measure) -> Interval | None:
        """Interval of a measure or a lift; None where there is no estimate."""
        return self.lift(measure.scorer) if measure.is_lift else self.measure(measure.scorer)

    def measure(self, name: str) -> Interval | None:
        summary = self.record.summary.get(name)
        return summary.interval if summary is not None and summary.interval.known else None

    def lift(self, scorer: str) -> Interval | None:
        personal = self.lifts.get(scorer)
        return personal.lift if personal is not None and personal.lift is not None and personal.lift.known else None

    def test(self, column: Column) -> PermutationTest | None:
        """The permutation test of a lift; None for other columns."""
        personal = self.lifts.get(column.measure.scorer) if column.measure.is_lift else None
        return None if personal is None else personal.median_double_centred

    def result(self, measure: Measure) -> Summary | Personal | None:
        """What is recorded of a measure or a lift."""
        return self.lifts.get(measure.scorer) if measure.is_lift else self.record.summary.get(measure.scorer)

    def by_fit(self, measure: Measure) -> tuple[float | None, ...]:
        """Mean over users of each fit; empty where the fit does not vary."""
        result = self.result(measure)
        return () if result is None else result.by_fit

    def between_fits(self, measure: Measure) -> float | None:
        """Standard deviation of the means by fit; None where the fit does not vary, or there is one only."""
        result = self.result(measure)
        return None if result is None else result.between_fits

    def cell(self, column: Column) -> Interval | None:
        if column.is_gap:
            gap = self.record.gap
            return gap if gap is not None and gap.known else None
        return self.interval(column.measure)

    def estimate(self, name: str) -> float:
        """Mean of a measure; lowest of all where there is none."""
        interval = self.measure(name)
        return LAST if interval is None or interval.estimate is None else interval.estimate

    def users(self, name: str) -> int:
        """Users with a value of a measure."""
        return self.record.summary[name].users if name in self.record.summary else 0

    def card(self, measure: str) -> ScorerCard:
        return self.record.measures[measure].card

    @property
    def seconds(self) -> float | None:
        """Wall seconds per image without fits; None where all images were cached."""
        return seconds_per_image(self.record)

    @property
    def failed(self) -> int:
        """Number of images that failed."""
        return self.record.images.requested - self.record.images.valid

    @property
    def failures(self) -> float:
        """Share of the requested images that failed."""
        return self.failed / self.record.images.requested
