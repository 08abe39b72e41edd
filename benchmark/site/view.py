"""What templates are given: cells with whiskers on a common scale, verdicts, galleries; all of it read from a board."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from benchmark.analysis.measures import GAP, both_by
from benchmark.analysis.results import Comparison, Interval
from benchmark.board.board import Board
from benchmark.board.columns import Column
from benchmark.board.format_numbers import decimals_for, number
from benchmark.board.row import LAST, Row
from benchmark.board.tables import Tables
from benchmark.records.schema import RatedItem
from benchmark.site.images import Gallery, Shown, best_first
from benchmark.task.spec import GeneratorEntry
from rebeca.arrays import Floats

WHISKER = 72
MARGIN = 4
OPENING_USERS = 3
OPENING_IMAGES = 3


def hidden_at_first(board: Board, columns: Sequence[Column]) -> list[str]:
    """Keys of the columns that the script hides until they are asked for; without it all are visible."""
    decisive = [board.primary, *([] if board.best_informed is None else [board.best_informed])]
    shown = {measure.key for scorer in decisive for measure in both_by(scorer)} | {GAP, *board.measures.aesthetics}
    found = [column.key for column in columns if column.key not in shown]
    if not any(row.failures for row in board.rows):
        found.append("failures")
    if 2 * sum(row.seconds is None for row in board.rows) > len(board.rows):  # images came from a store
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
    ends = [v for cell in cells if cell for v in (cell.low, cell.high, cell.estimate) if v is not None]
    ends += [0.0] if column.signed else []
    return Scale(min(ends), max(ends)) if ends else Scale(0.0, 1.0)


def cell_html(cell: Interval | None, column: Column, scale: Scale) -> Markup:
    """A table cell: value, whisker, interval as text, and the value for sorting."""
    if cell is None or cell.estimate is None:
        return Markup("<td>–</td>")
    decimals = decimals_for(cell.low, cell.high)
    value = number(cell.estimate, decimals, column.signed)
    line, words = "", ""
    if cell.low is not None and cell.high is not None:
        line = f"M{scale.x(cell.low)} 6H{scale.x(cell.high)}"
        words = f"<small>{number(cell.low, decimals)} to {number(cell.high, decimals)}</small>"
    zero = f'<path class=z d="M{scale.x(0.0)} 0V12"/>' if column.signed else ""
    drawn = f'<svg class=w>{zero}<path d="{line}M{scale.x(cell.estimate)} 3v6"/></svg>'
    return Markup(f"<td data-v={cell.estimate:.5g}>{value}{drawn}{words}</td>")  # noqa: S704 - numbers only


@dataclass(slots=True)
class Verdicts:
    """A generator's comparisons with the reference, as it minus the reference; None where not tested."""

    preference: Comparison | None = None
    lift: Comparison | None = None


def verdicts(board: Board) -> dict[str, Verdicts]:
    """By generator."""
    found = {row.id: Verdicts() for row in board.rows}
    for measure in both_by(board.primary):
        for recorded in board.comparisons(measure):
            if board.reference in (recorded.a, recorded.b):
                other = recorded.b if recorded.a == board.reference else recorded.a
                setattr(found[other], measure.slug, recorded.seen_from(other))
    return found


def settings(generator: GeneratorEntry) -> list[tuple[str, object]]:
    """Parameters of a generator and of its decoder, by name."""
    own: list[tuple[str, object]] = sorted(generator.params.items())
    return own + [(f"decoder: {name}", value) for name, value in sorted(generator.decoder.items())]


@dataclass(frozen=True, slots=True)
class UserGallery:
    """One user's images by one generator, best first, beside what the user rated.

    Attributes:
        user: Index of the user.
        liked: Training items that the user liked.
        disliked: Those that the user did not like.
        images: By the generator.
        value: Mean score of the user's images; None without any.
    """

    user: int
    liked: Sequence[RatedItem]
    disliked: Sequence[RatedItem]
    images: Sequence[Shown]
    value: float | None


def opening(tables: Tables, gallery: Gallery) -> list[UserGallery]:
    """Three users of different taste: what they liked, and what the reference made for each."""
    shown = gallery.by_generator.get(tables.board.reference, {})
    users = [u for u in gallery.users if u in shown and gallery.liked.get(u)]
    if not users:
        return []
    chosen = users[:1]
    while len(chosen) < min(OPENING_USERS, len(users)):
        others = (u for u in users if u not in chosen)
        chosen.append(min(others, key=lambda u: (float(tables.likeness[u, chosen].max()), u)))
    scores = tables.rows[tables.board.reference].scores[tables.primary]
    return [
        UserGallery(
            u,
            gallery.liked[u][:OPENING_IMAGES],
            [],
            best_first(shown[u], scores)[:OPENING_IMAGES],
            short_mean(scores[u]),
        )
        for u in chosen
    ]


def galleries(tables: Tables, gallery: Gallery, row: Row) -> list[UserGallery]:
    """One generator's images user by user, best first."""
    scores = tables.rows[row.id].scores[tables.primary]
    return [
        UserGallery(
            u, gallery.liked.get(u, []), gallery.disliked.get(u, []), best_first(shown, scores), short_mean(scores[u])
        )
        for u, shown in sorted(gallery.by_generator.get(row.id, {}).items())
    ]


def short_mean(scores: Floats) -> float | None:
    """Mean of the finite ones; None without any."""
    known = scores[np.isfinite(scores)]
    return float(known.mean()) if len(known) else None


@dataclass(frozen=True, slots=True)
class MadeFor:
    """What one generator returned for one user."""

    row: Row
    images: Sequence[Shown]
    preference: float | None
    lift: float | None
    truth: float | None


def made_for(tables: Tables, gallery: Gallery, user: int) -> list[MadeFor]:
    """Everything that was generated for a user, what the user would like most first."""
    keys = (*(measure.key for measure in both_by(tables.primary)), tables.board.best_informed or "")
    found = []
    for row in tables.board.rows:
        values = [_finite(tables.value(row.id, key)[user]) for key in keys]
        found.append(MadeFor(row, gallery.by_generator.get(row.id, {}).get(user, []), *values))
    return sorted(found, key=lambda each: (-(LAST if each.preference is None else each.preference), each.row.id))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def histogram(tables: Tables, user: int) -> list[tuple[str, int]]:
    """Level of rating, and how often the user gave it in training."""
    taste = tables.board.record.taste
    return list(zip(taste.levels, taste.counts[user], strict=True))


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
