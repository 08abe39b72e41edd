"""Scorers beside each other: before and after decoding, verifier and auditor, verifier and LAION, levels of prompts."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmark.board.board import Row
from benchmark.board.format_numbers import number, with_interval
from benchmark.board.tables import Tables
from benchmark.figures.style import BLUE, GRID, INK, Figure, Size, family_colour, family_shape

MOST_PICTURES = 400


def scorers(tables: Tables) -> list[Figure]:
    """Those figures whose scorers the task has."""
    found = [_decoding(tables), _bland_altman(tables), _aesthetics(tables), _prompts(tables)]
    return [figure for figure in found if figure is not None]


def _reference(tables: Tables) -> Row:
    return next(row for row in tables.board.rows if row.id == tables.board.reference)


def _decoding(tables: Tables) -> Figure | None:
    row = _reference(tables)
    scores = tables.rows[row.id].scores
    if "ncf-prior" not in scores:
        return None
    before, after = scores["ncf-prior"].ravel(), scores[tables.primary].ravel()
    known = np.isfinite(before) & np.isfinite(after)
    if known.sum() < 3:
        return None
    step = max(1, int(known.sum()) // MOST_PICTURES)
    data = pd.DataFrame({"before": before[known][::step], "after": after[known][::step]})
    change = float((after[known] - before[known]).mean())
    diagonal = pd.DataFrame({"before": [0.0, 1.0], "after": [0.0, 1.0]})

    def draw(size: Size) -> Any:
        x = alt.X("before:Q", title="what the prior sampled", scale=alt.Scale(domain=[0, 1]))
        y = alt.Y("after:Q", title="the picture", scale=alt.Scale(domain=[0, 1]))
        side = round(size.width * 0.7)
        line = alt.Chart(diagonal).mark_line(color=GRID).encode(x=x, y=y)
        dots = alt.Chart(data).mark_circle(color=BLUE, opacity=0.35, size=size.font * 2).encode(x=x, y=y)
        return alt.layer(line, dots).properties(width=side, height=side)

    title = f"Decoding changes the preference for {row.title}'s pictures by {number(change, 3, True)} on average"
    r = float(np.corrcoef(before[known], after[known])[0, 1])
    means = f"before {before[known].mean():.3f}, after {after[known].mean():.3f}"
    text = f"{int(known.sum())} pictures: {means}, correlation {r:.2f}."
    note = (
        "Two verifiers: one in the prior's own space, one in another; points below the line lose by becoming pictures."
    )
    return Figure("decoding", title, text, data, draw, note)


def _bland_altman(tables: Tables) -> Figure | None:
    row = _reference(tables)
    verifier, auditor = tables.value(row.id, "ncf"), tables.value(row.id, "auditor")
    known = np.isfinite(verifier) & np.isfinite(auditor)
    if known.sum() < 3:
        return None
    difference = (verifier - auditor)[known]
    data = pd.DataFrame(
        {"person": np.array(tables.users)[known], "mean": (verifier + auditor)[known] / 2, "difference": difference}
    )
    middle, spread = float(difference.mean()), 1.96 * float(difference.std(ddof=1))
    lines = pd.DataFrame({"difference": [middle - spread, middle, middle + spread], "what": ["limit", "mean", "limit"]})

    def draw(size: Size) -> Any:
        x = alt.X("mean:Q", title="mean of verifier and auditor, a person", scale=alt.Scale(zero=False))
        y = alt.Y("difference:Q", title="verifier minus auditor")
        dots = alt.Chart(data).mark_circle(color=BLUE, opacity=0.6, size=size.font * 3).encode(x=x, y=y)
        dash = alt.StrokeDash("what:N", scale=alt.Scale(domain=["mean", "limit"], range=[[1, 0], [4, 3]]), legend=None)
        rules = alt.Chart(lines).mark_rule(color=INK).encode(y="difference:Q", strokeDash=dash)
        return alt.layer(dots, rules).properties(width=size.width, height=round(size.width * 0.45))

    more = "more" if middle > 0 else "less"
    title = f"For {row.title} the verifier says {number(abs(middle), 3)} {more} than the auditor"
    ends = f"{number(middle - spread, 3, True)} and {number(middle + spread, 3, True)}"
    text = f"Mean difference {number(middle, 3, True)}; for 95 % of the people between {ends}."
    return Figure(
        "bland-altman", title, text, data, draw, "Each dot is a person. Solid: mean; dashed: 1.96 standard deviations."
    )


def _aesthetics(tables: Tables) -> Figure | None:
    rows = [row for row in tables.board.rows if row.measure("laion") and row.measure(tables.primary)]
    if len(rows) < 3:
        return None
    points = [
        {
            "generator": row.title,
            "family": row.family,
            "preference": (row.measure(tables.primary) or {})["estimate"],
            "laion": (row.measure("laion") or {})["estimate"],
        }
        for row in rows
    ]
    data = pd.DataFrame(points)
    laion = tables.board.card_name("laion")
    entry = next((one for one in tables.board.agreement if one["b"] == "laion"), None)
    within = entry["within_user"]["spearman"] if entry else None

    def draw(size: Size) -> Any:
        dots = alt.Chart(data).mark_point(filled=True, size=size.font * 6, opacity=0.9)
        return dots.encode(
            x=alt.X("laion:Q", title=laion, scale=alt.Scale(zero=False)),
            y=alt.Y("preference:Q", title="preference by the verifier", scale=alt.Scale(zero=False)),
            color=family_colour(rows),
            shape=family_shape(rows),
            description="generator:N",
        ).properties(width=size.width, height=round(size.width * 0.5))

    told = (
        f"within a person, {laion} and the verifier agree by {number(within['estimate'], 2, True)}"
        if within
        else f"{laion} beside the verifier"
    )
    text = "; ".join(f"{p['generator']}: {laion} {p['laion']:.2f}, preference {p['preference']:.3f}" for p in points)
    return Figure(
        "laion-verifier",
        told[0].upper() + told[1:] + (" (Spearman)" if within else ""),
        text,
        data,
        draw,
        "Each mark is a generator. What is beautiful to all need not be what a person likes.",
    )


def _prompts(tables: Tables) -> Figure | None:
    measures = [name for name in ("laion", "hpsv2") if any(row.measure(name) for row in tables.board.rows)]
    rows = []
    for row in tables.board.rows:
        words = row.record["generator"]["params"].get("words")
        prompt = row.record["generator"]["decoder"].get("prompt")
        level = f"words: {words}" if words is not None else f"prompt: {prompt}" if prompt else None
        if level is not None:
            rows.append((row, level))
    reference = _reference(tables)
    if not measures or not rows:
        return None
    rows = [(reference, "no prompt"), *((row, level) for row, level in rows if row.id != reference.id)]
    data = pd.DataFrame(
        [
            {
                "generator": row.title,
                "level": level,
                "measure": row.measures[name]["card"]["name"],
                **{k: (row.measure(name) or {})[k] for k in ("estimate", "low", "high")},
            }
            for row, level in rows
            for name in measures
            if row.measure(name)
        ]
    )
    names = [row.title for row, _ in rows]

    def draw(size: Size) -> Any:
        columns = []
        for at, measure in enumerate(dict.fromkeys(data["measure"])):
            own = data[data["measure"] == measure]
            y = alt.Y("generator:N", sort=names, title=None, axis=alt.Axis() if at == 0 else None)
            base = alt.Chart(own)
            x = alt.X("low:Q", title=measure, scale=alt.Scale(zero=False))
            rules = base.mark_rule(color=INK).encode(x=x, x2="high:Q", y=y)
            dots = base.mark_point(filled=True, color=BLUE, size=size.font * 5, opacity=1).encode(x="estimate:Q", y=y)
            columns.append(
                alt.layer(rules, dots).properties(width=round(size.width * 0.36), height=size.font * 2.0 * len(names))
            )
        return alt.hconcat(*columns)

    first = data[data["measure"] == data["measure"].iloc[0]]
    best = first.iloc[int(np.argmax(first["estimate"]))]
    score = number(best["estimate"], 2)
    title = f"Of the levels of prompts, {best['generator']} scores highest on {best['measure']} ({score})"
    text = "; ".join(
        f"{name}, {with_interval({'estimate': e, 'low': a, 'high': b})}"
        for name, e, a, b in zip(first["generator"], first["estimate"], first["low"], first["high"], strict=True)
    )
    return Figure("prompts", title, text, data, draw, "Means over people with their intervals.")
