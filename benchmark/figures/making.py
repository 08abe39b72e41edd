"""Training of the prior, and the cost of images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmark.board.claims import Claim
from benchmark.board.format_numbers import brief
from benchmark.board.history import History, history_of
from benchmark.board.row import Row
from benchmark.board.tables import Tables
from benchmark.figures.plane import spread
from benchmark.figures.spreads import telling
from benchmark.figures.style import (
    INK,
    SOFT,
    Figure,
    Size,
    Undrawn,
    family_colour,
    family_shape,
    line_colour,
    present,
)

CURVES = 6
NAMED = 8


def making(tables: Tables) -> list[Figure | Undrawn]:
    """Losses by epoch, and preference against seconds per image, where the records have them."""
    return present({"training": partial(_training, tables), "cost": partial(_cost, tables)})


def _histories(row: Row) -> dict[int, History]:
    """By number of the fit."""
    return {fit.number: history for fit in row.record.fits if (history := history_of(fit)) is not None}


def _span(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def _training(tables: Tables) -> Figure | None:
    by_fit: dict[str, Row] = {}
    for row in sorted(tables.board.rows, key=lambda row: row.id != tables.board.reference):
        if _histories(row):
            by_fit.setdefault(row.record.fits[0].key, row)
    rows = telling(tables, list(by_fit.values()), CURVES) if by_fit else []
    histories = {row.id: _histories(row) for row in rows}
    data = pd.DataFrame(
        [
            {"generator": row.title, "fit": number, "loss": loss, "epoch": k + 1, "ratings": kind}
            for row in rows
            for number, history in histories[row.id].items()
            for kind, losses in (("train", history.train), ("validation", history.validation))
            for k, loss in enumerate(losses)
        ]
    )
    if data.empty:
        return None

    def draw(size: Size) -> Any:
        dash = alt.StrokeDash(
            "ratings:N",
            scale=alt.Scale(domain=["validation", "train"], range=[[1, 0], [2, 2]]),
            legend=alt.Legend(title=None, orient="bottom"),
        )
        lines = alt.Chart(data).mark_line(strokeWidth=1.4, opacity=0.9)
        return lines.encode(
            x=alt.X("epoch:Q"),
            y=alt.Y("loss:Q", title="loss", scale=alt.Scale(zero=False, type="log")),
            color=line_colour([row.title for row in rows], size),
            strokeDash=dash,
            detail="fit:N",
        ).properties(width=size.width, height=round(size.width * 0.45))

    reference = next((row for row in rows if row.id == tables.board.reference), rows[0])
    best = [history.best + 1 for history in histories[reference.id].values()]
    epochs = [len(history.train) for history in histories[reference.id].values()]
    lowest = {row.title: [min(history.validation) for history in histories[row.id].values()] for row in rows}
    return Figure(
        "training",
        claims=(
            *(Claim(reference.id, "best epoch", "is", end) for end in dict.fromkeys([min(best), max(best)])),
            *(Claim(reference.id, "epochs", "is", end) for end in dict.fromkeys([min(epochs), max(epochs)])),
        ),
        title=f"{reference.title}'s prior was best on validation ratings after {_span(best)} of {_span(epochs)} epochs",
        alt="; ".join(
            f"{title}: lowest validation loss {', '.join(f'{loss:.4f}' for loss in losses)}"
            for title, losses in lowest.items()
        ),
        data=data,
        draw=draw,
        note="Losses of different objectives do not compare. Dotted: training; solid: validation. One line per fit.",
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
            "preference": row.estimate(tables.primary),
        }
        for row in rows
    ]
    data = pd.DataFrame(points).sort_values(["seconds", "preference"], ascending=[True, False], kind="stable")
    data["front"] = data["preference"] > data["preference"].cummax().shift(fill_value=-np.inf)
    front = data[data["front"]]

    best = front.iloc[-1]
    return Figure(
        "cost",
        claims=(
            Claim("", "on the Pareto front", "is", len(front)),
            Claim("", "with a cost", "is", len(rows)),
            Claim(str(best["id"]), tables.primary, "highest"),
            Claim(str(best["id"]), "seconds", "is", float(best["seconds"])),
        ),
        title=f"{len(front)} of {len(rows)} generators lie on the Pareto front; the best of them, {best['generator']},"
        f" takes {brief(best['seconds'])} s per image",
        alt="; ".join(f"{row.title}: {brief(row.seconds)} s, {row.estimate(tables.primary):.3f}" for row in rows),
        data=data,
        draw=partial(_draw_cost, data, rows),
        note=f"Dashed: the Pareto front. Wall seconds on {tables.board.record.provenance.device}, without fits.",
    )


def _draw_cost(data: pd.DataFrame, rows: Sequence[Row], size: Size) -> Any:
    x = alt.X("seconds:Q", title="seconds per image", scale=alt.Scale(type="log", padding=size.font))
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
        x=x,
        y=y,
        color=family_colour(rows),
        shape=family_shape(rows),
        description="generator:N",
        opacity=alt.condition("datum.front", alt.value(1.0), alt.value(0.5)),
    )
    text = {"fontSize": size.font, "color": INK, "dy": -size.font * 0.7}
    middle = float(np.sqrt(data["seconds"].min() * data["seconds"].max()))
    names = [
        alt.Chart(part)
        .mark_text(align=side, dx=gap, **text)
        .encode(x=x, y=alt.Y("at:Q", title="preference"), text="generator:N")
        for part, side, gap in (
            (labels[labels["seconds"] <= middle], "left", size.font * 0.8),
            (labels[labels["seconds"] > middle], "right", -size.font * 0.8),
        )
        if len(part)
    ]
    return alt.layer(line, dots, *names).properties(width=size.width, height=height)
