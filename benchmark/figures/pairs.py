"""Ranks over bootstrap draws, and every pair of generators: a matrix, or differences from the reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmark.analysis.measures import Measure, both_by
from benchmark.board.claims import Claim, highest
from benchmark.board.format_numbers import number, percent, with_interval
from benchmark.board.row import Row
from benchmark.board.tables import Tables
from benchmark.figures.plane import ends_of
from benchmark.figures.style import BLUE, INK, Figure, Size, Undrawn, heat, left_out, present, shortened, shown
from benchmark.stats.ranks import drawn_means, share_first
from rebeca.ties import TIE, size_of

LONGEST = 46
"""Letters of a generator's name beside a matrix."""


def ranks(tables: Tables) -> list[Figure]:
    """Share of bootstrap draws in which a generator has a rank."""
    rows = [row for row in tables.board.rows if row.ranked and len(tables.known(row))]
    if len(rows) < 2:
        return []
    values = tables.table(tables.primary, rows)
    effects = tables.fits.effects(tables.primary, [row.id for row in rows])
    fits = None if effects is None else effects.draws[: len(tables.weights)]
    means = drawn_means(values, tables.weights, fits)
    tie = TIE * size_of(means)
    place = np.column_stack([1 + (means > means[:, [k]] + tie).sum(axis=1) for k in range(len(rows))])
    shares = share_first(values, tables.weights, fits)
    kept = shown(rows, tables.board.reference)
    column = {row.id: i for i, row in enumerate(rows)}
    data = pd.DataFrame(
        [
            {"generator": row.title, "rank": rank, "share": count / len(place)}
            for row in kept
            for rank, count in sorted(Counter(place[:, column[row.id]].tolist()).items())
        ]
    )
    data["text"] = [f"{100 * share:.0f}" if share >= 0.05 and len(rows) <= 14 else "" for share in data["share"]]

    def draw(size: Size) -> Any:
        highest = int(data["rank"].max())
        width = size.width * 0.66 / highest
        labelled = [k for k in range(1, highest + 1) if highest <= 14 or k == 1 or k % 5 == 0]
        x = alt.X(
            "rank:O",
            title="rank",
            scale=alt.Scale(domain=list(range(1, highest + 1))),
            axis=alt.Axis(labelAngle=0, values=labelled),
        )
        y = alt.Y("generator:N", sort=[row.title for row in kept], title=None)
        return heat(size, data, x, y, "share", title="share of draws", domain=(0.0, 1.0), cell=(width, size.font * 1.7))

    first, _ = highest(rows, shares.tolist())
    share = float(shares[column[first.id]])
    low, high = np.quantile(place, [0.025, 0.975], axis=0)
    text = [f"{row.title}: ranks {low[column[row.id]]:.0f} to {high[column[row.id]]:.0f}" for row in kept]
    what = "users" if fits is None else "users and fits"
    drawn = f"{len(place):,} bootstrap draws of {what}; per cent of the draws. Equal means share the better rank."
    return [
        Figure(
            "rank-stability",
            title=f"{first.title} comes first in the most bootstrap draws, {percent(share)}",
            claims=(Claim(first.id, f"first:{tables.primary}", "highest", share),),
            alt="; ".join(text),
            data=data,
            draw=draw,
            note=f"{left_out(kept, rows)} {drawn}".strip(),
        )
    ]


def pairs(tables: Tables) -> list[Figure | Undrawn]:
    """Preference and personal lift by the primary scorer."""
    return present({f"pairs-{each.slug}": partial(_pairs, tables, each) for each in both_by(tables.primary)})


def _pairs(tables: Tables, measure: Measure) -> Figure | None:
    family = tables.board.record.results.families.get(measure.key)
    if family is None or not family.comparisons:
        return None
    rows = [row for row in tables.board.rows if row.id in family.generators]
    kept = shown(rows, tables.board.reference)
    draw = _matrix if tables.plan.family == "all-pairs" else _forest
    return draw(tables, measure, kept, left_out(kept, rows))


