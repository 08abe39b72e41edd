"""Every pair of generators: a matrix where all were tested, differences from the reference otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from benchmark.analysis.measures import Measure, both_by
from benchmark.analysis.results import Comparison
from benchmark.board.format_numbers import number, with_interval
from benchmark.board.row import Row
from benchmark.board.tables import Tables
from benchmark.figures.style import BLUE, INK, Figure, Size, heat, left_out, present, shortened, shown

LONGEST = 46
"""Letters of a generator's name beside a matrix."""


def pairs(tables: Tables) -> list[Figure]:
    """Preference and personal lift by the primary scorer."""
    return present(*(_pairs(tables, measure) for measure in both_by(tables.primary)))


def _pairs(tables: Tables, measure: Measure) -> Figure | None:
    family = tables.board.families.get(measure.key)
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
        _cell(names, pair, tables.plan.alpha)
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
    title = f"{different} of {len(tested)} pairs differ in {measure.kind}, all pairs taken together"
    own = [pair.seen_from(tables.board.reference) for pair in pairs if tables.board.reference in (pair.a, pair.b)]
    text = "; ".join(f"minus {titles[pair.b]}: {with_interval(pair.difference, True)}" for pair in own)
    reference = tables.board.titles.get(tables.board.reference, "")
    note = f"{cut} Row minus column; a star: adjusted p at most {tables.plan.alpha:g}."
    return Figure(f"pairs-{measure.slug}", title, f"{reference} {text}", data, draw, note.strip())


def _cell(names: dict[str, str], pair: Comparison, alpha: float) -> dict[str, str | float | None]:
    star = "*" if pair.p is not None and pair.p <= alpha else ""
    return {"a": names[pair.a], "b": names[pair.b], "difference": pair.difference.estimate, "p": pair.p, "text": star}


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
                "estimate": pair.difference.estimate,
                "low": pair.difference.low,
                "high": pair.difference.high,
                "verdict": pair.verdict,
                "p": pair.p,
            }
            for pair in drawn
        ]
    )
    names = [row.title for row in kept if row.title in set(data["generator"])]

    def draw(size: Size) -> Any:
        y = alt.Y("generator:N", sort=names, title=None)
        base = alt.Chart(data)
        shape = alt.Shape("verdict:N", legend=alt.Legend(title=None, orient="bottom"))
        zero = (
            alt.Chart(pd.DataFrame({"estimate": [0.0]})).mark_rule(color=INK, strokeDash=[3, 3]).encode(x="estimate:Q")
        )
        rules = base.mark_rule(color=BLUE).encode(
            x=alt.X("low:Q", title=f"{measure.kind}, minus {titles[reference]}"), x2="high:Q", y=y
        )
        dots = base.mark_point(filled=True, color=BLUE, size=size.font * 5, opacity=1).encode(
            x="estimate:Q", y=y, shape=shape
        )
        return alt.layer(zero, rules, dots).properties(width=size.width * 0.75, height=size.font * 1.8 * len(names))

    verdicts = [pair.verdict for pair in others]
    better, worse = verdicts.count("better"), verdicts.count("worse")
    some = "generator is" if better == 1 else "generators are"
    title = f"In {measure.kind}, {better} {some} better than {titles[reference]} and {worse} worse"
    text = "; ".join(f"{titles[pair.a]}: {with_interval(pair.difference, True)}, {pair.verdict}" for pair in drawn)
    return Figure(f"pairs-{measure.slug}", title, text, data, draw, cut)
