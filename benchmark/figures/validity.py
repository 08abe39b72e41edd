"""The leaderboard's order against the ground truth: each generator's value by the judges and by the ground truth."""

from __future__ import annotations

from functools import partial
from typing import Any

import altair as alt
import pandas as pd

from benchmark.analysis.measures import Measure
from benchmark.analysis.results import Validity
from benchmark.board.board import Board
from benchmark.board.claims import Claim
from benchmark.board.format_numbers import count, number
from benchmark.board.tables import Tables
from benchmark.figures.plane import LABEL_ROOM, beside, ends_of, ticks
from benchmark.figures.style import INK, SOFT, Figure, Size, Undrawn, family_colour, family_shape, present

NAMED = 5
"""Generators that are named: those whose places on the leaderboard and by the ground truth lie farthest apart."""
CLOSE = 0.7
"""Kendall's tau from which an order is called close: 85 of 100 pairs are ordered alike."""


def validity(tables: Tables) -> list[Figure | Undrawn]:
    """A scatter per measure, where a scorer knows the ground truth."""
    return present({f"validity-{each.measure}": partial(_scatter, tables, each) for each in tables.board.validity})


def _points(tables: Tables, validity: Validity) -> pd.DataFrame:
    """One row per generator: estimates and ends by judges and ground truth, and how far its two places lie apart."""
    sides = {"leaderboard": Measure.parse(validity.measure), "ground_truth": Measure.parse(validity.ground_truth)}
    points = []
    for row in tables.board.rows:
        cells = {side: row.interval(measure) for side, measure in sides.items()}
        ends = [ends_of(side, cell) for side, cell in cells.items() if cell is not None]
        if row.id in validity.generators and len(ends) == 2:
            points.append({"id": row.id, "generator": row.title, "family": row.family, **ends[0], **ends[1]})
    data = pd.DataFrame(points)
    if len(data):
        places = data[["leaderboard", "ground_truth"]].rank(ascending=False)
        data["apart"] = (places["leaderboard"] - places["ground_truth"]).abs().astype(float)
    return data


def _scatter(tables: Tables, validity: Validity) -> Figure | None:
    board, data = tables.board, _points(tables, validity)
    if len(data) < 3:
        return None
    measure, known = Measure.parse(validity.measure), Measure.parse(validity.ground_truth)
    card = board.cards[known.scorer]
    titles = f"{measure.kind} by the {card.name.lower()} ({card.unit})", f"{measure.kind} by the verifier"

    tau = validity.tau.estimate
    agrees = "is close to" if tau is not None and tau >= CLOSE else "is not"
    return Figure(
        f"validity-{measure.slug}-{known.scorer}",
        claims=(
            Claim("", f"with ground truth:{measure.key}:{known.key}", "is", len(data)),
            Claim("", f"tau:{measure.key}:{known.key}", "is", tau),
        ),
        title=f"In {measure.kind}, the leaderboard's order of {len(data)} generators {agrees} that of the"
        f" {card.name.lower()} (Kendall's tau {number(tau, 2)})",
        alt="; ".join(
            f"{p['generator']}: {number(p['leaderboard'])} by the verifier, {number(p['ground_truth'])} by the other"
            for _, p in data.iterrows()
        ),
        data=data.drop(columns="id"),
        draw=partial(_draw, data, board, titles),
        note=f"Kendall's tau {number(tau, 2)} over {count(validity.users)}; over bootstrap draws of users,"
        f" {number(validity.tau.low, 2)} to {number(validity.tau.high, 2)}, which is biased low."
        " Named: those whose places differ most. Crosses: 95 % intervals over users.",
    )


def _draw(data: pd.DataFrame, board: Board, titles: tuple[str, str], size: Size) -> Any:
    x_title, y_title = titles
    named = data[data["apart"] >= 1].sort_values(["apart", "id"], ascending=[False, True], kind="stable").head(NAMED)
    height = round(size.width * 0.6)
    low, high = float(data["ground_truth_low"].min()), float(data["ground_truth_high"].max())
    margin = (high - low) or 1.0
    ends = float(data["leaderboard_low"].min()), float(data["leaderboard_high"].max())
    labels = beside(named, ("ground_truth", "leaderboard", "generator"), high + 0.06 * margin, ends, size, height)
    room = alt.Scale(domain=[low - 0.04 * margin, high + LABEL_ROOM * margin], nice=False, zero=False)
    values, decimals = ticks(low, high)
    axis = alt.Axis(values=values, format=f".{decimals}f", titleAnchor="start")
    x = alt.X("ground_truth:Q", title=x_title, scale=room, axis=axis)
    y = alt.Y("leaderboard:Q", title=y_title, scale=alt.Scale(zero=False))
    base, few, colour = alt.Chart(data), alt.Chart(labels), family_colour(board.rows)
    thin = {"strokeWidth": 1, "opacity": 0.35}
    return alt.layer(
        few.mark_rule(color=SOFT, strokeWidth=0.6, opacity=0.6).encode(x=x, x2="label_x:Q", y=y, y2="label_y:Q"),
        base.mark_rule(**thin).encode(
            x=alt.X("ground_truth_low:Q", title=x_title), x2="ground_truth_high:Q", y=y, color=colour
        ),
        base.mark_rule(**thin).encode(
            x=x, y=alt.Y("leaderboard_low:Q", title=y_title), y2="leaderboard_high:Q", color=colour
        ),
        base.mark_point(filled=True, size=size.font * 6, opacity=1).encode(
            x=x, y=y, color=colour, shape=family_shape(board.rows)
        ),
        few.mark_text(align="left", dx=3, fontSize=size.font, color=INK).encode(
            x=alt.X("label_x:Q", title=x_title), y=alt.Y("label_y:Q", title=y_title), text="text:N"
        ),
    ).properties(width=size.width, height=height)
