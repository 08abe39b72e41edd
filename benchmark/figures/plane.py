"""The main figure: preference across, personal lift upwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmark.analysis.measures import GROUND_TRUTH, OBSERVED, both_by
from benchmark.analysis.numbers import Interval
from benchmark.board.board import Board
from benchmark.board.claims import Claim, Sentence, highest, with_value
from benchmark.board.finding import named, standing
from benchmark.board.format_numbers import number, with_interval
from benchmark.board.row import Row
from benchmark.board.scope import subject
from benchmark.board.tables import Tables
from benchmark.figures.style import (
    INK,
    SOFT,
    Figure,
    Size,
    Undrawn,
    family_colour,
    family_scale,
    family_shape,
    present,
    ranked,
    shortened,
)

LABELS = 8
"""Generators that are named directly; the others are named on hover and focus, and in the table."""
MOST_CROSSES = 60
"""With more generators only the named ones show their intervals, which would cover each other."""
BY = {OBSERVED: "By users' own ratings", GROUND_TRUTH: "By the ground truth"}
"""How a plane by a scorer of this role begins."""
LINK = "generators/"
LABEL_ROOM = 0.62
"""Room for names on the right, as a share of the data's width."""


def planes(tables: Tables) -> list[Figure | Undrawn]:
    """The plane by the primary scorer, and by the ground truth or by real ratings where these have personal lifts."""
    board, best = tables.board, tables.board.measures.best_informed
    figures = {"plane": partial(plane, board, board.primary, "plane", "preference (probability)")}
    if best is not None and best != board.primary and any(row.lift(best) for row in board.rows):
        figures[f"plane-{best}"] = partial(plane, board, best, f"plane-{best}", board.cards[best].unit)
    return present(figures)


def plane(board: Board, judge: str, name: str, x_title: str) -> Figure | None:
    """Preference and lift by one judge; None where no generator has both."""
    points = _points(board.rows, judge)
    if points.empty:
        return None
    points["named"] = points["id"].isin(_named(points, board.reference))
    by = BY.get(board.cards[judge].role)
    sentence = board.lead if by is None else _most(by, board, judge)
    return Figure(
        name,
        title=sentence.text,
        claims=sentence.claims,
        alt="; ".join(points["description"]),
        data=points.drop(columns=["href", "description"]),
        draw=partial(_draw, points, board, x_title),
        note="Right: users like the images. Up: users like their own images more than those generated for others; a"
        f" crowd-pleaser sits at zero. Crosses are 95 % intervals over {board.scope.sampled}. Hollow: without a rank.",
        answers=True,
    )


def _most(by: str, board: Board, judge: str) -> Sentence:
    """Who is liked most and who has the highest lift, by one judge."""
    rows = ranked(board.rows)
    liked, lifted = both_by(judge)
    like, liking = with_value(rows, liked)
    lift, lifting = with_value(rows, lifted)
    if not like or not lift:
        return Sentence(f"{by}, no ranked generator has a preference and a lift")
    best, most = highest(like, liking)[0], highest(lift, lifting)[0]
    near = standing(most, lifted, rows, board.record.results)
    value, height = max(liking), max(lifting)
    claims = (
        Claim(best.id, liked.key, "highest", value),
        Claim(most.id, lifted.key, "highest", height),
    )
    text = f"{by}, {subject(best, named(best))} has the highest preference ({number(value)}) and " + (
        "" if best is most else f"{subject(most, named(most))} "
    )
    text += f"the highest personal lift ({number(height, sign=True)})"
    return Sentence(text + near.text, claims + near.claims)


def _points(rows: Sequence[Row], judge: str) -> pd.DataFrame:
    points = []
    for row in rows:
        like, lift = row.measure(judge), row.lift(judge)
        if like is None or lift is None:
            continue
        numbers = f"{row.title}: preference {with_interval(like)}, personal lift {with_interval(lift, True)}"
        points.append(
            {
                "id": row.id,
                "title": row.title,
                "family": row.family,
                "ranked": row.ranked,
                "description": numbers + ("" if row.ranked else "; unranked"),
                "href": f"{LINK}{row.id}.html",
                **ends_of("like", like),
                **ends_of("lift", lift),
            }
        )
    return pd.DataFrame(points)


