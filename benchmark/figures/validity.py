"""Whether the board's order is right: what judges say of each generator against what is true."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from benchmark.board import Row
from benchmark.figures.plane import LABEL_ROOM, beside, ticks
from benchmark.figures.style import INK, SOFT, Figure, Size, family_colour, family_shape
from benchmark.numbers import number
from benchmark.record_file import LIFT
from benchmark.tables import Tables

NAMED = 5
"""Generators that are named: those whose places on the board and in truth lie farthest apart."""
CLOSE = 0.7
"""Kendall's tau from which an order is called close: 85 of 100 pairs stand alike."""


def validity(tables: Tables) -> list[Figure]:
    """A scatter a measure, where a scorer knows the truth."""
    found = [_scatter(tables, one) for one in tables.board.validity]
    return [figure for figure in found if figure is not None]


def _interval(row: Row, measure: str) -> dict[str, Any] | None:
    return row.lift(measure.removeprefix(LIFT)) if measure.startswith(LIFT) else row.measure(measure)


def _scatter(tables: Tables, one: dict[str, Any]) -> Figure | None:
    board, points = tables.board, []
    for row in board.rows:
        said, true = _interval(row, one["measure"]), _interval(row, one["truth"])
        if row.id not in one["generators"] or said is None or true is None:
            continue
        point: dict[str, Any] = {"id": row.id, "generator": row.title, "family": row.family}
        for name, cell in (("board", said), ("truth", true)):
            point[name] = cell["estimate"]
            for end in ("low", "high"):
                point[f"{name}_{end}"] = cell[end] if cell[end] is not None else cell["estimate"]
        points.append(point)
    if len(points) < 3:
        return None
    data = pd.DataFrame(points)
    places = data[["board", "truth"]].rank(ascending=False)
    data["apart"] = (places["board"] - places["truth"]).abs().astype(float)
    named = data[data["apart"] >= 1].sort_values(["apart", "id"], ascending=[False, True], kind="stable").head(NAMED)
    what = "personal lift" if one["measure"].startswith(LIFT) else "preference"
    unit = str(board.card(one["truth"].removeprefix(LIFT))["unit"])

    def draw(size: Size) -> Any:
        height = round(size.width * 0.6)
        low, high = float(data["truth_low"].min()), float(data["truth_high"].max())
        margin = (high - low) or 1.0
        ends = float(data["board_low"].min()), float(data["board_high"].max())
        labels = beside(named, ("truth", "board", "generator"), high + 0.06 * margin, ends, size, height)
        room = alt.Scale(domain=[low - 0.04 * margin, high + LABEL_ROOM * margin], nice=False, zero=False)
        values, decimals = ticks(low, high)
        axis = alt.Axis(values=values, format=f".{decimals}f", titleAnchor="start")
        x_title, y_title = f"{what} by the {board.card_name(knows).lower()} ({unit})", f"{what} by the verifier"
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

    tau = one["tau"]["estimate"]
    agrees = "is close to" if tau is not None and tau >= CLOSE else "is not"
    knows = one["truth"].removeprefix(LIFT)
    whose = f"that of the {board.card_name(knows).lower()}"
    title = f"In {what}, the board's order of {len(data)} generators {agrees} {whose} (Kendall's tau {number(tau, 2)})"
    text = "; ".join(
        f"{p['generator']}: {number(p['board'])} by the verifier, {number(p['truth'])} by the other" for p in points
    )
    note = (
        f"Kendall's tau {number(tau, 2)} over {one['people']} people; when people are drawn again,"
        f" {number(one['tau']['low'], 2)} to {number(one['tau']['high'], 2)}, which leans low."
        " Named: those whose places differ most. Crosses: 95 % intervals over people."
    )
    name = f"validity-{'lift' if what != 'preference' else 'preference'}-{knows}"
    return Figure(name, title, text, data.drop(columns="id"), draw, note)
