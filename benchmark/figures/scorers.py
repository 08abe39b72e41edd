"""Scorers beside each other: before and after decoding, verifier and auditor, aesthetics, levels of prompts."""

from __future__ import annotations

from functools import partial
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmark.analysis.measures import AUDITOR, GAP, PRIOR, VERIFIER, with_role
from benchmark.board.claims import Claim, highest
from benchmark.board.format_numbers import number, with_interval
from benchmark.board.row import Row
from benchmark.board.tables import Tables
from benchmark.figures.style import (
    BLUE,
    GRID,
    INK,
    Figure,
    Size,
    Undrawn,
    evenly,
    family_colour,
    family_shape,
    present,
)

MOST_DOTS = 400
"""Images or users that a figure shows one by one."""


def scorers(tables: Tables) -> list[Figure | Undrawn]:
    aesthetics = tables.board.measures.aesthetics
    return present(
        {
            "decoding": partial(_decoding, tables),
            "bland-altman": partial(_bland_altman, tables),
            **{f"{scorer}-verifier": partial(_aesthetics, tables, scorer) for scorer in aesthetics},
            "prompts": partial(_prompts, tables),
        }
    )


def _decoding(tables: Tables) -> Figure | None:
    row = tables.board.row(tables.board.reference)
    scores = tables.rows[row.id].scores
    prior = with_role(tables.board.cards, PRIOR)
    if prior is None or prior not in scores:
        return None
    before, after = scores[prior].ravel(), scores[tables.primary].ravel()
    known = np.isfinite(before) & np.isfinite(after)
    before, after = before[known], after[known]
    if len(before) < 3:
        return None
    drawn = evenly(len(before), MOST_DOTS)
    data = pd.DataFrame({"before": before[drawn], "after": after[drawn]})
    change = float((after - before).mean())
    diagonal = pd.DataFrame({"before": [0.0, 1.0], "after": [0.0, 1.0]})

    def draw(size: Size) -> Any:
        x = alt.X("before:Q", title="preference for the sampled embedding", scale=alt.Scale(domain=[0, 1]))
        y = alt.Y("after:Q", title="preference for the image", scale=alt.Scale(domain=[0, 1]))
        side = round(size.width * 0.7)
        line = alt.Chart(diagonal).mark_line(color=GRID).encode(x=x, y=y)
        dots = alt.Chart(data).mark_circle(color=BLUE, opacity=0.35, size=size.font * 2).encode(x=x, y=y)
        return alt.layer(line, dots).properties(width=side, height=side)

    r = float(np.corrcoef(before, after)[0, 1])
    return Figure(
        "decoding",
        title=f"Decoding changes the preference for {row.title}'s images by {number(change, 3, True)} on average",
        claims=(Claim(row.id, "change by decoding", "is", change),),
        alt=f"{len(before)} images: before {before.mean():.3f}, after {after.mean():.3f}, correlation {r:.2f}.",
        data=data,
        draw=draw,
        note="Two verifiers: one in the prior's own space, one in another; points below the line lose by decoding."
        + _some_of(len(drawn), len(before), "images"),
    )


def _some_of(drawn: int, n: int, what: str) -> str:
    """A sentence that says how many are drawn; empty for all."""
    return f" {drawn:,} of {n:,} {what} are drawn; all count in the numbers." if drawn < n else ""


def _bland_altman(tables: Tables) -> Figure | None:
    row = tables.board.row(tables.board.reference)
    verifier, auditor = (
        tables.value(row.id, with_role(tables.board.cards, role) or "") for role in (VERIFIER, AUDITOR)
    )
    known = np.isfinite(verifier) & np.isfinite(auditor)
    if known.sum() < 3:
        return None
    difference = (verifier - auditor)[known]
    drawn = evenly(len(difference), MOST_DOTS)
    mean, names = (verifier + auditor)[known] / 2, np.array(tables.users)[known]
    data = pd.DataFrame({"user": names[drawn], "mean": mean[drawn], "difference": difference[drawn]})
    middle, spread = float(difference.mean()), 1.96 * float(difference.std(ddof=1))
    lines = pd.DataFrame({"difference": [middle - spread, middle, middle + spread], "what": ["limit", "mean", "limit"]})

    def draw(size: Size) -> Any:
        x = alt.X("mean:Q", title="mean of verifier and auditor, per user", scale=alt.Scale(zero=False))
        y = alt.Y("difference:Q", title="verifier minus auditor")
        dots = alt.Chart(data).mark_circle(color=BLUE, opacity=0.6, size=size.font * 3).encode(x=x, y=y)
        dash = alt.StrokeDash("what:N", scale=alt.Scale(domain=["mean", "limit"], range=[[1, 0], [4, 3]]), legend=None)
        rules = alt.Chart(lines).mark_rule(color=INK).encode(y="difference:Q", strokeDash=dash)
        return alt.layer(dots, rules).properties(width=size.width, height=round(size.width * 0.45))

    ends = f"{number(middle - spread, 3, True)} and {number(middle + spread, 3, True)}"
    return Figure(
        "bland-altman",
        title=f"For {row.title} the verifier's score minus the auditor's is {number(middle, 3, True)} on average",
        claims=(Claim(row.id, GAP, "is", middle),),
        alt=f"Mean difference {number(middle, 3, True)}; for 95 % of the users between {ends}.",
        data=data,
        draw=draw,
        note="Each dot is a user. Solid: mean; dashed: 1.96 standard deviations."
        + _some_of(len(drawn), len(difference), "users"),
    )


