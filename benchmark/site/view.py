"""What templates are given: cells with whiskers on a common scale, verdicts, galleries; all of it read from a board."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from benchmark.board.board import Board, Column, Row, turned_round
from benchmark.board.format_numbers import decimals_for, number
from benchmark.board.tables import Tables
from benchmark.records.schema import LIFT
from benchmark.site.pictures import Gallery, Shown, best_first

WHISKER = 72
MARGIN = 4
OPENING_PEOPLE = 3
OPENING_PICTURES = 3
SHOWN_AT_FIRST = ("hpsv2", "laion", "ground-truth", "lift:ground-truth", "observed", "lift:observed", "gap")
"""Columns that the script shows before it is asked, beside preference and lift; without it all are there."""


def hidden_at_first(board: Board, columns: Sequence[Column]) -> list[str]:
    """Keys of the columns that the script hides until they are asked for."""
    shown = {board.primary, LIFT + board.primary, *SHOWN_AT_FIRST}
    found = [column.key for column in columns if column.key not in shown]
    if not any(row.failures for row in board.rows):
        found.append("failures")
    if 2 * sum(row.seconds is None for row in board.rows) > len(board.rows):  # pictures came from a store
        found.append("seconds")
    if len({board.row_status(row) for row in board.rows}) == 1:  # said above the table
        found.append("status")
    return found


def common_flags(board: Board) -> list[str]:
    """Flags that more than half of the rows carry; said once, above the table."""
    counts = Counter(flag for row in board.rows for flag in row.flags)
    return sorted(flag for flag, n in counts.items() if 2 * n > len(board.rows))


def measured(board: Board) -> tuple[list[str], int]:
    """Headings of the columns that are shown at first, and how many more there are."""
    columns = board.all_columns()
    hidden = set(hidden_at_first(board, columns))
    shown = [column.heading for column in columns if column.key not in hidden]
    return shown, len(columns) - len(shown)


@dataclass(frozen=True, slots=True)
class Scale:
    """A column's common scale, in data units."""

    low: float
    high: float

    def x(self, value: float) -> str:
        """Pixels from the left."""
        return f"{MARGIN + (value - self.low) / ((self.high - self.low) or 1.0) * (WHISKER - 2 * MARGIN):.1f}"


def scale_of(board: Board, column: Column) -> Scale:
    """Holds every interval of a column, and zero where the column holds differences."""
    cells = [row.cell(column) for row in board.rows]
    ends = [v for cell in cells if cell for v in (cell["low"], cell["high"], cell["estimate"]) if v is not None]
    ends += [0.0] if column.signed else []
    return Scale(min(ends), max(ends)) if ends else Scale(0.0, 1.0)


def cell_html(cell: dict[str, Any] | None, column: Column, scale: Scale) -> Markup:
    """A table cell: value, whisker, interval as text, and the value for sorting."""
    if cell is None:
        return Markup("<td>–</td>")
    decimals = decimals_for(cell["low"], cell["high"])
    value = number(cell["estimate"], decimals, column.signed)
    line, words = "", ""
    if cell["low"] is not None and cell["high"] is not None:
        line = f"M{scale.x(cell['low'])} 6H{scale.x(cell['high'])}"
        words = f"<small>{number(cell['low'], decimals)} to {number(cell['high'], decimals)}</small>"
    zero = f'<path class=z d="M{scale.x(0.0)} 0V12"/>' if column.signed else ""
    drawn = f'<svg class=w>{zero}<path d="{line}M{scale.x(cell["estimate"])} 3v6"/></svg>'
    return Markup(f"<td data-v={cell['estimate']:.5g}>{value}{drawn}{words}</td>")  # noqa: S704 - numbers only