def ends_of(name: str, interval: Interval) -> dict[str, float | None]:
    """Columns of a figure: the estimate and both ends, which are the estimate where there is no interval."""
    low, high = (end if end is not None else interval.estimate for end in (interval.low, interval.high))
    return {name: interval.estimate, f"{name}_low": low, f"{name}_high": high}


def _named(points: pd.DataFrame, reference: str) -> set[str]:
    """Generators to name: the reference, the best and worst, one per family, those that none beats on both axes.

    Ranked generators come first; privileged ones are named where there is room.
    """
    order = points.sort_values(["ranked", "like"], ascending=False, kind="stable")
    first = order[order["ranked"]] if order["ranked"].any() else order
    unbeaten = first[first["lift"] > first["lift"].cummax().shift(fill_value=-np.inf)]
    best_of_family = order.drop_duplicates("family")
    ids = points["id"].tolist()
    named = [
        reference,
        first["id"].iloc[0],
        first["id"].iloc[int(np.argmax(first["lift"]))],
        first["id"].iloc[-1],
        *best_of_family["id"],
        *unbeaten["id"],
        ids[int(np.argmin(points["lift"]))],
    ]
    wanted = [name for name in dict.fromkeys(named) if name in ids][:LABELS]
    places = points[["like", "lift"]].to_numpy()
    places = (places - places.mean(axis=0)) / np.maximum(places.std(axis=0), 1e-12)
    while len(wanted) < min(LABELS, len(ids)):  # next, whoever stands farthest from the named ones
        distance = np.linalg.norm(places[:, None] - places[[ids.index(name) for name in wanted]], axis=2).min(axis=1)
        distance[[name in wanted for name in ids]] = -1.0
        wanted.append(ids[int(np.argmax(distance))])
    return set(wanted)


def _axis(low: float, high: float, sign: str) -> Any:
    """Round values, with as many decimals as tell them apart."""
    values, decimals = ticks(low, high)
    return alt.Axis(values=values, format=f"{sign}.{decimals}f", titleAnchor="start" if not sign else alt.Undefined)


