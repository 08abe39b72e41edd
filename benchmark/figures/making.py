"""How pictures came about: training of the prior, and what they cost."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmark.board import Row
from benchmark.figures.plane import spread
from benchmark.figures.spreads import telling
from benchmark.figures.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PINK,
    RED,
    SKY,
    SOFT,
    Figure,
    Size,
    family_colour,
    family_shape,
)
from benchmark.numbers import brief
from benchmark.tables import Tables

CURVES = 6
NAMED = 8


def making(tables: Tables) -> list[Figure]:
    """Training dynamics and quality against cost, where the records tell."""
    found = [_training(tables), _cost(tables)]
    return [figure for figure in found if figure is not None]


def history_of(row: Row) -> dict[str, Any]:
    """What a fit recorded of its training; empty where it recorded nothing."""
    found = row.record["fit"]["report"].get("history", {})
    fine = (
        isinstance(found, dict) and isinstance(found.get("train"), list) and isinstance(found.get("validation"), list)
    )
    return found if fine else {}


def _training(tables: Tables) -> Figure | None:
    by_fit: dict[str, Row] = {}
    for row in sorted(tables.board.rows, key=lambda row: row.id != tables.board.reference):
        if history_of(row):
            by_fit.setdefault(row.record["fit"]["key"], row)
    rows = telling(tables, list(by_fit.values()), CURVES) if by_fit else []
    parts = []
    for row in rows:
        history = history_of(row)
        for kind in ("train", "validation"):
            parts += [
                {"generator": row.title, "loss": v, "epoch": k + 1, "ratings": kind}
                for k, v in enumerate(history[kind])
                if isinstance(v, float)
            ]
    data = pd.DataFrame(parts)
    if data.empty:
        return None
    names = [row.title for row in rows]

    def draw(size: Size) -> Any:
        colour = alt.Color(
            "generator:N",
            sort=names,
            scale=alt.Scale(domain=names, range=[BLUE, ORANGE, GREEN, PINK, SKY, RED][: len(names)]),
            legend=alt.Legend(title=None, orient="bottom", columns=2 if size.width > 250 else 1),
        )
        dash = alt.StrokeDash(
            "ratings:N",
            scale=alt.Scale(domain=["validation", "train"], range=[[1, 0], [2, 2]]),
            legend=alt.Legend(title=None, orient="bottom"),
        )
        lines = alt.Chart(data).mark_line(strokeWidth=1.4, opacity=0.9)
        return lines.encode(
            x=alt.X("epoch:Q"),
            y=alt.Y("loss:Q", title="loss", scale=alt.Scale(zero=False, type="log")),
            color=colour,
            strokeDash=dash,
        ).properties(width=size.width, height=round(size.width * 0.45))

    reference = next((row for row in rows if row.id == tables.board.reference), rows[0])
    history = history_of(reference)
    best = int(history.get("best_epoch", int(np.argmin(history["validation"]))))
    title = (
        f"{reference.title}'s prior was best on validation ratings after {best + 1} of {len(history['train'])} epochs"
    )
    text = "; ".join(f"{row.title}: lowest validation loss {min(history_of(row)['validation']):.4f}" for row in rows)
    return Figure(
        "training",
        title,
        text,
        data,
        draw,
        "Losses of different objectives do not compare. Dotted: training; solid: validation.",
    )


def _cost(tables: Tables) -> Figure | None:
    rows = [row for row in tables.board.rows if row.ranked and row.seconds is not None and row.measure(tables.primary)]
    if len(rows) < 3:
        return None
    points = [
        {
            "id": row.id,
            "generator": row.title,
            "family": row.family,
            "seconds": max(row.seconds or 0.0, 1e-6),
            "preference": (row.measure(tables.primary) or {})["estimate"],
        }
        for row in rows
    ]
    data = pd.DataFrame(points).sort_values(["seconds", "preference"], ascending=[True, False], kind="stable")
    best, front = -np.inf, []
    for _, point in data.iterrows():
        if point["preference"] > best:
            best = point["preference"]
            front.append(point["id"])
    data["front"] = data["id"].isin(front)

    def draw(size: Size) -> Any:
        x = alt.X("seconds:Q", title="seconds a picture", scale=alt.Scale(type="log", padding=size.font))
        y = alt.Y("preference:Q", title="preference", scale=alt.Scale(zero=False))
        base, own = alt.Chart(data), data[data["front"]].tail(NAMED)
        height = round(size.width * 0.5)
        span = float(np.ptp(data["preference"])) or 1.0
        labels = own.assign(
            at=spread(
                own["preference"].tolist(),
                own["seconds"].tolist(),
                1.3 * size.font / height * span,
                float(data["preference"].min()),
                float(data["preference"].max()),
            )
        )
        line = (
            alt.Chart(data[data["front"]])
            .mark_line(color=SOFT, interpolate="step-after", strokeDash=[4, 3])
            .encode(x=x, y=y)
        )
        dots = base.mark_point(filled=True, size=size.font * 6).encode(
            x=x, y=y, color=family_colour(rows), shape=family_shape(rows), description="generator:N",
            opacity=alt.condition("datum.front", alt.value(1.0), alt.value(0.5)),
        )  # fmt: skip
        text = {"fontSize": size.font, "color": INK, "dy": -size.font * 0.7}
        middle = float(np.sqrt(data["seconds"].min() * data["seconds"].max()))
        names = [
            alt.Chart(part).mark_text(align=side, dx=gap, **text).encode(
                x=x, y=alt.Y("at:Q", title="preference"), text="generator:N"
            )
            for part, side, gap in (
                (labels[labels["seconds"] <= middle], "left", size.font * 0.8),
                (labels[labels["seconds"] > middle], "right", -size.font * 0.8),
            )
            if len(part)
        ]  # fmt: skip
        return alt.layer(line, dots, *names).properties(width=size.width, height=height)

    titles = {row.id: row.title for row in rows}
    dearest = front[-1]
    spent = float(data["seconds"].iloc[data["id"].tolist().index(dearest)])
    title = (
        f"{len(front)} of {len(rows)} generators give the most for their time; the best of them, {titles[dearest]},"
        f" takes {brief(spent)} s a picture"
    )
    text = "; ".join(f"{p['generator']}: {brief(p['seconds'])} s, {p['preference']:.3f}" for p in points)
    note = f"Dashed: the Pareto front. Wall seconds on {tables.board.comparison['provenance']['device']}, fits aside."
    return Figure("cost", title, text, data.drop(columns="id"), draw, note)
