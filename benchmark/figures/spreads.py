"""How users' preferences spread: ECDFs, violins with boxes, and shares of users above a threshold."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmark.board.claims import Claim, highest
from benchmark.board.format_numbers import percent
from benchmark.board.row import Row
from benchmark.board.tables import Tables
from benchmark.figures.style import (
    BLUE,
    FAMILY_COLOURS,
    INK,
    PAPER,
    Figure,
    Size,
    Undrawn,
    evenly,
    left_out,
    line_colour,
    present,
    ranked,
    shown,
)
from benchmark.stats.intervals import wilson
from rebeca.arrays import Floats

LINES = 6
"""Curves in one panel; more cannot be told apart."""
STEPS = 300
"""Of a curve; of more users, evenly spaced ones are drawn."""
THRESHOLDS = (0.5, 0.7, 0.9)
VIOLINS = 14
GRID_POINTS = 60
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def spreads(tables: Tables) -> list[Figure | Undrawn]:
    """ECDF, violins, thresholds; of the user's mean preference."""
    rows = [row for row in tables.board.rows if len(tables.known(row)) > 1]
    if not rows:
        return []
    figures: dict[str, Callable[[], Figure]] = {
        "ecdf": partial(_ecdf, tables, rows),
        "violins": partial(_violins, tables, rows),
    }
    if tables.board.cards[tables.primary].unit == "probability":
        figures["thresholds"] = partial(_thresholds, tables, rows)
    return present(figures)


def telling(tables: Tables, rows: list[Row], most: int) -> list[Row]:
    """The most informative rows: the reference, the best of every family, the last, then the others in order."""
    wanted = [row for row in rows if row.id == tables.board.reference]
    wanted += [next(row for row in rows if row.family == family) for family in dict.fromkeys(r.family for r in rows)]
    wanted += [rows[-1], *rows]
    chosen = list(dict.fromkeys(row.id for row in wanted))[:most]
    return [row for row in rows if row.id in chosen]


def _ecdf(tables: Tables, rows: list[Row]) -> Figure:
    kept = telling(tables, rows, LINES)
    parts = []
    for row in kept:
        values = np.sort(tables.known(row), kind="stable")
        steps = evenly(len(values), STEPS)
        share = (steps + 1) / len(values)
        parts.append(pd.DataFrame({"generator": row.title, "value": values[steps], "share": share}))
    data = pd.concat(parts)
    most = max(len(tables.known(row)) for row in kept)
    thinned = f"Of the up to {most:,} steps of a curve, {STEPS} are drawn." if most > STEPS else ""
    names = [row.title for row in kept]

    def draw(size: Size) -> Any:
        dash = alt.StrokeDash("generator:N", sort=names, legend=None, scale=alt.Scale(domain=names))
        lines = alt.Chart(data).mark_line(interpolate="step-after", strokeWidth=1.6)
        return lines.encode(
            x=alt.X("value:Q", title="a user's mean preference"),
            y=alt.Y("share:Q", title="share of users at or below", axis=alt.Axis(format="%")),
            color=line_colour(names, size),
            strokeDash=dash,
        ).properties(width=size.width, height=round(size.width * 0.5))

    medians = {row.id: float(np.median(tables.known(row))) for row in rows}
    best, _ = highest(ranked(rows), [medians[row.id] for row in ranked(rows)])
    return Figure(
        "ecdf",
        title=f"The highest median preference is that of {best.title}, {medians[best.id]:.2f}",
        claims=(Claim(best.id, f"median:{tables.primary}", "highest", medians[best.id]),),
        alt="; ".join(f"{row.title}: median {medians[row.id]:.3f}" for row in kept),
        data=data,
        draw=draw,
        note=f"{left_out(kept, rows)} Further right is better. {thinned}".strip(),
    )


def _violins(tables: Tables, rows: list[Row]) -> Figure:
    kept = shown(rows, tables.board.reference, VIOLINS)
    shapes, boxes = [], []
    for place, row in enumerate(kept):
        values = tables.known(row)
        quantiles = zip(("q05", "q25", "q50", "q75", "q95"), np.quantile(values, QUANTILES), strict=True)
        boxes.append({"generator": row.title, "family": row.family, **dict(quantiles), "place": place})
        if np.ptp(values) < 1e-9:
            continue
        grid = np.linspace(values.min(), values.max(), GRID_POINTS)
        density = _density(values, grid)
        shapes += [
            {"generator": row.title, "family": row.family, "value": v, "up": place - 0.42 * d, "down": place + 0.42 * d}
            for v, d in zip(grid, density, strict=True)
        ]
    box, shape = pd.DataFrame(boxes), pd.DataFrame(shapes)
    names = [row.title for row in kept]
    halves = {row.id: np.quantile(tables.known(row), [0.25, 0.75]) for row in ranked(rows)}
    widest, _ = highest(ranked(rows), [float(np.ptp(halves[row.id])) for row in ranked(rows)])
    low, high = halves[widest.id]
    drawn = "Outline: density; bar: middle half; line: 5th to 95th percentile; dot: median."
    return Figure(
        "violins",
        title=f"Users differ most over {widest.title}: half of them lie from {low:.2f} to {high:.2f}",
        claims=(
            Claim(widest.id, f"middle half:{tables.primary}", "highest"),
            Claim(widest.id, f"lower quartile:{tables.primary}", "is", float(low)),
            Claim(widest.id, f"upper quartile:{tables.primary}", "is", float(high)),
        ),
        alt="; ".join(
            f"{b['generator']}: median {b['q50']:.3f}, half of the users {b['q25']:.3f} to {b['q75']:.3f}"
            for b in boxes
        ),
        data=box,
        draw=partial(_draw_violins, box, shape, names),
        note=f"{left_out(kept, rows)} {drawn}".strip(),
    )


