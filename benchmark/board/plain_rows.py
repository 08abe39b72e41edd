"""A leaderboard and comparisons as rows of plain values, for CSV and data frames."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.analysis.measures import Measure
from benchmark.analysis.numbers import Interval
from benchmark.analysis.results import Comparison
from benchmark.board.board import Board
from benchmark.board.format_numbers import exact_percent
from benchmark.board.row import DOUBTS, Row
from rebeca.errors import SpecError, did_you_mean

Cell = str | int | float | bool | None
"""None is an empty cell."""


def board_rows(board: Board) -> list[dict[str, Cell]]:
    """One row per generator."""
    return [_board_row(board, row) for row in board.rows]


def _board_row(board: Board, row: Row) -> dict[str, Cell]:
    rank, pair = row.rank, board.against_reference(row.id, Measure(board.primary))
    personal = row.lifts[board.primary].median_double_centred if board.primary in row.lifts else None
    fields: dict[str, Cell] = {
        "generator": row.id,
        "title": row.title,
        "ranked": row.ranked,
        "rank_low": None if rank is None else rank.low,
        "rank_high": None if rank is None else rank.high,
        "letters": None if rank is None else rank.letters,
        "share_first": None if rank is None else rank.share_first,
        "verdict_against_reference": None if pair is None else pair.verdict,
        "p_against_reference": None if pair is None else pair.p,
        "p_personal": None if personal is None else personal.p,
        "users": board.users,
        "images_requested": row.record.images.requested,
        "images_valid": row.record.images.valid,
        "fits": row.fits,
        "between_fits": row.between_fits(board.preference),
    }
    for column in board.measures.everything():
        fields |= _interval_fields(column.key, row.cell(column))
    return fields | {"flags": "; ".join(row.flags)}


def _interval_fields(name: str, interval: Interval | None) -> dict[str, Cell]:
    ends = (None,) * 4 if interval is None else (interval.estimate, interval.low, interval.high, interval.n)
    return dict(zip((name, f"{name}_low", f"{name}_high", f"{name}_n"), ends, strict=True))


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


def compare_generators(board: Board, a: str, b: str) -> list[MeasureComparison]:
    """Every recorded comparison of two generators, as a minus b.

    Raises:
        SpecError: If an id is unknown or the pair was not tested.
    """
    ids = [row.id for row in board.rows]
    if a == b:
        raise SpecError(f"'{a}' is compared with itself", hint=f"name another generator: {', '.join(ids)}")
    for name in (a, b):
        if name not in ids:
            raise SpecError(f"no generator '{name}' in {board.folder}", hint=did_you_mean(name, ids))
    comparisons = [
        MeasureComparison(measure, family.declared, comparison.seen_from(a))
        for measure, family in board.record.results.families.items()
        for comparison in family.comparisons
        if {comparison.a, comparison.b} == {a, b}
    ]
    if not comparisons:
        analysis, failing = board.record.spec.analysis, [name for name in (a, b) if board.row(name).failing]
        hint = "rows without a rank are described, not tested"
        if failing:
            shares = [f"{exact_percent(board.row(name).failures)} of the images of '{name}' failed" for name in failing]
            hint = f"{', '.join(shares)}; {exact_percent(analysis.most_failures)} (analysis.most_failures) may"
        elif doubts := [f"'{name}': {DOUBTS[doubt]}" for name in (a, b) for doubt in board.row(name).doubts]:
            hint = "; ".join(doubts)
        elif analysis.family == "against-reference":
            hint = (
                f"the task compares ranked generators with '{board.reference}' only; analysis.family: all-pairs, and a"
                " higher version, compares all of them"
            )
        raise SpecError(f"'{a}' and '{b}' were not compared", hint=hint)
    return sorted(comparisons, key=lambda each: (not each.declared, Measure.parse(each.measure).is_lift, each.measure))


def comparison_row(each: MeasureComparison) -> dict[str, Cell]:
    """The row of a measure."""
    pair, test = each.comparison, each.comparison.test
    return {
        "measure": each.measure,
        "declared": each.declared,
        "a": pair.a,
        "b": pair.b,
        **_interval_fields("difference", pair.difference),
        "verdict": pair.verdict,
        "p_unadjusted": None if test is None else test.p,
        "p_max_t": None if test is None else test.p_max_t,
        "p_holm": None if test is None else test.p_holm,
        "p_items": None if pair.items is None else pair.items.p_holm,
        "d_z": pair.effect,
        "prefer": pair.prefer.share,
        "prefer_low": pair.prefer.low,
        "prefer_high": pair.prefer.high,
        **_interval_fields("beats", pair.beats),
        "skewness": pair.difference.skewness,
        "detectable": pair.detectable,
    }
