"""Preference beside diversity: who is liked more than others that show images as different from each other?"""

from __future__ import annotations

from functools import partial
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmark.analysis.measures import DIVERSITY
from benchmark.board.board import Board
from benchmark.board.claims import Claim
from benchmark.board.format_numbers import number
from benchmark.board.tables import Tables
from benchmark.figures.plane import LABEL_ROOM, beside, ends_of, ticks
from benchmark.figures.style import INK, SOFT, Figure, Size, Undrawn, family_colour, family_shape, present
from rebeca.arrays import Bools, Floats
from rebeca.ties import levels

NAMED = 8
"""Generators of the front that are named."""


def diversity(tables: Tables) -> list[Figure | Undrawn]:
    """Preference against diversity, where the task measures both."""
    return present({"diversity": partial(_front, tables.board)})


def _front(board: Board) -> Figure | None:
    points = []
    for row in board.rows:
        like, varied = row.measure(board.primary), row.measure(DIVERSITY)
        if row.ranked and like is not None and varied is not None:
            points.append({"id": row.id, "generator": row.title, "family": row.family,
                           **ends_of("diversity", varied), **ends_of("preference", like)})  # fmt: skip
    if len(points) < 2:
        return None
    data = pd.DataFrame(points)
    data["front"] = unbeaten(data["diversity"].to_numpy(float), data["preference"].to_numpy(float))
    front = data[data["front"]].sort_values("diversity", kind="stable")
    best = front.iloc[0]
    return Figure(
        "diversity",
        title=f"No other generator exceeds {len(front)} of {len(data)} in both preference and diversity; the most liked"
        f" of them, {best['generator']}, has a diversity of {number(best['diversity'])}",
        claims=(
            Claim("", "on the diversity front", "is", len(front)),
            Claim("", "with a diversity", "is", len(data)),
            Claim(str(best["id"]), board.primary, "highest"),
            Claim(str(best["id"]), DIVERSITY, "is", float(best["diversity"])),
        ),
        alt="; ".join(
            f"{title}: diversity {number(x)}, preference {number(y)}"
            for title, x, y in zip(data["generator"], data["diversity"], data["preference"], strict=True)
        ),
        data=data,
        draw=partial(_draw, data, board),
        note="Right: a user's images differ more. Up: users like them more. Compare generators of equal diversity:"
        " less variety can raise preference. Dashed: the front, whose generators none exceeds in both. Crosses are"
        " 95 % intervals over users.",
    )


def unbeaten(across: Floats, up: Floats) -> Bools:
    """Bool [n]; whether no other point is as high in both and higher in one; ties are up to rounding."""
    x, y = levels(across), levels(up)
    as_good = (x[None, :] >= x[:, None]) & (y[None, :] >= y[:, None])
    better = (x[None, :] > x[:, None]) | (y[None, :] > y[:, None])
    return np.asarray(~(as_good & better).any(axis=1))


def _draw(data: pd.DataFrame, board: Board, size: Size) -> Any:
    height = round(size.width * 0.5)
    low, high = float(data["diversity_low"].min()), float(data["diversity_high"].max())
    span = (high - low) or 1.0
    room = alt.Scale(domain=[low - 0.04 * span, high + LABEL_ROOM * span], nice=False, zero=False)
    limits = float(data["preference_low"].min()), float(data["preference_high"].max())
    front = data[data["front"]].sort_values(["diversity", "preference"], ascending=[True, False], kind="stable")
    values, decimals = ticks(low, high)
    columns = ("diversity", "preference", "generator")
    labels = beside(front.head(NAMED), columns, high + 0.06 * span, limits, size, height)

    def x(field: str) -> alt.X:
        axis = alt.Axis(values=values, format=f".{decimals}f", titleAnchor="start")
        return alt.X(f"{field}:Q", title="diversity", scale=room, axis=axis)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title="preference", scale=alt.Scale(zero=False))

    base, few, line = alt.Chart(data), alt.Chart(labels), alt.Chart(front)
    colour = family_colour(board.rows)
    thin = {"strokeWidth": 1.2, "opacity": 0.4, "aria": False}
    return alt.layer(
        line.mark_line(color=SOFT, interpolate="step-before", strokeDash=[4, 3], aria=False).encode(
            x=x("diversity"), y=y("preference")
        ),
        few.mark_rule(color=SOFT, strokeWidth=0.6, opacity=0.6, aria=False).encode(
            x=x("diversity"), x2="label_x:Q", y=y("preference"), y2="label_y:Q"
        ),
        base.mark_rule(**thin).encode(x=x("diversity_low"), x2="diversity_high:Q", y=y("preference"), color=colour),
        base.mark_rule(**thin).encode(x=x("diversity"), y=y("preference_low"), y2="preference_high:Q", color=colour),
        base.mark_point(filled=True, size=size.font * 6).encode(
            x=x("diversity"),
            y=y("preference"),
            color=colour,
            shape=family_shape(board.rows),
            description="generator:N",
            opacity=alt.condition("datum.front", alt.value(1.0), alt.value(0.5)),
        ),
        few.mark_text(align="left", dx=3, fontSize=size.font, color=INK, stroke=None, aria=False).encode(
            x=x("label_x"), y=y("label_y"), text="text:N"
        ),
    ).properties(width=size.width, height=height)