def _density(values: Floats, grid: Floats) -> Floats:
    """Kernel density at the points of a grid, 1 at its highest; Gaussian, as wide as Scott's rule (1992) says."""
    width = values.std(ddof=1) * len(values) ** -0.2
    density = np.exp(-0.5 * np.square((grid[:, None] - values) / width)).sum(axis=1)
    return np.asarray(density / density.max())


def _draw_violins(box: pd.DataFrame, shape: pd.DataFrame, names: Sequence[str], size: Size) -> Any:
    labels = alt.Axis(
        values=list(range(len(names))),
        labelExpr=f"{json.dumps(list(names))}[datum.value]",
        grid=False,
        labelOverlap=False,
        tickCount=len(names),
    )
    scale = alt.Scale(domain=[-0.6, len(names) - 0.4], reverse=True, nice=False)
    x, y = (
        alt.X("q05:Q", title="a user's mean preference"),
        alt.Y("place:Q", title=None, axis=labels, scale=scale),
    )
    families = alt.Scale(domain=list(FAMILY_COLOURS), range=list(FAMILY_COLOURS.values()))
    colour = alt.Color("family:N", scale=families, legend=None)
    base = alt.Chart(box)
    layers = [
        base.mark_rule(color=INK, strokeWidth=1).encode(x=x, x2="q95:Q", y=y),
        base.mark_bar(height=size.font * 0.6).encode(x="q25:Q", x2="q75:Q", y=y, color=colour),
        base.mark_point(filled=True, fill=PAPER, stroke=INK, size=size.font * 3, opacity=1).encode(x="q50:Q", y=y),
    ]
    outline = (
        alt.Chart(shape)
        .mark_area(opacity=0.35)
        .encode(
            x=alt.X("value:Q", title="a user's mean preference"),
            y=alt.Y("up:Q", title=None, axis=labels, scale=scale),
            y2="down:Q",
            color=colour,
            detail="generator:N",
        )
    )
    drawn = [outline, *layers] if len(shape) else layers
    return alt.layer(*drawn).properties(width=size.width * 0.75, height=size.font * 2.6 * len(names))


def _thresholds(tables: Tables, rows: list[Row]) -> Figure:
    kept = shown(rows, tables.board.reference)
    data: list[dict[str, Any]] = []
    for row in kept:
        values = tables.known(row)
        for threshold in THRESHOLDS:
            above = int((values > threshold).sum())
            low, high = wilson(above, len(values))
            data.append(
                {
                    "generator": row.title,
                    "threshold": f"above {threshold:g}",
                    "share": above / len(values),
                    "low": low,
                    "high": high,
                }
            )
    frame = pd.DataFrame(data)

    def draw(size: Size) -> Any:
        columns = alt.Column("threshold:N", title=None, header=alt.Header(labelFontSize=size.font))
        y = alt.Y("generator:N", sort=[row.title for row in kept], title=None)
        base = alt.Chart(frame)
        bars = base.mark_bar(color=BLUE, height=size.font).encode(
            x=alt.X("share:Q", title="share of users", axis=alt.Axis(format="%", tickCount=3)), y=y
        )
        whiskers = base.mark_rule(color=INK).encode(x="low:Q", x2="high:Q", y=y)
        width, height = round(size.width * 0.72 / len(THRESHOLDS)), size.font * 1.7 * len(kept)
        return alt.layer(bars, whiskers).properties(width=width, height=height).facet(column=columns)

    middle = [d for d in data if d["threshold"] == f"above {THRESHOLDS[1]:g}"]
    shares = {row.id: float(np.mean(tables.known(row) > THRESHOLDS[1])) for row in ranked(rows)}
    best, _ = highest(ranked(rows), list(shares.values()))
    text = "; ".join(f"{d['generator']}: {percent(d['share'])}" for d in middle)
    return Figure(
        "thresholds",
        title=f"{best.title} has a mean preference above {THRESHOLDS[1]:g} for the most users,"
        f" {percent(shares[best.id])}",
        claims=(Claim(best.id, f"above {THRESHOLDS[1]:g}:{tables.primary}", "highest", shares[best.id]),),
        alt=f"Above {THRESHOLDS[1]:g}: {text}",
        data=frame,
        draw=draw,
        note=f"{left_out(kept, rows)} Lines: Wilson's intervals.".strip(),
    )
