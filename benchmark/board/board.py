"""What a leaderboard shows, read from records: the one view that the terminal and the site share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmark.analysis.confirmation import unconfirmed
from benchmark.analysis.judges import JudgeReport
from benchmark.analysis.measures import COPIES, MEANINGS, SUPPORT, Measure, both_by
from benchmark.analysis.results import Comparison, Personal, Validity
from benchmark.board.claims import Sentence
from benchmark.board.columns import Columns
from benchmark.board.finding import finding_of
from benchmark.board.flags import flags_of, gaps, share_by_role, twins
from benchmark.board.format_numbers import count, exact_percent, number, with_interval
from benchmark.board.row import Row
from benchmark.board.scope import Scope, scope_of
from benchmark.records.attestation import STEPS, statement_of
from benchmark.records.files import read_comparison, read_record
from benchmark.records.schema import GeneratorRecord, TaskHeader, TaskRecord
from rebeca.errors import first_few, printable
from rebeca.interfaces import ScorerCard

NAMED = 4
"""Users, generators or pairs that a caution names."""
CAUTIONS = {
    "few-users": "Few users ({where}): the true coverage of 95 % intervals may be below 95 %.",
    "no-comparisons": "Nothing is compared: the reference ({where}) is not ranked.",
    "own-candidates": "Users have candidates of their own ({where}): lifts leave out items that the user rated.",
    "unequal-images": "Unequal numbers of images ({where}): lifts compare users who have equally many.",
    "skewed-values": "Skewed values of {measure} ({where}): the true coverage of this interval may be below 95 %.",
    "skewed-differences": "Skewed differences of {measure} ({where}): sign-flip tests can reject too often.",
    "drawn-items": "Differences of {measure} ({where}) rest on the items drawn: one pair can be told apart by chance in"
    " 10 % of the cases instead of 5 %.",
    "unequal-fits": "The variance between fits of {measure} differs among {where}, and the tests pool it.",
    "unknown-fits": "Too few users have a {measure} in every fit of {where}: intervals and tests leave other fits out.",
}
"""By kind; the figures behind each sentence are in docs/reports/calibration.md."""
INCOMPLETE = "Not ranked: {title} has a preference for {known} of {users}."
FAILING = "Not ranked: {failed} of {requested} images of {title} failed, more than the declared {most}."
UNCONFIRMED = (
    "Not ranked: a judge that was fitted after the images of {title} were made does not confirm its {measure}."
    " The score exceeds what that judge confirms by {excess}; the task allows {most}."
)
COPYING = "Not ranked: {share} of the images of {title} are undeclared near-copies of items; the task allows {most}."
OUTSIDE = "Not ranked: {share} of the images of {title} could not be items of the world; the task allows {most}."
UNKNOWN_WEIGHTS = "Weights in files that are none of the known published files: {}."
NOT_FROZEN = "The task was not written down before the first image, or was changed since: everything is exploratory."


@dataclass(frozen=True, eq=False)
class Board:
    """One task's leaderboard.

    Attributes:
        folder: Where the records lie.
        record: The task's record.
        rows: Best first; unranked rows last.
    """

    folder: Path
    record: TaskRecord
    rows: list[Row]

    @property
    def task(self) -> TaskHeader:
        return self.record.task

    @property
    def title(self) -> str:
        return printable(self.task.title)

    @property
    def primary(self) -> str:
        return self.record.spec.analysis.primary.scorer

    @property
    def preference(self) -> Measure:
        """What the leaderboard is ordered by."""
        return Measure(self.primary)

    @property
    def reference(self) -> str:
        return self.record.spec.analysis.reference

    @property
    def finding(self) -> str:
        return self.lead.text

    @cached_property
    def lead(self) -> Sentence:
        """The finding, with what it states."""
        results, alpha = self.record.results, self.record.spec.analysis.alpha
        return finding_of(self.rows, self.measures, results, alpha, self.judges)

    @cached_property
    def scope(self) -> Scope:
        """What ranks, verdicts and headlines are about."""
        return scope_of(self.rows)

    @property
    def size(self) -> str:
        """``100 users, 6 images per user, 3 fits per generator``."""
        return ", ".join(filter(None, (count(self.users), f"{self.images_per_user} images per user", self.scope.size)))

    @property
    def between_fits(self) -> bool:
        """Whether some generator's preference is known for several fits."""
        return any(row.between_fits(self.preference) is not None for row in self.rows)

    def row(self, generator: str) -> Row:
        return next(row for row in self.rows if row.id == generator)

    @property
    def common_flags(self) -> list[str]:
        """Flags of more than half of the rows, which pages and papers say once."""
        counts = Counter(flag for row in self.rows for flag in row.flags)
        return sorted(flag for flag, n in counts.items() if 2 * n > len(self.rows))

    @property
    def status(self) -> str:
        """Steps of trust of all rows: "verified", or "5 reproduced, 1 rescored"."""
        if len(self.statuses) == 1:
            return next(iter(self.statuses))
        return ", ".join(f"{count} {step}" for step, count in self.statuses.items())

    @property
    def statuses(self) -> Mapping[str, int]:
        """Number of rows by step of trust, the strongest first."""
        counts = Counter(row.status for row in self.rows)
        return {step: counts[step] for step in reversed(STEPS) if step in counts}

    @property
    def handed_in(self) -> list[Row]:
        """Rows of generators that are not the task's own."""
        return [row for row in self.rows if row.submission is not None]

    @property
    def images_per_user(self) -> str:
        """As the generators have them: "4", or "4 to 16"."""
        own = sorted({row.record.images.requested // max(1, self.users) for row in self.rows})
        return str(own[0]) if len(own) == 1 else f"{own[0]} to {own[-1]}"

    @property
    def users(self) -> int:
        """Users that images were made for."""
        return self.record.results.users

    @property
    def judges(self) -> dict[str, JudgeReport]:
        return {name: self.record.judges[name] for name in MEANINGS if name in self.record.judges}

    @property
    def validity(self) -> tuple[Validity, ...]:
        """The leaderboard's order beside that of the ground truth; empty where no scorer knows it."""
        return self.record.results.validity

    @property
    def titles(self) -> dict[str, str]:
        return {row.id: row.title for row in self.rows}

    @property
    def random_weights(self) -> list[str]:
        """Published weights in whose place random ones were used: then the numbers mean nothing."""
        return self.record.provenance.random_weights

    @property
    def unknown_weights(self) -> list[str]:
        """Files of weights that the task names and that are not published ones."""
        return sorted(name for name, text in self.record.provenance.weights.items() if " unknown " in text)

    @property
    def frozen(self) -> bool:
        """Whether the analysis was written down before the first image."""
        return self.record.analysis.frozen

    def heading(self, measure: str) -> str:
        """What a measure is called: as its column, or by its key where it has none."""
        return next((column.heading for column in self.measures.everything() if column.key == measure), measure)

    def cautions(self) -> list[str]:
        """What a single fit may conclude, who is not ranked, where intervals or tests may be off their level."""
        sentences = [self.scope.caution] if self.scope.caution else []
        sentences += [
            FAILING.format(
                title=row.title,
                failed=f"{row.failed:,}",
                requested=f"{row.record.images.requested:,}",
                most=exact_percent(self.record.spec.analysis.most_failures),
            )
            for row in self.rows
            if row.failing
        ]
        sentences += [
            INCOMPLETE.format(title=row.title, known=row.users(self.primary), users=count(self.users))
            for row in self.rows
            if not row.complete
        ]
        sentences += [
            UNCONFIRMED.format(
                title=row.title,
                measure=measure.kind,
                excess=with_interval(row.record.excess[measure.key]),
                most=number(most, 2),
            )
            for row in self.rows
            if "unconfirmed" in row.doubts
            for measure, most in self.unconfirmed(row)
        ]
        sentences += [
            COPYING.format(
                title=row.title,
                share=exact_percent(self.near_copies(row) or 0.0),
                most=exact_percent(self.record.spec.analysis.most_copies or 0.0),
            )
            for row in self.rows
            if "copying" in row.doubts
        ]
        sentences += [
            OUTSIDE.format(
                title=row.title,
                share=exact_percent(self.outside(row) or 0.0),
                most=exact_percent(self.record.spec.analysis.most_outside or 0.0),
            )
            for row in self.rows
            if "outside" in row.doubts
        ]
        for caution in self.record.results.cautions:
            where = first_few(caution.where, NAMED)
            measure = self.heading(caution.measure or "")
            sentences.append(CAUTIONS[caution.kind].format(where=where, measure=measure))
        if self.unknown_weights:
            sentences.append(UNKNOWN_WEIGHTS.format(", ".join(self.unknown_weights)))
        return sentences

    @property
    def confirms(self) -> bool:
        """Whether a judge was asked to confirm scores."""
        return any(row.record.excess for row in self.rows)

    def unconfirmed(self, row: Row) -> list[tuple[Measure, float]]:
        """What the confirming judge does not confirm of a row, and by how much the primary scorer may exceed it."""
        return unconfirmed(self.record.plan, row.record.excess)

    def near_copies(self, row: Row) -> float | None:
        """Share of a row's images that are undeclared near-copies of items; None where nobody looked."""
        return share_by_role(row.record, COPIES)

    def outside(self, row: Row) -> float | None:
        """Share of a row's images that could not be items of the world; None where nobody can tell."""
        inside = share_by_role(row.record, SUPPORT)
        return None if inside is None else 1 - inside

    def all_cautions(self) -> list[str]:
        """As :meth:`cautions`, beginning with a task that was not written down."""
        return [*([] if self.frozen else [NOT_FROZEN]), *self.cautions()]

    def comparisons(self, measure: Measure) -> tuple[Comparison, ...]:
        families = self.record.results.families
        return families[measure.key].comparisons if measure.key in families else ()

    def against_reference(self, generator: str, measure: Measure) -> Comparison | None:
        """A generator minus the reference, if they were compared."""
        both = {generator, self.reference}
        pair = next((pair for pair in self.comparisons(measure) if {pair.a, pair.b} == both), None)
        return None if pair is None else pair.seen_from(generator)

    def against_others(self, generator: str) -> list[tuple[Measure, Comparison]]:
        """Declared measures and comparisons of a generator, each as the generator minus the other."""
        return [
            (measure, comparison.seen_from(generator))
            for measure in both_by(self.primary)
            for comparison in self.comparisons(measure)
            if generator in (comparison.a, comparison.b)
        ]

    @cached_property
    def cards(self) -> dict[str, ScorerCard]:
        return {name: info.card for row in self.rows for name, info in row.record.measures.items()}

    def card_name(self, measure: str) -> str:
        return self.cards[measure].name if measure in self.cards else measure

    @cached_property
    def measures(self) -> Columns:
        lifted = frozenset(name for row in self.rows for name in row.lifts if row.lift(name) is not None)
        return Columns(self.primary, self.cards, lifted, any(row.record.gap is not None for row in self.rows))


def read_board(folder: Path) -> Board:
    task = read_comparison(folder)
    return board_of(folder, task, {name: read_record(folder / name) for name in task.order})


def board_of(folder: Path, task: TaskRecord, records: Mapping[str, GeneratorRecord]) -> Board:
    primary, reference = task.spec.analysis.primary.scorer, task.spec.analysis.reference
    ranks = task.results.families[primary].ranks if primary in task.results.families else {}
    titles = Counter(record.generator.title for record in records.values())
    twin_of, with_gap = twins(records), gaps(records, reference)
    rows = [
        Row(
            id=name,
            title=_title(record, titles),
            rank=ranks.get(name),
            complete=name not in task.results.incomplete,
            failing=name in task.results.failing,
            doubts=tuple(doubt for doubt, names in task.results.doubts.items() if name in names),
            lifts=_ordered(record, primary),
            flags=flags_of(record, task, twin_of.get(name), name in with_gap),
            statement=statement_of(folder, task, record.generator),
            record=record,
        )
        for name, record in records.items()
    ]
    rows.sort(key=lambda row: (not row.ranked, -row.estimate(primary), row.id))
    return Board(folder, task, rows)


def _ordered(record: GeneratorRecord, primary: str) -> dict[str, Personal]:
    """The scorer that decides first, then those that know best."""
    knowing = sorted(name for name in record.personal if record.measures[name].card.is_ground_truth)
    order = dict.fromkeys([primary, *knowing, *record.personal])
    return {name: record.personal[name] for name in order if name in record.personal}


def _title(record: GeneratorRecord, titles: Counter[str]) -> str:
    """With the id where several generators have the same title."""
    generator = record.generator
    return printable(generator.title if titles[generator.title] == 1 else f"{generator.title} ({generator.id})")
