"""Checking a bundle: everything that can be known without running anything, and what its row would change."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.analysis.inputs import Rows
from benchmark.analysis.measures import GAP, both_by
from benchmark.analysis.numbers import Interval
from benchmark.analysis.results import TaskResults
from benchmark.board.board import Board, read_board
from benchmark.board.format_numbers import exact_percent, number, p_value, p_with_sign
from benchmark.board.row import Row
from benchmark.records.bundle import read_bundle
from benchmark.records.files import TASK_FOLDER, read_comparison
from benchmark.records.gallery import ALL_IMAGES
from benchmark.records.merge import read_sources, write_merged
from benchmark.records.schema import Submission, TaskHeader
from rebeca.errors import RecordError

SAME_IMAGES = 0.05
"""Share of generated images that are those of another row, from which a report says so."""
FEW_FAILURES = 0.01
"""Share of images that may fail before a report names it."""
RESEMBLES = {
    "unconfirmed": "images optimised for the judge: a judge fitted afterwards does not confirm them"
    " (attack-verifier, attack-both, attack-patches)",
    GAP: "images that please the verifier alone (attack-verifier)",
    "copying": "altered copies of items (attack-near-copy, attack-memorised)",
    "outside": "images without the content of the world (attack-contentless)",
    "failures": "missing or blank images (attack-abstain withholds images on purpose)",
}
"""By sign: the adversaries of ``rebeca-bench stress`` that show it; docs/reports/stress.md has what they reach."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that a row changes on the leaderboard.

    Attributes:
        generator: Another row; ``headline`` or ``validity`` for what is said of all.
        what: Rank, adjusted p or verdict, with the measure; flags; why it has no rank; text; Kendall's tau.
        before: Without the row.
        after: With it.
    """

    generator: str
    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class SubmissionReport:
    """What is known of a bundle.

    Attributes:
        task: The task that it is handed in to.
        generator: Its id.
        title: Its title.
        card: What its authors say.
        images: Images that were decoded and compared with the digests that were scored.
        looked: Which these are, in words.
        place: Where all images lie.
        rank: By the primary scorer, with letters; ``–`` if it has none.
        reasons: Why it has none, where it could.
        preference: By the primary scorer; None where it is not known.
        lift: Likewise.
        flags: As on the leaderboard.
        against: By declared measure, the verdict of the row against the task's reference, with adjusted p.
        resembles: Why to look at it twice: signs that attacks have as well, and images of other rows.
        changes: What its row changes on the leaderboard: declared measures, flags, ranks, headline, validity.
        others: Rows whose files stay as they are.
    """

    task: TaskHeader
    generator: str
    title: str
    card: Submission
    images: int
    looked: str
    place: str
    rank: str
    reasons: Sequence[str]
    preference: Interval | None
    lift: Interval | None
    flags: Sequence[str]
    against: Mapping[str, str]
    resembles: Sequence[str]
    changes: Sequence[Change]
    others: int


def check_bundle(folder: Path, roots: Sequence[Path]) -> SubmissionReport:
    """Checks a bundle and its row beside published records.

    Args:
        folder: The bundle.
        roots: Folders of published records, or a version folder itself.

    Raises:
        RecordError: Naming the first thing that is wrong.
    """
    bundle = read_bundle(folder)
    task, name = bundle.manifest.task, bundle.id
    records = _published(task, roots)
    with tempfile.TemporaryDirectory(prefix="rebeca-check-") as temporary:
        place = Path(temporary, "merged")
        merged, rows = write_merged(read_sources([records, folder]), place)
        board = read_board(place)
        row, before = board.row(name), read_comparison(records)
        images, looked, where = _images_of(row, ALL_IMAGES in bundle.manifest.files)
        return SubmissionReport(
            task=task,
            generator=name,
            title=row.title,
            card=_card(row),
            images=images,
            looked=looked,
            place=where,
            rank=row.rank.with_letters if row.rank else "–",
            reasons=row.reasons,
            preference=row.measure(board.primary),
            lift=row.lift(board.primary),
            flags=row.flags,
            against=_against(board, name),
            resembles=[*_signs(row), *_same_images(rows, row.id)],
            changes=[
                *_changes(board, before.results, merged.results, before.order),
                *_changed_flags(read_board(records), board),
            ],
            others=len([other for other in before.order if other != name]),
        )


def _against(board: Board, name: str) -> dict[str, str]:
    pairs = {measure.kind: board.against_reference(name, measure) for measure in both_by(board.primary)}
    return {
        kind: f"{pair.verdict} against {board.reference}, adjusted {p_with_sign(pair.p)}"
        for kind, pair in pairs.items()
        if pair is not None and pair.p is not None
    }


def _published(task: TaskHeader, roots: Sequence[Path]) -> Path:
    places = [root / task.id / f"v{task.version}" for root in roots]
    for place in (*places, *roots):
        if (place / TASK_FOLDER).is_dir():
            return place
    raise RecordError(
        f"no records of '{task.id}' version {task.version} in {', '.join(map(str, roots))}",
        hint="name the folder of the published records with --against",
    )


def _images_of(row: Row, held: bool) -> tuple[int, str, str]:
    """How many images were looked at, which these are, and where all of them lie."""
    images, archive = row.record.images, _card(row).images
    place = "in the bundle" if archive is None else archive.address
    if held:
        return images.valid, f"All {images.valid:,} images are those that were scored, by their digests.", place
    if archive is None:
        return 0, "The images may not be passed on; none was looked at.", "nowhere"
    shown = len(images.shown)
    return shown, f"{shown:,} of {images.valid:,} images are in the bundle, and are those that were scored.", place


def _card(row: Row) -> Submission:
    assert row.record.submission is not None
    return row.record.submission


def _signs(row: Row) -> Iterator[str]:
    signs = {*row.doubts, *({GAP} & {*row.flags}), *({"failures"} if row.failures > FEW_FAILURES else ())}
    yield from (meaning for sign, meaning in RESEMBLES.items() if sign in signs)


def _same_images(rows: Sequence[Rows], generator: str) -> Iterator[str]:
    """Rows from which images were taken, or that took them."""
    own = next(each for each in rows if each.id == generator)
    valid = own.digest[~own.failed & (own.item < 0)]  # anybody may show an item
    for other in rows:
        share = float(np.isin(valid, other.digest[~other.failed]).mean()) if len(valid) else 0.0
        if other.id != generator and share >= SAME_IMAGES:
            yield f"{exact_percent(share)} of the generated images are images of '{other.id}' as well"


def _changed_flags(before: Board, after: Board) -> Iterator[Change]:
    """What else differs on the page: flags, reasons why a row has no rank, the headline, the order's validity."""
    for row in before.rows:
        now = after.row(row.id)
        for what, old, new in (("flags", row.flags, now.flags), ("reasons for no rank", row.reasons, now.reasons)):
            if old != new:
                yield Change(row.id, what, ", ".join(old) or "none", ", ".join(new) or "none")
    if before.finding != after.finding:
        yield Change("headline", "text", before.finding, after.finding)
    taus = [", ".join(number(each.tau.estimate, 2) for each in board.validity) for board in (before, after)]
    if taus[0] != taus[1]:
        yield Change("validity", "Kendall's tau with the ground truth", taus[0] or "–", taus[1] or "–")


def _changes(board: Board, before: TaskResults, after: TaskResults, order: Sequence[str]) -> Iterator[Change]:
    """What differs for rows that were there already, of the measures that were declared."""
    for measure in both_by(board.primary):
        if measure.key not in before.families or measure.key not in after.families:
            continue
        old, new = before.families[measure.key], after.families[measure.key]
        for name in order:
            ranks = [family.ranks[name].with_letters if name in family.ranks else "–" for family in (old, new)]
            if ranks[0] != ranks[1]:
                yield Change(name, f"rank by {measure.kind}", *ranks)
        pairs = {(pair.a, pair.b): pair for pair in new.comparisons}
        for pair in old.comparisons:
            now = pairs.get((pair.a, pair.b))
            for what, texts in (
                ("adjusted p", [p_value(pair.p), "–" if now is None else p_value(now.p)]),
                ("verdict", [pair.verdict, "–" if now is None else now.verdict]),
            ):
                if texts[0] != texts[1]:
                    yield Change(pair.a, f"{what} of {measure.kind} against {pair.b}", *texts)
