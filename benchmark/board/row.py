"""One generator on a leaderboard, and its warnings: privileges, failures, copied images, judges that disagree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.analysis.measures import GAP, Measure
from benchmark.analysis.results import Interval, Personal, Rank
from benchmark.board.columns import Column
from benchmark.board.format_numbers import percent
from benchmark.records.costs import seconds_per_image
from benchmark.records.schema import GeneratorRecord, TaskRecord
from rebeca.interfaces import ScorerCard

LAST = -1e9
"""Sorts what has no value behind everything else."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One generator.

    Attributes:
        id: Its id.
        title: Its name, unique on the leaderboard.
        rank: By the primary scorer, or None.
        lifts: Personal results by scorer: the primary one first, then those that know best.
        flags: Warnings, see :func:`flags_of`.
        record: The whole record.
    """

    id: str
    title: str
    rank: Rank | None
    lifts: Mapping[str, Personal]
    flags: list[str]
    record: GeneratorRecord

    @property
    def family(self) -> str:
        return self.record.generator.family

    @property
    def ranked(self) -> bool:
        return self.record.generator.ranked

    def interval(self, measure: Measure) -> Interval | None:
        """Interval of a measure or a lift; None where there is no estimate."""
        return self.lift(measure.scorer) if measure.is_lift else self.measure(measure.scorer)

    def measure(self, name: str) -> Interval | None:
        summary = self.record.summary.get(name)
        return summary.interval if summary is not None and summary.interval.known else None

    def lift(self, scorer: str) -> Interval | None:
        personal = self.lifts.get(scorer)
        return personal.lift if personal is not None and personal.lift is not None and personal.lift.known else None

    def cell(self, column: Column) -> Interval | None:
        if column.is_gap:
            gap = self.record.gap
            return gap if gap is not None and gap.known else None
        return self.interval(column.measure)

    def estimate(self, name: str) -> float:
        """Mean of a measure; lowest of all where there is none."""
        interval = self.measure(name)
        return LAST if interval is None or interval.estimate is None else interval.estimate

    def card(self, measure: str) -> ScorerCard:
        return self.record.measures[measure].card

    @property
    def seconds(self) -> float | None:
        """Wall seconds per image without fits; None where all images were cached."""
        return seconds_per_image(self.record)

    @property
    def failures(self) -> float:
        """Share of the requested images that failed."""
        return 1 - self.record.images.valid / self.record.images.requested


def twins(records: Mapping[str, GeneratorRecord]) -> dict[str, str]:
    """Generators that returned the same images as another one, and which one; other parameters are mentioned."""
    twin_of = {}
    for name, record in records.items():
        same = (other for other in records if other != name and records[other].images.digest == record.images.digest)
        if (twin := next(same, None)) is not None:
            alike = _settings(record) == _settings(records[twin])
            twin_of[name] = twin if alike else f"{twin} despite other parameters"
    return twin_of


def gaps(records: Mapping[str, GeneratorRecord], reference: str) -> set[str]:
    """Generators whose verifier score exceeds the auditor's by clearly more than that of the reference does."""
    base = records[reference].gap if reference in records else None
    if base is None or base.high is None:
        return set()
    return {name for name, record in records.items() if record.gap and (record.gap.low or 0.0) > max(base.high, 0.0)}


def _settings(record: GeneratorRecord) -> tuple[object, ...]:
    return record.generator.use, record.generator.params, record.generator.decoder


def flags_of(record: GeneratorRecord, task: TaskRecord, twin: str | None, gap: bool) -> list[str]:
    generator, images = record.generator, record.images
    flags = [f"needs {need}" for need in generator.needs]
    failed = images.requested - images.valid
    if failed:
        flags.append(f"failures {percent(failed / images.requested)}")
    if twin is not None:
        flags.append(f"identical to {twin}")
    if images.copies:
        flags.append(f"copies {percent(images.copies / images.requested)}")
    users = max((summary.users for summary in record.summary.values()), default=0)
    if generator.claims_personal and users > 1 and images.different * users <= images.valid:
        flags.append("same for everybody")
    if gap:
        flags.append(GAP)
    for caution in task.results.cautions:
        flag = caution.kind.replace("-", " ")
        if flag not in flags and (caution.kind == "few-users" or generator.id in caution.where):
            flags.append(flag)
    if generator.id in task.provenance.added:
        flags.append("added later")
    if task.task.modified:
        flags.append("modified")
    return flags
