"""Users: how alike their tastes are, which generator is best for whom, and groups of similar taste."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmark.analysis.measures import both_by
from benchmark.board.claims import Claim, highest
from benchmark.board.format_numbers import count, number, percent
from benchmark.board.row import Row
from benchmark.board.tables import Tables
from benchmark.figures.style import (
    GRID,
    PALETTE,
    Figure,
    Size,
    Undrawn,
    evenly,
    heat,
    left_out,
    present,
    ranked,
    shortened,
    shown,
)
from rebeca.arrays import Bools
from rebeca.ties import is_highest, levels

MOST_USERS = 48
"""Users that the likeness matrix shows."""
MOST_COLUMNS = 120
"""Columns of the figure of wins; of more users, each column is the mean of several."""
LONGEST = 60
"""Letters of a user's name in the data of figures."""
MOST_GENERATORS = 12
"""Generators beside which the groups' means are drawn."""
STRUCTURES = ("no structure to speak of", "weak structure", "reasonable structure", "strong structure")
"""A mean silhouette up to 0.25, 0.5, 0.7 and 1 in words (Kaufman and Rousseeuw 1990, table 4)."""


def users(tables: Tables) -> list[Figure | Undrawn]:
    """Likeness, wins per user, personas."""
    return present(
        {
            "likeness": partial(_likeness, tables),
            "wins": partial(_wins, tables),
            "personas": partial(_personas, tables),
        }
    )


def order_of(tables: Tables) -> np.ndarray[Any, Any]:
    """Users by persona, then by their likeness to it; figures of many users share this order."""
    labels, _ = tables.personas
    group = np.stack([tables.likeness[:, labels[tables.sampled] == k].mean(axis=1) for k in range(labels.max() + 1)])
    return np.lexsort((-levels(group[labels, np.arange(len(labels))]), labels))


def _likeness(tables: Tables) -> Figure | None:
    if not tables.likeness.any():
        return None
    everybody = order_of(tables)
    order = everybody[evenly(len(everybody), MOST_USERS)]  # of every group in proportion to its size
    table = tables.alike(order, order)
    names = shortened([tables.users[i] for i in order], LONGEST)
    i, j = np.meshgrid(np.arange(len(order)), np.arange(len(order)), indexing="ij")
    data = pd.DataFrame(
        {
            "row": i.ravel(),
            "column": j.ravel(),
            "user": [names[k] for k in i.ravel()],
            "other": [names[k] for k in j.ravel()],
            "likeness": table.ravel().round(4),
        }
    )
    off = table[~np.eye(len(table), dtype=bool)]

    def draw(size: Size) -> Any:
        side = size.width * 0.68 / len(order)
        x, y = alt.X("column:O", axis=None), alt.Y("row:O", axis=None)
        drawn = data[["row", "column", "likeness"]]
        return heat(size, drawn, x, y, "likeness", diverging=True, domain=(-1.0, 1.0), cell=(side, side))

    labels, silhouette = tables.personas
    structure = f"{STRUCTURES[bisect_left((0.25, 0.5, 0.7), silhouette)]} (silhouette {silhouette:.2f})"
    title = (
        f"In {labels.max() + 1} groups of similar taste, users show {structure}"
        if labels.any()
        else "Users do not fall into groups of taste"
    )
    note = "Each row and column is a user, sorted by persona; blue: similar, brown: opposite taste."
    if len(tables.users) > MOST_USERS:
        note += f" {MOST_USERS} of {count(len(tables.users))}, from all groups."
    return Figure(
        "likeness",
        title=title,
        claims=(
            (Claim("", "groups", "is", int(labels.max()) + 1), Claim("", "silhouette", "is", silhouette))
            if labels.any()
            else (Claim("", "groups", "is", 1),)
        ),
        alt=f"Correlation between two users' opinions: from {off.min():.2f} to {off.max():.2f}, mean {off.mean():.2f}.",
        data=data,
        draw=draw,
        note=note,
    )


