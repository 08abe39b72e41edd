"""Spread between fits: every fit of a generator beside its mean and interval."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import altair as alt
import pandas as pd

from benchmark.analysis.measures import Measure, both_by
from benchmark.board.claims import Claim, highest
from benchmark.board.format_numbers import brief
from benchmark.board.row import Row
from benchmark.board.tables import Tables
from benchmark.figures.plane import ends_of
from benchmark.figures.style import INK, Figure, Size, Undrawn, family_scale, left_out, present, ranked, shown


def fits(tables: Tables) -> list[Figure | Undrawn]:
    """Preference and personal lift by the primary scorer, of the generators that were fitted several times."""
    return present({f"fits-{each.slug}": partial(_fits, tables, each) for each in both_by(tables.primary)})


def _fits(tables: Tables, measure: Measure) -> Figure | None:
    spreads = {row.id: spread for row in tables.board.rows if (spread := row.between_fits(measure)) is not None}
    rows = [row for row in tables.board.rows if row.id in spreads]
    if not rows:
        return None
    kept = shown(rows, tables.board.reference)
    points = pd.DataFrame(
        [
            {"generator": row.title, "family": row.family, "fit": fit, "value": value}
            for row in kept
            for fit, value in enumerate(row.by_fit(measure), start=1)
        ]
    )
    means = pd.DataFrame(
        [
            {"generator": row.title, **ends_of("mean", interval)}
            for row in kept
            if (interval := row.interval(measure)) is not None
        ]
    )
    most, _ = highest(ranked(rows), [spreads[row.id] for row in ranked(rows)])
    text = "; ".join(f"{row.title}: {brief(spreads[row.id])} over {row.fits} fits" for row in kept)
    return Figure(
        f"fits-{measure.slug}",
        title=f"Between fits, the {measure.kind} of {most.title} varies most:"
        f" a standard deviation of {brief(spreads[most.id])}",
        claims=(Claim(most.id, f"between fits:{measure.key}", "highest", spreads[most.id]),),
        alt=f"Standard deviation between fits. {text}",
        data=points,
        draw=partial(_draw, points, means, kept, measure.kind),
        note=f"{left_out(kept, rows)} Points: fits. Line: 95 % interval of the mean; tick: the mean.".strip(),
    )


def _draw(points: pd.DataFrame, means: pd.DataFrame, rows: Sequence[Row], kind: str, size: Size) -> Any:
    y = alt.Y("generator:N", sort=[row.title for row in rows], title=None)
    colour = alt.Color("family:N", scale=family_scale(rows), legend=None)
    base = alt.Chart(means).encode(y=y)
    x = alt.X("mean_low:Q", title=kind, scale=alt.Scale(zero=False))
    return alt.layer(
        base.mark_rule(color=INK).encode(x=x, x2="mean_high:Q"),
        base.mark_tick(color=INK, thickness=2, height=size.font * 1.1).encode(x="mean:Q"),
        alt.Chart(points)
        .mark_point(filled=True, size=size.font * 4, opacity=0.8)
        .encode(x="value:Q", y=y, color=colour),
    ).properties(width=size.width * 0.75, height=size.font * 1.8 * len(rows))
