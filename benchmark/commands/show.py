"""The leaderboard and comparisons on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.analysis.judges import JudgeReport
from benchmark.analysis.measures import Measure
from benchmark.analysis.numbers import Interval, ShareInterval
from benchmark.analysis.results import Rank
from benchmark.board.board import Board, read_board
from benchmark.board.columns import Column as MeasuredColumn
from benchmark.board.format_numbers import MISSING, brief, count, number, of_users, p_value, p_with_sign, with_interval
from benchmark.board.plain_rows import MeasureComparison
from benchmark.board.row import Row
from benchmark.board.scope import scope_of
from benchmark.commands.layout import BREAK, Column, print_rows, terminal
from benchmark.records.attestation import SELF_REPORTED
from benchmark.records.files import TASK_FOLDER, read_comparison
from benchmark.records.schema import FailedGenerator, Submission, TaskHeader
from benchmark.task.bundled import find_task
from benchmark.task.resolve import load_task
from rebeca.errors import RebecaError

RELATIONS = {
    "better": "{a} is better than {b} on {what}",
    "worse": "{a} is worse than {b} on {what}",
    "identical": "{a} and {b} are identical on {what}",
    "equivalent": "{a} and {b} are equivalent on {what}",
    "inconclusive": "Whether {a} or {b} is better on {what} stays open",
    "described": "{a} and {b} are described on {what}, not tested",
}
"""A comparison in words, by verdict."""
RANKS = (
    "rank: 2–3 means second or third; rows that share a letter are not significantly different; p of a lift:"
    " permutation test of this row alone"
)


def cautions_of(task: str, records: Path) -> list[str]:
    """In what the records are not those of the task as it is now: changed since, modified, or older than others."""
    record, cautions = read_comparison(records), []
    header = record.task
    if header.modified:
        cautions.append(f"the records are of the modified task {header.hash[:12]} ({record.provenance.command})")
    elif (now := _present_hash(task, header.id)) is not None and now != header.hash:
        cautions.append(f"the records are of task {header.hash[:12]}, which is {now[:12]} by now: run it again")
    versions = [path for path in sorted(records.parent.glob("v*")) if (path / TASK_FOLDER).is_dir()]
    newer = [path for path in versions if path.stat().st_mtime_ns > records.stat().st_mtime_ns]
    if newer:
        cautions.append(f"newer records of this task, modified or of an older version: {newer[-1]}")
    return cautions


def _present_hash(task: str, identifier: str) -> str | None:
    """Hash of a task file or bundled task; None for a folder of records, or a file that is not valid now."""
    try:
        present = load_task(find_task(task))
    except RebecaError:
        return None
    return present.hash() if present.file.id == identifier else None


@dataclass(frozen=True, slots=True)
class GeneratorSummary:
    """One row of a leaderboard."""

    id: str
    title: str
    ranked: bool
    rank: Rank | None
    preference: Interval | None
    personal_lift: Interval | None
    measures: Mapping[str, Interval | None]
    lifts: Mapping[str, Interval | None]
    flags: Sequence[str]
    status: str
    submission: Submission | None


@dataclass(frozen=True, slots=True)
class BoardSummary:
    """A leaderboard, for ``--json``."""

    task: TaskHeader
    users: int
    generators: Sequence[GeneratorSummary]
    failed: Sequence[FailedGenerator]
    judges: Mapping[str, JudgeReport]


def summary(records: Path) -> BoardSummary:
    """The leaderboard as data."""
    board = read_board(records)
    generators = [
        GeneratorSummary(
            id=row.id,
            title=row.title,
            ranked=row.ranked,
            rank=row.rank,
            preference=row.measure(board.primary),
            personal_lift=row.lift(board.primary),
            measures={name: row.measure(name) for name in row.record.summary},
            lifts={name: row.lift(name) for name in row.lifts},
            flags=row.flags,
            status=row.status,
            submission=row.submission,
        )
        for row in board.rows
    ]
    return BoardSummary(board.task, board.users, generators, board.record.failed, board.judges)


def print_board(records: Path) -> None:
    """Prints the finding, then ranks, preference, lift and verdicts, then how well judges predict held-out ratings."""
    board, console = read_board(records), terminal()
    console.print(f"{board.title}: {board.size}", style="bold")
    if board.finding:
        console.print(board.finding)
    console.print()
    print_rows(console, _board_columns(board), lead=2)
    others = [scorer.id for scorer in board.record.spec.scorers if scorer.id not in _judges(board)]
    if others:
        console.print(f"other scorers, in show --csv and on the page: {', '.join(others)}")
    console.print()
    if any(row.rank is not None for row in board.rows):
        console.print(RANKS)
    if board.scope.sentence and not board.scope.caution:
        console.print(board.scope.sentence)
    for row in board.handed_in:
        console.print(f"handed in: {row.title}, {row.who}; class {row.category}; {row.status}")
    for failed in board.record.failed:
        console.print(f"without a row: {failed.title} ({failed.reason})")
    for caution in board.all_cautions():
        console.print(f"caution: {caution}")
    if board.status != SELF_REPORTED:
        console.print(f"status: {board.status}")
    if board.judges:
        console.print("\nhow well held-out ratings are predicted (AUC: 0.5 is chance, 1 is perfect)", style="bold")
        print_rows(console, _judge_columns(board.judges, len(board.record.users.id)))


def _board_columns(board: Board) -> list[Column]:
    rows = board.rows
    measured = [
        Column(
            column.heading,
            [_with_test(row, column, board.users) for row in rows],
            optional=column.measure.scorer != board.primary,
        )
        for column in board.measures.first()
        if column.measure.scorer in _judges(board)
    ]
    spreads = [brief(row.between_fits(board.preference)) for row in rows] if board.between_fits else []
    fits = [Column("between fits", spreads, optional=True, right=True)] if spreads else []
    verdicts = Column(f"against {board.reference}", [_verdict(board, row) for row in rows], least=12)
    first = 1 + max((place for place, column in enumerate(measured) if not column.optional), default=-1)
    return [
        Column("rank", [MISSING if row.rank is None else row.rank.with_letters for row in rows]),
        Column("generator", [row.title for row in rows], least=20),
        *measured[:first],
        verdicts,
        *measured[first:],
        *fits,
        Column("flags", [", ".join(row.flags) for row in rows], least=20, below_name=True),
    ]


def _judges(board: Board) -> tuple[str | None, ...]:
    """Scorers whose measures the terminal shows."""
    return board.primary, board.measures.best_informed


def _verdict(board: Board, row: Row) -> str:
    """What the comparison of a row with the reference gives on preference."""
    if row.id == board.reference:
        return "(reference)"
    pair = board.against_reference(row.id, board.preference)
    if pair is None:
        return "not tested"
    return pair.verdict if pair.p is None else f"{pair.verdict}{BREAK}{p_with_sign(pair.p)}"


def _judge_columns(judges: Mapping[str, JudgeReport], users: int) -> list[Column]:
    reports = list(judges.values())
    gains = [report.verifier_gain for report in reports]
    return [
        Column("judge or control", list(judges)),
        Column("AUC within user", [_of_users(report.auc_within_user, users) for report in reports]),
        Column("verifier minus this", ["" if gain is None else _of_users(gain, users, sign=True) for gain in gains]),
        Column("AUC pooled", [with_interval(report.auc_pooled) for report in reports], optional=True),
        Column("what it is", [report.meaning for report in reports], least=24, optional=True),
    ]


def _with_test(row: Row, measured: MeasuredColumn, users: int) -> str:
    """A cell of the leaderboard; a lift with its permutation test, of this row alone."""
    test = row.test(measured)
    cell = _of_users(row.cell(measured), users, measured.signed)
    return cell if test is None else f"{cell}{BREAK}{p_with_sign(test.p)}"


def _of_users(interval: Interval | None, users: int, sign: bool = False) -> str:
    """An interval, and how many users it is over where it is not all of them."""
    return BREAK.join(filter(None, (with_interval(interval, sign), of_users(interval, users))))


def print_comparisons(board: Board, a: str, b: str, comparisons: Sequence[MeasureComparison]) -> None:
    """Prints a sentence on the measure that decides, and one row per measure."""
    analysis, console = board.record.spec.analysis, terminal()
    console.print(f"{board.title}: {a} minus {b}, {count(board.users)}", style="bold")
    for each in comparisons:
        if each.declared:
            console.print(_in_words(each, a, b, board))
    console.print()
    print_rows(console, _comparison_columns(board, a, b, comparisons))
    drawn = " (observed ratings: under new items as well)" if any(each.comparison.items for each in comparisons) else ""
    console.print(
        f"\np: adjusted over {analysis.family.replace('-', ' ')} by max-T{drawn}, level {analysis.alpha:g};"
        f" equivalent within {analysis.equivalence_margin:g} (declared measures only); detectable:"
        " smallest difference that this pair alone, unadjusted, finds with 80 % power"
    )
    if board.scope.sentence:
        console.print(board.scope.sentence)


def _in_words(each: MeasureComparison, a: str, b: str, board: Board) -> str:
    pair = each.comparison
    difference = _of_users(pair.difference, board.users, sign=True).replace(BREAK, ", ")
    relation = RELATIONS[pair.verdict].format(a=a, b=b, what=board.heading(each.measure))
    both = scope_of([board.row(a), board.row(b)])
    p = "" if pair.p is None else f", {p_with_sign(pair.p)}"
    return f"{both.titled(relation)}: {difference}{p}."


def _comparison_columns(board: Board, a: str, b: str, comparisons: Sequence[MeasureComparison]) -> list[Column]:
    pairs = [each.comparison for each in comparisons]
    measures = [Measure.parse(each.measure) for each in comparisons]
    cards = [board.cards[measure.scorer] for measure in measures]
    tests = [pair.test for pair in pairs]
    verdicts = [pair.verdict + (" (skewed)" if pair.skewed else "") for pair in pairs]
    return [
        Column("measure", [board.heading(each.measure) for each in comparisons], least=16),
        Column("difference", [_of_users(pair.difference, board.users, sign=True) for pair in pairs]),
        Column("verdict", verdicts, least=12),
        Column("p", [p_value(pair.p) for pair in pairs]),
        Column("declared", ["yes" if each.declared else "exploratory" for each in comparisons]),
        Column(f"users who prefer {a}", [_share(pair.prefer) for pair in pairs], optional=True),
        Column(
            f"image of {a} beats one of {b}",
            ["" if pair.beats is None else _of_users(pair.beats, board.users) for pair in pairs],
            optional=True,
        ),
        Column("p by Holm", [p_value(None if test is None else test.p_holm) for test in tests], optional=True),
        Column("d_z", [number(pair.effect, 2, sign=True) for pair in pairs], optional=True, right=True),
        Column("detectable", [number(pair.detectable, 4) for pair in pairs], optional=True, right=True),
        Column(
            "skewness", [number(pair.difference.skewness, 1, sign=True) for pair in pairs], optional=True, right=True
        ),
        Column(
            "unit",
            [card.unit + ("" if card.higher_is_better else ", lower is better") for card in cards],
            least=12,
            optional=True,
        ),
    ]


def _share(prefer: ShareInterval) -> str:
    return f"{number(prefer.share, 2)} ({number(prefer.low, 2)} to {number(prefer.high, 2)})"