def _wins(tables: Tables) -> Figure | None:
    rows = [row for row in tables.board.rows if row.ranked and len(tables.known(row))]
    if len(rows) < 2:
        return None
    values = tables.table(tables.primary, rows)
    known: Bools = np.asarray(np.isfinite(values).all(axis=1))
    if not known.any():
        return None
    top = values[known].max(axis=1, keepdims=True)
    won = is_highest(values[known])
    share = won / won.sum(axis=1, keepdims=True)
    kept = shown(rows, tables.board.reference)
    order = np.array([i for i in order_of(tables) if known[i]])
    behind = np.full(values.shape, np.nan)
    behind[known] = top - values[known]
    columns = {row.id: k for k, row in enumerate(rows)}
    groups = np.array_split(order, min(len(order), MOST_COLUMNS))
    names = shortened([tables.users[group[0]] for group in groups], LONGEST)
    cells = [
        {
            "user": name if len(group) == 1 else f"{name} and {len(group) - 1} more",
            "place": at,
            "generator": row.title,
            "behind": float(behind[group, columns[row.id]].mean()),
        }
        for at, (name, group) in enumerate(zip(names, groups, strict=True))
        for row in kept
    ]
    data = pd.DataFrame(cells)

    def draw(size: Size) -> Any:
        x, y = alt.X("place:O", axis=None), alt.Y("generator:N", sort=[row.title for row in kept], title=None)
        drawn = data.assign(near=-data["behind"])[["place", "generator", "near"]]
        cell = (size.width * 0.7 / len(groups), size.font * 1.5)
        return heat(size, drawn, x, y, "near", title="minus the best", cell=cell)

    totals = share.sum(axis=0)
    best, _ = highest(rows, totals.tolist())
    share_of_users = float(totals[columns[best.id]] / known.sum())
    each, served = ("users", "that user") if len(groups) == len(order) else (_sizes(groups), "those users")
    note = f"{left_out(kept, rows)} Columns are {each}, sorted by persona; dark: the best for {served}, or close to it."
    return Figure(
        "wins",
        title=f"{best.title} is the best for the most users, {percent(share_of_users)}",
        claims=(Claim(best.id, f"wins:{tables.primary}", "highest", share_of_users),),
        alt="; ".join(f"{row.title}: {number(totals[columns[row.id]], 1)} users" for row in kept),
        data=data,
        draw=draw,
        note=note.strip(),
    )


def _sizes(groups: Sequence[Any]) -> str:
    """How many users a column is the mean of."""
    low, high = (size(len(group) for group in groups) for size in (min, max))
    return f"means over {low} users" if low == high else f"means over {low} or {high} users"


def _gap(tables: Tables, row: Row, labels: Any) -> float:
    """Between the best and the worst served group's mean preference."""
    values = tables.value(row.id, tables.primary)
    means = [float(np.nanmean(own)) for k in np.unique(labels) if np.isfinite(own := values[labels == k]).any()]
    return max(means) - min(means) if means else 0.0


def _personas(tables: Tables) -> Figure | None:
    labels, _ = tables.personas
    rows = [row for row in tables.board.rows if len(tables.known(row))]
    if not labels.any() or not rows:
        return None
    kept = shown(rows, tables.board.reference, MOST_GENERATORS)
    groups = list(range(int(labels.max()) + 1))
    data = pd.DataFrame(
        [
            {
                "generator": row.title,
                "persona": f"persona {k + 1}",
                "measure": measure.kind,
                "mean": float(np.nanmean(values)),
                "users": len(values),
            }
            for row in kept
            for measure in both_by(tables.primary)
            for k in groups
            if np.isfinite(values := tables.value(row.id, measure.key)[labels == k]).any()
        ]
    )
    spread = data[data["measure"] == "preference"].groupby("generator")["mean"].agg(["min", "max"])
    gaps = {row.id: _gap(tables, row, labels) for row in ranked(rows)}
    widest, _ = highest(ranked(rows), [gaps[row.id] for row in ranked(rows)])
    gap, sizes = number(gaps[widest.id], 2), ", ".join(f"{k + 1}: {(labels == k).sum()}" for k in groups)
    return Figure(
        "personas",
        title=f"{widest.title} serves groups of users most unequally: {gap} between best and worst",
        claims=(Claim(widest.id, f"between groups:{tables.primary}", "highest", gaps[widest.id]),),
        alt="; ".join(
            f"{g}: {a:.3f} to {b:.3f}" for g, a, b in zip(spread.index, spread["min"], spread["max"], strict=True)
        ),
        data=data,
        draw=partial(_draw_personas, data, [row.title for row in kept]),
        note=f"{left_out(kept, rows)} Users of persona {sizes}.".strip(),
    )


def _draw_personas(data: pd.DataFrame, names: Sequence[str], size: Size) -> Any:
    y = alt.Y("generator:N", sort=names, title=None)
    legend = alt.Legend(title=None, orient="bottom", columns=3)
    columns = []
    for what in ("preference", "personal lift"):
        own = data[data["measure"] == what]
        line = alt.Chart(own).mark_line(color=GRID, strokeWidth=2).encode(x="mean:Q", y=y, detail="generator:N")
        dots = alt.Chart(own).mark_point(filled=True, size=size.font * 4, opacity=1)
        marks = dots.encode(
            x=alt.X("mean:Q", title=what, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4)),
            y=y if what == "preference" else y.axis(None),
            color=alt.Color("persona:N", legend=legend, scale=alt.Scale(range=PALETTE)),
            shape=alt.Shape("persona:N", legend=legend),
        )
        columns.append(
            alt.layer(line, marks).properties(width=round(size.width * 0.34), height=size.font * 2.0 * len(names))
        )
    return alt.hconcat(*columns)