def _matrix(tables: Tables, measure: Measure, kept: Sequence[Row], cut: str) -> Figure | None:
    titles = dict(zip((row.id for row in kept), shortened([row.title for row in kept], LONGEST), strict=True))
    names = {row.id: f"{place} {titles[row.id]}" for place, row in enumerate(kept, start=1)}
    comparisons = tables.board.comparisons(measure)
    pairs = [pair for pair in comparisons if pair.a in titles and pair.b in titles]
    cells = [
        {
            "a": names[pair.a],
            "b": names[pair.b],
            "difference": pair.difference.estimate,
            "p": pair.p,
            "text": "*" if pair.p is not None and pair.p <= tables.plan.alpha else "",
        }
        for recorded in pairs
        for pair in (recorded, recorded.reversed())
        if pair.difference.known
    ]
    if not cells:
        return None
    data = pd.DataFrame(cells)
    data["column"] = data["b"].str.split(" ").str[0]
    if len(kept) <= 10:
        data["text"] = [f"{number(v, 2, True)}{star}" for v, star in zip(data["difference"], data["text"], strict=True)]

    def draw(size: Size) -> Any:
        side = size.width * 0.62 / len(names)
        narrow = alt.Axis(labelAngle=0, labelFontSize=size.font if len(names) <= 14 else size.font * 0.75)
        numbers = [name.partition(" ")[0] for name in names.values()]
        x = alt.X("column:N", sort=numbers, title="minus the generator of this number", axis=narrow)
        y = alt.Y("a:N", sort=list(names.values()), title=None, axis=alt.Axis(labelLimit=size.font * 30))
        return heat(size, data, x, y, "difference", diverging=True, cell=(side, max(side * 0.6, size.font * 1.3)))

    tested = [pair.p for pair in comparisons if pair.p is not None]
    different = sum(p <= tables.plan.alpha for p in tested)
    own = [pair.seen_from(tables.board.reference) for pair in pairs if tables.board.reference in (pair.a, pair.b)]
    text = "; ".join(f"minus {titles[pair.b]}: {with_interval(pair.difference, True)}" for pair in own)
    return Figure(
        f"pairs-{measure.slug}",
        title=f"{different} of {len(tested)} pairs differ in {measure.kind}, all pairs taken together",
        claims=(
            Claim("", f"pairs that differ:{measure.key}", "is", different),
            Claim("", f"tested pairs:{measure.key}", "is", len(tested)),
        ),
        alt=f"{tables.board.titles.get(tables.board.reference, '')} {text}",
        data=data,
        draw=draw,
        note=f"{cut} Row minus column; a star: adjusted p at most {tables.plan.alpha:g}.".strip(),
    )


def _forest(tables: Tables, measure: Measure, kept: Sequence[Row], cut: str) -> Figure | None:
    """Differences from the reference, where only these were tested."""
    reference = tables.board.reference
    titles = {row.id: row.title for row in kept}
    others = [pair.reversed() if pair.a == reference else pair for pair in tables.board.comparisons(measure)]
    drawn = [pair for pair in others if pair.a in titles and pair.difference.known]
    if not drawn:
        return None
    data = pd.DataFrame(
        [
            {
                "generator": titles[pair.a],
                **ends_of("estimate", pair.difference),
                "verdict": pair.verdict,
                "p": pair.p,
            }
            for pair in drawn
        ]
    )
    names = [row.title for row in kept if row.title in set(data["generator"])]

    def draw(size: Size) -> Any:
        y = alt.Y("generator:N", sort=names, title=None)
        base, zero = alt.Chart(data), alt.Chart(pd.DataFrame({"estimate": [0.0]}))
        shape = alt.Shape("verdict:N", legend=alt.Legend(title=None, orient="bottom"))
        return alt.layer(
            zero.mark_rule(color=INK, strokeDash=[3, 3]).encode(x="estimate:Q"),
            base.mark_rule(color=BLUE).encode(
                x=alt.X("estimate_low:Q", title=f"{measure.kind}, minus {titles[reference]}"), x2="estimate_high:Q", y=y
            ),
            base.mark_point(filled=True, color=BLUE, size=size.font * 5, opacity=1).encode(
                x="estimate:Q", y=y, shape=shape
            ),
        ).properties(width=size.width * 0.75, height=size.font * 1.8 * len(names))

    verdicts = [pair.verdict for pair in others]
    better, worse = verdicts.count("better"), verdicts.count("worse")
    some = "generator is" if better == 1 else "generators are"
    return Figure(
        f"pairs-{measure.slug}",
        title=f"In {measure.kind}, {better} {some} better than {titles[reference]} and {worse} worse",
        claims=(
            Claim(reference, f"better than it:{measure.key}", "is", better),
            Claim(reference, f"worse than it:{measure.key}", "is", worse),
        ),
        alt="; ".join(f"{titles[pair.a]}: {with_interval(pair.difference, True)}, {pair.verdict}" for pair in drawn),
        data=data,
        draw=draw,
        note=cut,
    )
