"""Values for templates: cells with whiskers on a common scale, verdicts, galleries; and how fast devices are.

They are read from a leaderboard, and from the reports of scripts/gpu_check.py, which are validated here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from markupsafe import Markup, escape
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.analysis.measures import GAP, both_by
from benchmark.analysis.numbers import Interval, PermutationTest
from benchmark.analysis.results import Comparison
from benchmark.board.board import Board
from benchmark.board.columns import Column
from benchmark.board.format_numbers import decimals_for, number, of_users, p_with_sign
from benchmark.board.history import History, history_of
from benchmark.board.row import LAST, Row
from benchmark.board.tables import Tables
from benchmark.records.files import newest_records
from benchmark.records.schema import Fit, RatedItem
from benchmark.site.images import Gallery, Shown, best_first
from benchmark.task.spec import GeneratorEntry
from rebeca.arrays import Floats
from rebeca.errors import RecordError

VERDICT, FITS = "verdict", "fits"
"""Keys of the columns of verdicts and of the spread between fits."""
MOST_COLUMNS = 8
"""Shown at first, rank and name included."""
WHISKER = 72
MARGIN = 4
OPENING_USERS = 3
OPENING_IMAGES = 3
PERF = "perf"
MOST_BYTES = 1 << 20
"""Of a report of speed."""
Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def hidden_at_first(board: Board, columns: Sequence[Column]) -> list[str]:
    """Keys of the columns that the script hides at first; without the script all are visible.

    Shown are rank, name, and the first columns of these: who is liked, who is personal, by the scorer that decides and
    by the one that knows best; the verdict; the spread between fits; what else tells how far to trust a row.
    """
    informed = board.measures.best_informed
    decisive = dict.fromkeys([board.primary, *([] if informed is None else [informed])])
    best = [measure.key for scorer in decisive for measure in both_by(scorer)]
    wanted = [*best, VERDICT, FITS, GAP, *board.measures.aesthetics]
    present = [column.key for column in columns] + [VERDICT, *([FITS] if board.between_fits else [])]
    shown = [key for key in wanted if key in present][: MOST_COLUMNS - 2]
    return [key for key in [*present, "seconds", "failures", "status"] if key not in shown]


def measured(board: Board) -> tuple[list[str], int]:
    """Headings of the columns that are shown at first, and the number of other columns."""
    columns = board.measures.everything()
    hidden = hidden_at_first(board, columns)
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
    """A scale that covers every interval of a column, and zero for a column of differences."""
    cells = [row.cell(column) for row in board.rows]
    ends = [v for cell in cells if cell for v in (cell.low, cell.high, cell.estimate) if v is not None]
    ends += [0.0] if column.signed else []
    return Scale(min(ends), max(ends)) if ends else Scale(0.0, 1.0)


def cell_html(
    cell: Interval | None, column: Column, scale: Scale, users: int, test: PermutationTest | None = None
) -> Markup:
    """A table cell: value, whisker, interval as text, how many of ``users`` have a value, and the value for sorting.

    A lift has its permutation test below.
    """
    if cell is None or cell.estimate is None:
        return Markup("<td>–</td>")
    decimals = decimals_for(cell.low, cell.high)
    value = number(cell.estimate, decimals, column.signed)
    line, words = "", ""
    if cell.low is not None and cell.high is not None:
        line = f"M{scale.x(cell.low)} 6H{scale.x(cell.high)}"
        words = f"<small>{number(cell.low, decimals)} to {number(cell.high, decimals)}</small>"
    if fewer := of_users(cell, users):
        words += f"<small>{fewer}</small>"
    if test is not None:
        words += f"<small>{escape(p_with_sign(test.p))}</small>"
    zero = f'<path class=z d="M{scale.x(0.0)} 0V12"/>' if column.signed else ""
    drawn = f'<svg class=w>{zero}<path d="{line}M{scale.x(cell.estimate)} 3v6"/></svg>'
    return Markup(f"<td data-v={cell.estimate:.5g}>{value}{drawn}{words}</td>")  # noqa: S704 - numbers only


def verdicts(board: Board) -> dict[str, dict[str, Comparison | None]]:
    """Every generator minus the reference in ``preference`` and ``lift``; None where not tested."""
    measures = both_by(board.primary)
    return {
        row.id: {measure.slug: board.against_reference(row.id, measure) for measure in measures} for row in board.rows
    }


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
        disliked: Training items that the user did not like.
        images: Images by the generator.
        value: Mean score of the user's images; None if none has a score.
    """

    user: int
    liked: Sequence[RatedItem]
    disliked: Sequence[RatedItem]
    images: Sequence[Shown]
    value: float | None


def opening(tables: Tables, gallery: Gallery) -> list[UserGallery]:
    """Three users of different taste: items that each liked, and the reference's images for each."""
    by_user = {each.user: each for each in galleries(tables, gallery, tables.board.reference)}
    users = [u for u in gallery.users if u in by_user and by_user[u].liked]
    alike, places = tables.alike(np.array(users, int), np.array(users, int)), [0][: len(users)]
    while len(places) < min(OPENING_USERS, len(users)):
        others = (place for place in range(len(users)) if place not in places)
        places.append(min(others, key=lambda place: (float(alike[place, places].max()), place)))
    chosen = [users[place] for place in places]
    return [
        replace(by_user[u], liked=by_user[u].liked[:OPENING_IMAGES], images=by_user[u].images[:OPENING_IMAGES])
        for u in chosen
    ]


