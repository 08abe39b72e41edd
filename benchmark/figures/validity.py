"""Whether the board's order is right: what judges say of each generator against the ground truth."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from benchmark.analysis.measures import Measure
from benchmark.analysis.results import Validity
from benchmark.board.board import Board
from benchmark.board.format_numbers import count, number
from benchmark.board.tables import Tables
from benchmark.figures.plane import LABEL_ROOM, beside, ends_of, ticks
from benchmark.figures.style import INK, SOFT, Figure, Size, family_colour, family_shape

NAMED = 5
"""Generators that are named: those whose places on the board and by the ground truth lie farthest apart."""
CLOSE = 0.7
"""Kendall's tau from which an order is called close: 85 of 100 pairs stand alike."""


def validity(tables: Tables) -> list[Figure]:
    """A scatter per measure, where a scorer knows the ground truth."""
    found = [_scatter(tables, validity) for validity in tables.board.validity]
    return [figure for figure in found if figure is not None]


def _points(tables: Tables, validity: Validity) -> pd.DataFrame:
    """A row per generator: estimates and ends by the board and by the ground truth, and how far places lie apart."""
    sides = {"board": Measure.parse(validity.measure), "truth": Measure.parse(validity.ground_truth)}
    points = []
    for row in tables.board.rows:
        cells = {side: row.interval(measure) for side, measure in sides.items()}
        if row.id not in validity.generators:
            continue
        point: dict[str, Any] = {"id": row.id, "generator": row.title, "family": row.family}
        for side, cell in cells.items():
            point |= {} if cell is None else ends_of(side, cell)
        if None not in cells.values():
            points.append(point)
    data = pd.DataFrame(points)
    if len(data):
        places = data[["board", "truth"]].rank(ascending=False)
        data["apart"] = (places["board"] - places["truth"]).abs().astype(float)
    return data


def _scatter(tables: Tables, validity: Validity) -> Figure | None:
    board, data = tables.board, _points(tables, validity)
    if len(data) < 3:
        return None
    measure, known = Measure.parse(validity.measure), Measure.parse(validity.ground_truth)
    card = board.cards[known.scorer]
    titles = f"{measure.kind} by the {card.name.lower()} ({card.unit})", f"{measure.kind} by the verifier"

    def draw(size: Size) -> Any:
        return _draw(data, board, size, *titles)

    tau = validity.tau.estimate
    agrees = "is close to" if tau is not None and tau >= CLOSE else "is not"
    title = (
        f"In {measure.kind}, the board's order of {len(data)} generators {agrees} that of the {card.name.lower()}"
        f" (Kendall's tau {number(tau, 2)})"
    )
    text = "; ".join(
        f"{p['generator']}: {number(p['board'])} by the verifier, {number(p['truth'])} by the other"
        for _, p in data.iterrows()
    )
    note = (
        f"Kendall's tau {number(tau, 2)} over {count(validity.users)}; when users are drawn again,"
        f" {number(validity.tau.low, 2)} to {number(validity.tau.high, 2)}, which leans low."
        " Named: those whose places differ most. Crosses: 95 % intervals over users."
    )
    name = f"validity-{measure.slug}-{known.scorer}"
    return Figure(name, title, text, data.drop(columns="id"), draw, note)


def _draw(data: pd.DataFrame, board: Board, size: Size, x_title: str, y_title: str) -> Any:
    named = data[data["apart"] >= 1].sort_values(["apart", "id"], ascending=[False, True], kind="stable").head(NAMED)
    height = round(size.width * 0.6)
    low, high = float(data["truth_low"].min()), float(data["truth_high"].max())
    margin = (high - low) or 1.0
    ends = float(data["board_low"].min()), float(data["board_high"].max())
    labels = beside(named, ("truth", "board", "generator"), high + 0.06 * margin, ends, size, height)
    room = alt.Scale(domain=[low - 0.04 * margin, high + LABEL_ROOM * margin], nice=False, zero=False)
    values, decimals = ticks(low, high)
    axis = alt.Axis(values=values, format=f".{decimals}f", titleAnchor="start")
    x = alt.X("truth:Q", title=x_title, scale=room, axis=axis)
    y = alt.Y("board:Q", title=y_title, scale=alt.Scale(zero=False))
    base, few, colour = alt.Chart(data), alt.Chart(labels), family_colour(board.rows)
    thin = {"strokeWidth": 1, "opacity": 0.35}
    return alt.layer(
        few.mark_rule(color=SOFT, strokeWidth=0.6, opacity=0.6).encode(x=x, x2="label_x:Q", y=y, y2="label_y:Q"),
        base.mark_rule(**thin).encode(x=alt.X("truth_low:Q", title=x_title), x2="truth_high:Q", y=y, color=colour),
        base.mark_rule(**thin).encode(x=x, y=alt.Y("board_low:Q", title=y_title), y2="board_high:Q", color=colour),
        base.mark_point(filled=True, size=size.font * 6, opacity=1).encode(
            x=x, y=y, color=colour, shape=family_shape(board.rows)
        ),
        few.mark_text(align="left", dx=3, fontSize=size.font, color=INK).encode(
            x=alt.X("label_x:Q", title=x_title), y=alt.Y("label_y:Q", title=y_title), text="text:N"
        ),
    ).properties(width=size.width, height=height)
