"""The leaderboard and comparisons on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmark.analysis.judges import JudgeReport
from benchmark.analysis.measures import Measure
from benchmark.analysis.results import Comparison, Interval, Rank
from benchmark.board.board import NOT_FROZEN, read_board
from benchmark.board.format_numbers import count, number, p_value, with_interval
from benchmark.records.files import TASK_FOLDER, newest_records, read_comparison
from benchmark.records.schema import FailedGenerator, TaskHeader
from benchmark.task.bundled import find_task
from benchmark.task.resolve import load_task
from benchmark.task.yaml_source import read_yaml
from rebeca.errors import RebecaError, SpecError, did_you_mean

UNCUT = 240
"""Columns of a line outside a terminal."""


def find_records(task: str, roots: Sequence[Path]) -> Path:
    """The newest version of a task's records, by id, task file or folder.

    Raises:
        SpecError: If there are none.
    """
    folder = Path(task)
    if (folder / "_task").is_dir():
        return folder
    name = str(read_yaml(folder).data.get("id", folder.stem)) if folder.suffix in (".yaml", ".yml") else folder.name
    for root in roots:
        if (records := newest_records(root / name)) is not None:
            return records
    known = sorted({p.name for root in roots if root.is_dir() for p in root.iterdir() if p.is_dir()})
    raise SpecError(
        f"no records of '{name}' in {', '.join(str(root) for root in roots)}",
        hint=did_you_mean(name, known) if known else f"run it first (rebeca-bench run {task}), or name its --workdir",
    )


def cautions_of(task: str, records: Path) -> list[str]:
    """In what the records are not those of the task as it is now: changed since, modified, or older than others."""
    header, cautions = read_comparison(records).task, []
    if header.modified:
        command = read_comparison(records).provenance.command
        cautions.append(f"the records are of the modified task {header.hash[:12]} ({command})")
    elif (now := _present_hash(task, header.id)) is not None and now != header.hash:
        cautions.append(f"the records are of task {header.hash[:12]}, which is {now[:12]} by now: run it again")
    newest = records.stat().st_mtime_ns
    newer = [path for path in sorted(records.parent.glob("v*")) if (path / TASK_FOLDER).is_dir()]
    newer = [path for path in newer if path.stat().st_mtime_ns > newest]
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
        )
        for row in board.rows
    ]
    return BoardSummary(board.task, board.users, generators, board.record.failed, board.judges)


def print_board(records: Path) -> None:
    """Prints ranks, preference, lift, the ground truth of a synthetic world, and how well judges predict ratings."""
    board = read_board(records)
    columns = [
        column
        for column in board.measures.first()
        if column.measure.scorer in (board.primary, board.measures.best_informed)
    ]
    table = plain_table(["rank", "generator", *(column.heading for column in columns), "flags"])
    for row in board.rows:
        rank = "" if row.rank is None else f"{row.rank.text} {row.rank.group}"
        cells = [with_interval(row.cell(column), column.signed) for column in columns]
        table.add_row(rank, row.title, *cells, ", ".join(row.flags))
    console = wide_console()
    console.print(f"[bold]{board.title}[/bold]: {count(board.users)}")
    console.print(table)
    if board.finding:
        console.print(board.finding)
    for failed in board.record.failed:
        console.print(f"without a row: {failed.title} ({failed.reason})", markup=False)
    for caution in [*([] if board.frozen else [NOT_FROZEN]), *board.cautions()]:
        console.print(f"caution: {caution}")
    judges = plain_table(["held-out ratings", "AUC within user", "AUC pooled", "verifier minus this control", ""])
    for name, report in board.judges.items():
        gain = report.verifier_gain
        judges.add_row(
            name,
            with_interval(report.auc_within_user),
            with_interval(report.auc_pooled),
            with_interval(gain, sign=True) if gain else "",
            report.meaning,
        )
    console.print(judges)


@dataclass(frozen=True, slots=True)
class MeasureComparison:
    """A recorded comparison of two generators.

    Attributes:
        measure: Of which measure.
        declared: Whether it was decided on before the first image.
        comparison: The first generator minus the second.
    """

    measure: str
    declared: bool
    comparison: Comparison


def compare_generators(records: Path, a: str, b: str) -> list[MeasureComparison]:
    """Every recorded comparison of two generators, as a minus b.

    Raises:
        SpecError: If an id is unknown or the pair was not tested.
    """
    board = read_board(records)
    ids = [row.id for row in board.rows]
    for name in (a, b):
        if name not in ids:
            raise SpecError(f"no generator '{name}' in {records}", hint=did_you_mean(name, ids))
    comparisons = [
        MeasureComparison(measure, family.declared, comparison.seen_from(a))
        for measure, family in board.record.results.families.items()
        for comparison in family.comparisons
        if {comparison.a, comparison.b} == {a, b}
    ]
    if not comparisons:
        raise SpecError(
            f"'{a}' and '{b}' were not compared",
            hint="unranked rows are described, not tested; the family is declared in analysis.family",
        )
    return sorted(comparisons, key=lambda each: (not each.declared, each.measure))


def print_comparisons(records: Path, a: str, b: str, comparisons: Sequence[MeasureComparison]) -> None:
    """Prints one line per measure."""
    board = read_board(records)
    analysis = board.record.spec.analysis
    table = plain_table(
        (
            "measure",
            f"{a} minus {b}",
            "unit",
            "d_z",
            f"users who prefer {a}",
            f"image of {a} beats one of {b}",
            "skewness",
            "detectable",
            "p, max-T",
            "p, Holm",
            "verdict",
            "",
        )
    )
    for each in comparisons:
        measure, pair = Measure.parse(each.measure), each.comparison
        card, test, prefer = board.cards[measure.scorer], pair.test, pair.prefer
        table.add_row(
            measure.label,
            with_interval(pair.difference, sign=True),
            card.unit + ("" if card.higher_is_better else ", lower is better"),
            number(pair.effect, 2, sign=True),
            f"{number(prefer.share, 2)} ({number(prefer.low, 2)} to {number(prefer.high, 2)})",
            "" if pair.beats is None else with_interval(pair.beats),
            number(pair.difference.skewness, 1, sign=True),
            number(pair.detectable, 4),
            p_value(None if test is None else test.p_max_t),
            p_value(None if test is None else test.p_holm),
            pair.verdict + (" (skewed)" if pair.skewed else ""),
            "" if each.declared else "exploratory",
        )
    console = wide_console()
    console.print(table)
    console.print(
        f"adjusted over {analysis.family.replace('-', ' ')}, level {analysis.alpha:g}; equivalent within"
        f" {analysis.equivalence_margin:g} (declared measures only); detectable:"
        " smallest difference that this pair alone, unadjusted, finds with 80 % power"
    )


def wide_console() -> Console:
    """A console that never cuts a number: outside a terminal lines are as long as they need to be."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=UNCUT)


def plain_table(headings: Iterable[str]) -> Table:
    """An empty table without rules, whose cells are never wrapped."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table