def _aesthetics(tables: Tables, scorer: str) -> Figure | None:
    rows = [row for row in tables.board.rows if row.measure(scorer) and row.measure(tables.primary)]
    if len(rows) < 3:
        return None
    name = tables.board.card_name(scorer)
    data = pd.DataFrame(
        [
            {
                "generator": row.title,
                "family": row.family,
                "preference": row.estimate(tables.primary),
                "aesthetics": row.estimate(scorer),
            }
            for row in rows
        ]
    )
    agreement = next((pair for pair in tables.board.record.results.agreement if pair.b == scorer), None)
    within = None if agreement is None else agreement.within_user.spearman.estimate

    def draw(size: Size) -> Any:
        dots = alt.Chart(data).mark_point(filled=True, size=size.font * 6, opacity=0.9)
        return dots.encode(
            x=alt.X("aesthetics:Q", title=name, scale=alt.Scale(zero=False)),
            y=alt.Y("preference:Q", title="preference by the verifier", scale=alt.Scale(zero=False)),
            color=family_colour(rows),
            shape=family_shape(rows),
            description="generator:N",
        ).properties(width=size.width, height=round(size.width * 0.5))

    title = (
        f"Within a user, {name} and the verifier agree by {number(within, 2, True)} (Spearman)"
        if within is not None
        else f"{name} beside the verifier"
    )
    return Figure(
        f"{scorer}-verifier",
        title=title,
        claims=() if within is None else (Claim(scorer, "spearman", "is", within),),
        alt="; ".join(
            f"{p['generator']}: {name} {p['aesthetics']:.2f}, preference {p['preference']:.3f}"
            for _, p in data.iterrows()
        ),
        data=data,
        draw=draw,
        note="Each mark is a generator. An image that most users find beautiful need not be one that a given user"
        " likes.",
    )


def _prompts(tables: Tables) -> Figure | None:
    aesthetics = tables.board.measures.aesthetics
    measures = [name for name in aesthetics if any(row.measure(name) for row in tables.board.rows)]
    levels = {row.id: level for row in tables.board.rows if (level := _level(row)) is not None}
    if not measures or not levels:
        return None
    reference = tables.board.row(tables.board.reference)
    levels[reference.id] = "no prompt"
    rows = [reference, *(row for row in tables.board.rows if row.id in levels and row.id != reference.id)]
    means = [(row, name, mean) for row in rows for name in measures if (mean := row.measure(name)) is not None]
    data = pd.DataFrame(
        [
            {
                "generator": row.title,
                "level": levels[row.id],
                "measure": row.card(name).name,
                "estimate": mean.estimate,
                "low": mean.low,
                "high": mean.high,
            }
            for row, name, mean in means
        ]
    )
    names = [row.title for row in rows]

    def draw(size: Size) -> Any:
        columns = []
        for at, measure in enumerate(dict.fromkeys(data["measure"])):
            base = alt.Chart(data[data["measure"] == measure])
            y = alt.Y("generator:N", sort=names, title=None, axis=alt.Axis() if at == 0 else None)
            x = alt.X("low:Q", title=measure, scale=alt.Scale(zero=False))
            rules = base.mark_rule(color=INK).encode(x=x, x2="high:Q", y=y)
            dots = base.mark_point(filled=True, color=BLUE, size=size.font * 5, opacity=1).encode(x="estimate:Q", y=y)
            columns.append(
                alt.layer(rules, dots).properties(width=round(size.width * 0.36), height=size.font * 2.0 * len(names))
            )
        return alt.hconcat(*columns)

    scorer = means[0][1]
    levelled = [row for row, name, _ in means if name == scorer]
    best, _ = highest(levelled, [row.estimate(scorer) for row in levelled])
    score = f"{best.card(scorer).name} ({number(best.estimate(scorer), 2)})"
    return Figure(
        "prompts",
        title=f"Of the levels of prompts, {best.title} scores highest on {score}",
        claims=(Claim(best.id, f"among prompts:{scorer}", "highest", best.estimate(scorer)),),
        alt="; ".join(f"{row.title}, {with_interval(mean)}" for row, name, mean in means if name == scorer),
        data=data,
        draw=draw,
        note="Means over users with their intervals.",
    )


def _level(row: Row) -> str | None:
    words, prompt = row.record.generator.params.get("words"), row.record.generator.decoder.get("prompt")
    return f"words: {words}" if words is not None else f"prompt: {prompt}" if prompt else None