def galleries(tables: Tables, gallery: Gallery, generator: str) -> list[UserGallery]:
    """One generator's images user by user, best first."""
    scores = tables.rows[generator].scores[tables.primary]
    return [
        UserGallery(
            u, gallery.liked.get(u, []), gallery.disliked.get(u, []), best_first(shown, scores), short_mean(scores[u])
        )
        for u, shown in sorted(gallery.by_generator.get(generator, {}).items())
    ]


def short_mean(scores: Floats) -> float | None:
    """Mean of the finite scores; None without any."""
    known = scores[np.isfinite(scores)]
    return float(known.mean()) if len(known) else None


@dataclass(frozen=True, slots=True)
class ReturnedFor:
    """One generator's images for one user, and the user's mean scores."""

    row: Row
    images: Sequence[Shown]
    preference: float | None
    lift: float | None
    ground_truth: float | None


def returned_for(tables: Tables, gallery: Gallery, user: int) -> list[ReturnedFor]:
    """All images for a user, the generator with the highest preference first."""
    keys = (*(measure.key for measure in both_by(tables.primary)), tables.board.measures.best_informed or "")
    returned = [
        ReturnedFor(
            row,
            gallery.by_generator.get(row.id, {}).get(user, []),
            *(short_mean(tables.value(row.id, key)[[user]]) for key in keys),
        )
        for row in tables.board.rows
    ]
    return sorted(returned, key=lambda each: (-(LAST if each.preference is None else each.preference), each.row.id))


def histogram(tables: Tables, user: int) -> list[tuple[str, int]]:
    """Rating levels, and how often the user gave each in training."""
    taste = tables.board.record.taste
    return list(zip(taste.levels, taste.counts[user], strict=True))


def bars(counts: Sequence[tuple[str, int]]) -> Markup:
    """A histogram as SVG, hidden from screen readers: pages show its numbers as text."""
    most = max((n for _, n in counts), default=0) or 1
    rects = [
        f'<rect x="{k * 22}" y="{40 - round(38 * n / most)}" width="18" height="{round(38 * n / most)}"/>'
        for k, (_, n) in enumerate(counts)
    ]
    return Markup(  # noqa: S704 - numbers only
        f'<svg class="bars" width="{22 * len(counts)}" height="41" aria-hidden="true">{"".join(rects)}</svg>'
    )


class GuidanceLine(BaseModel):
    """Result of one guidance scale on validation ratings."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    prior_guidance: float
    personal_rating: float
    standard_error: float


class Guidance(BaseModel):
    """Results of all guidance scales, the chosen scale, and on how many users and ratings the choice rests."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    chosen: float
    table: tuple[GuidanceLine, ...]
    users: int
    ratings: int
    ratings_without_other_raters: int


def guidance_of(fit: Fit) -> Guidance | None:
    """The guidance chosen by a fit; None if its report, which is free in form, does not have it."""
    try:
        return Guidance.model_validate(fit.report.get("guidance"))
    except ValidationError:
        return None


@dataclass(frozen=True, slots=True)
class FitView:
    """A fit as its generator's page shows it.

    Attributes:
        fit: The fit.
        history: Losses, where it reports them.
        guidance: The chosen guidance, where it chose one.
    """

    fit: Fit
    history: History | None
    guidance: Guidance | None


def fits_of(row: Row) -> list[FitView]:
    return [FitView(fit, history_of(fit), guidance_of(fit)) for fit in row.record.fits]


class SpeedFigures(BaseModel):
    """Measurements that have a limit in scripts/gpu_check.py."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rate: Number = Field(alias="images per second")
    times: Number = Field(alias="times faster than the original's way")
    scoring: Number = Field(alias="scoring / generating")
    outside: Number = Field(alias="outside model calls")


class Report(BaseModel):
    """One device's report; keys that the page does not show are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    device: str = Field(max_length=200)
    size: Literal["full", "tiny"]
    weights: Literal["random", "published"]
    steps: Annotated[int, Field(ge=1)]
    measured: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    figures: SpeedFigures


def read_reports(roots: Sequence[Path]) -> list[Report]:
    """Reports in ``perf/`` below folders of records, or beside the folder of one task; full-size ones first.

    Raises:
        RecordError: Naming a file that is not a report.
    """
    folders = {((root.parent if newest_records(root) else root) / PERF).resolve() for root in roots}
    reports = []
    for path in sorted(path for folder in folders for path in folder.glob("*.json")):
        if path.stat().st_size > MOST_BYTES:
            raise RecordError(f"{path}: {path.stat().st_size:,} bytes are too many for a report")
        try:
            reports.append(Report.model_validate_json(path.read_bytes()))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise RecordError(f"{path}: {where}: {first['msg'].lower()}", hint="python scripts/gpu_check.py") from error
    return sorted(reports, key=lambda report: (report.size != "full", report.device))