def _draw(data: pd.DataFrame, board: Board, x_title: str, size: Size) -> Any:
    height = round(size.width * 0.62)
    low, high = float(data["like_low"].min()), float(data["like_high"].max())
    margin = (high - low) or 1.0
    room = alt.Scale(domain=[low - 0.04 * margin, high + LABEL_ROOM * margin], nice=False, zero=False)
    axis = _axis(low, high, "")
    limits = float(data["lift_low"].min()), float(data["lift_high"].max())
    span = (limits[1] - limits[0]) or 1.0
    upright = _axis(*limits, "+")
    vertical = alt.Scale(domain=[limits[0] - 0.05 * span, limits[1] + 0.05 * span], nice=False)

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", title=x_title, scale=room, axis=axis)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title="personal lift", scale=vertical, axis=upright)

    labels = beside(data[data["named"]], ("like", "lift", "title"), high + 0.06 * margin, limits, size, height)
    base, few = alt.Chart(data), alt.Chart(labels)
    # the line at zero ends before the names, which it would strike through
    zero = alt.Chart(pd.DataFrame({"lift": [0.0], "from": low - 0.04 * margin, "to": high + 0.04 * margin}))
    faint = alt.condition("datum.named", alt.value(0.6), alt.value(0.22))
    colour, shape = family_colour(board.rows), family_shape(board.rows)
    stroke = alt.Stroke("family:N", scale=family_scale(board.rows), legend=None)
    thin = {"strokeWidth": 1.2, "aria": False}
    crossed = base if len(data) <= MOST_CROSSES else alt.Chart(data[data["named"]])
    mark = base.mark_point(filled=True, size=size.font * 6).encode(
        x=x("like"),
        y=y("lift"),
        color=colour,
        shape=shape,
        description="description:N",
        href="href:N",
        opacity=alt.condition("datum.named", alt.value(1.0), alt.value(0.75)),
        fillOpacity=alt.condition("datum.ranked", alt.value(1.0), alt.value(0.0)),
        stroke=stroke,
        strokeWidth=alt.value(1.4),
    )
    reference = alt.Chart(data[data["id"] == board.reference])
    return alt.layer(
        zero.mark_rule(color=INK, strokeDash=[3, 3], opacity=0.7, aria=False).encode(
            x=x("from"), x2="to:Q", y=y("lift")
        ),
        few.mark_rule(color=SOFT, strokeWidth=0.6, opacity=0.6, aria=False).encode(
            x=x("like"), x2="label_x:Q", y=y("lift"), y2="label_y:Q"
        ),
        crossed.mark_rule(**thin).encode(x=x("like_low"), x2="like_high:Q", y=y("lift"), color=colour, opacity=faint),
        crossed.mark_rule(**thin).encode(x=x("like"), y=y("lift_low"), y2="lift_high:Q", color=colour, opacity=faint),
        reference.mark_point(size=size.font * 22, color=INK, strokeWidth=1.2, aria=False).encode(
            x=x("like"), y=y("lift")
        ),
        mark,
        few.mark_text(align="left", dx=3, fontSize=size.font, color=INK, stroke=None, aria=False).encode(
            x=x("label_x"), y=y("label_y"), text="text:N"
        ),
    ).properties(width=size.width, height=height)


def beside(
    named: pd.DataFrame,
    columns: tuple[str, str, str],
    x: float,
    limits: tuple[float, float],
    size: Size,
    height: float,
) -> pd.DataFrame:
    """Where names stand that are written in a column beside a scatter, so that none covers another.

    Args:
        named: Points to name.
        columns: Horizontal and vertical position, and name.
        x: Where the column stands.
        limits: Lowest and highest vertical position.
        size: How large the figure is.
        height: Of the data, in pixels.

    Returns:
        The points with ``label_x``, ``label_y`` and ``text``, which is cut where the room ends.
    """
    across, up, name = columns
    gap = 1.65 * size.font / height * ((limits[1] - limits[0]) or 1.0)
    letters = int(size.width * LABEL_ROOM / (1 + LABEL_ROOM) * 0.9 / (0.5 * size.font))  # that a label has room for
    return named.assign(
        label_x=x,
        label_y=spread(named[up].tolist(), named[across].tolist(), gap, *limits),
        text=shortened(named[name].tolist(), letters),
    )


def ticks(low: float, high: float) -> tuple[list[float], int]:
    """Round values from low to high, four to nine of them, and the decimals that tell them apart."""
    span = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(power * m for m in (1, 2, 5, 10) if span / (power * m) <= 9)
    first = math.ceil(low / step - 1e-9)
    values = [round(step * k, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]
    return values, max(0, -math.floor(math.log10(step) + 1e-9))


def spread(heights: Sequence[float], across: Sequence[float], gap: float, lowest: float, highest: float) -> list[float]:
    """Heights of labels at least ``gap`` apart, near their points, in order, within the limits where they fit."""
    order = sorted(range(len(heights)), key=lambda i: (heights[i], across[i]))
    placed: list[float] = []
    for i in order:
        placed.append(max(heights[i], placed[-1] + gap) if placed else max(heights[i], lowest))
    ceiling = max(highest, lowest + gap * (len(placed) - 1)) if placed else highest
    for position in range(len(placed) - 1, -1, -1):
        placed[position] = min(placed[position], ceiling)
        ceiling = placed[position] - gap
    return [height for _, height in sorted(zip(order, placed, strict=True))]