def verdicts(board: Board) -> dict[str, dict[str, dict[str, Any] | None]]:
    """Generator -> ``preference`` and ``lift`` -> its comparison with the reference, as it minus the reference."""
    found: dict[str, dict[str, dict[str, Any] | None]] = {
        row.id: {"preference": None, "lift": None} for row in board.rows
    }
    for name, measure in (("preference", board.primary), ("lift", LIFT + board.primary)):
        for one in board.families.get(measure, {}).get("comparisons", []):
            if board.reference == one["b"]:
                found[one["a"]][name] = one
            elif board.reference == one["a"]:
                found[one["b"]][name] = turned_round(one)
    return found


def settings(record: dict[str, Any]) -> list[tuple[str, Any]]:
    """Parameters of a generator and of its decoder, by name."""
    generator = record["generator"]
    own = sorted(generator["params"].items())
    return own + [(f"decoder: {name}", value) for name, value in sorted(generator["decoder"].items())]


def opening(tables: Tables, gallery: Gallery) -> list[dict[str, Any]]:
    """Three people of different taste: what they liked, and what the reference made for each."""
    made = gallery.by_generator.get(tables.board.reference, {})
    people = [u for u in gallery.people if u in made and gallery.liked.get(u)]
    if not people:
        return []
    chosen = people[:1]
    while len(chosen) < min(OPENING_PEOPLE, len(people)):
        chosen.append(
            min((u for u in people if u not in chosen), key=lambda u: (float(tables.likeness[u, chosen].max()), u))
        )
    scores = tables.rows[tables.board.reference].scores[tables.primary]
    return [
        {
            "user": u,
            "liked": gallery.liked[u][:OPENING_PICTURES],
            "made": best_first(made[u], scores)[:OPENING_PICTURES],
        }
        for u in chosen
    ]


def galleries(tables: Tables, gallery: Gallery, row: Row) -> list[dict[str, Any]]:
    """One generator's pictures, a person each, best first."""
    scores = tables.rows[row.id].scores[tables.primary]
    return [
        {
            "user": u,
            "liked": gallery.liked.get(u, []),
            "disliked": gallery.disliked.get(u, []),
            "made": best_first(made, scores),
            "value": short_mean(scores[u]),
        }
        for u, made in sorted(gallery.by_generator.get(row.id, {}).items())
    ]


def short_mean(scores: Any) -> float | None:
    """Mean of the finite ones; None without any."""
    known = scores[np.isfinite(scores)]
    return float(known.mean()) if len(known) else None


@dataclass(frozen=True, slots=True)
class Made:
    """What one generator made for one person."""

    row: Row
    pictures: list[Shown]
    preference: float | None
    lift: float | None
    truth: float | None


def made_for(tables: Tables, gallery: Gallery, user: int) -> list[Made]:
    """Everything that was made for a person, what the person would like most first."""
    board, truth = tables.board, tables.board.truth()
    found = []
    for row in board.rows:
        values = [
            _finite(tables.value(row.id, measure)[user])
            for measure in (board.primary, LIFT + board.primary, truth or "")
        ]
        found.append(Made(row, gallery.by_generator.get(row.id, {}).get(user, []), values[0], values[1], values[2]))
    return sorted(found, key=lambda one: (-(one.preference if one.preference is not None else -1e9), one.row.id))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def histogram(tables: Tables, user: int) -> list[tuple[str, int]]:
    """Level of rating, and how often the person gave it in training; empty for records that do not say."""
    taste = tables.board.comparison["taste"]
    return [] if taste is None else list(zip(taste["levels"], taste["counts"][user], strict=True))


def bars(counts: Sequence[tuple[str, int]]) -> Markup:
    """A histogram as SVG; its numbers stand beside it as text."""
    most = max((n for _, n in counts), default=0) or 1
    rects = [
        f'<rect x="{k * 22}" y="{40 - round(38 * n / most)}" width="18" height="{round(38 * n / most)}"/>'
        for k, (_, n) in enumerate(counts)
    ]
    return Markup(  # noqa: S704 - numbers only
        f'<svg class="bars" width="{22 * len(counts)}" height="41" aria-hidden="true">{"".join(rects)}</svg>'
    )
