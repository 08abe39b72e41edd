"""The tests: null distributions of the personalisation test, and every pair of generators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmark.analysis.analyse import VERIFIER, lifts_of
from benchmark.board.board import Row, turned_round
from benchmark.board.format_numbers import number, p_value, with_interval
from benchmark.board.tables import DRAWS, Tables
from benchmark.figures.spreads import telling
from benchmark.figures.style import BLUE, INK, ORANGE, Figure, Size, heat, left_out, ranked, shortened, shown
from benchmark.records.schema import LIFT
from benchmark.stats.personalisation import double_centred, permutations_within
from benchmark.stats.random import stream

PANELS = 6
LONGEST = 46
"""Letters of a generator's name beside a matrix."""
BINS = 36
SCHEMES = ("whole sets moved", "published scheme")


def tests(tables: Tables) -> list[Figure]:
    """Permutation histograms and the pairwise matrices."""
    found = [_permutations(tables), *(_pairs(tables, measure) for measure in (tables.primary, LIFT + tables.primary))]
    return [figure for figure in found if figure is not None]


def _null(tables: Tables, row: Row) -> np.ndarray[Any, Any] | None:
    """Draws of the median double-centred score when whole sets move between people of a block."""
    _, strata = lifts_of(tables.rows[row.id], tables.primary, tables.plan.reading, tables.block)
    if not strata:
        return None
    sizes = tuple(len(stratum.users) for stratum in strata)
    moved = []
    for stratum, permutation in zip(
        strata, permutations_within(sizes, DRAWS, stream(tables.plan.name, "site-null")), strict=True
    ):
        moved.append(double_centred(stratum.scores)[np.arange(len(stratum.users)), permutation])
    return np.asarray(np.median(np.hstack(moved), axis=1))


def _permutations(tables: Tables) -> Figure | None:
    rows = [row for row in tables.board.rows if tables.primary in tables.rows[row.id].pairs]
    parts, marks, text = [], [], []
    for row in telling(tables, rows, PANELS) if rows else []:
        null, found = _null(tables, row), row.lifts[tables.primary]
        if null is None or found["median_double_centred"] is None:
            continue
        schemes = [(SCHEMES[0], null, found["median_double_centred"])]
        published = found["published_scheme"]
        if published is not None:
            draws = np.random.default_rng(0).normal(published["null_mean"], published["null_sd"], DRAWS)
            schemes.append((SCHEMES[1], draws, published))
        for scheme, draws, test in schemes:
            spread = float(draws.std()) or 1.0
            counts, edges = np.histogram((draws - draws.mean()) / spread, BINS)
            parts += [
                {"generator": row.title, "scheme": scheme, "z": (a + b) / 2, "share": c / len(draws)}
                for a, b, c in zip(edges[:-1], edges[1:], counts, strict=True)
            ]
            marks.append(
                {
                    "generator": row.title,
                    "scheme": scheme,
                    "z": (test["statistic"] - test["null_mean"]) / (test["null_sd"] or 1.0),
                }
            )
            text.append(f"{row.title}, {scheme}: z {number(test['z'], 1)}, p {p_value(test['p'])}")
    if not parts:
        return None
    data, observed = pd.DataFrame(parts), pd.DataFrame(marks)
    names = list(dict.fromkeys(observed["generator"]))

    def draw(size: Size) -> Any:
        domain = alt.Scale(domain=list(SCHEMES), range=[BLUE, ORANGE])
        colour = alt.Color("scheme:N", scale=domain, legend=alt.Legend(title=None, orient="bottom"))
        x = alt.X("z:Q", title="standard deviations of the null")
        base = alt.Chart(pd.concat([data.assign(kind="null"), observed.assign(kind="observed", share=0.0)]))
        null = base.transform_filter("datum.kind == 'null'")
        y = alt.Y("share:Q", axis=None, stack=None)
        moved = null.transform_filter(f"datum.scheme == '{SCHEMES[0]}'").mark_area(opacity=0.5, interpolate="step")
        published = null.transform_filter(f"datum.scheme == '{SCHEMES[1]}'").mark_line(strokeWidth=1.4)
        dash = alt.StrokeDash("scheme:N", scale=alt.Scale(domain=list(SCHEMES), range=[[1, 0], [4, 2]]), legend=None)
        rules = base.transform_filter("datum.kind == 'observed'").mark_rule(strokeWidth=2)
        layers = [
            moved.encode(x=x, y=y, color=colour),
            published.encode(x=x, y=y, color=colour),
            rules.encode(x=x, color=colour, strokeDash=dash),
        ]
        row = alt.Row("generator:N", sort=names, title=None, header=alt.Header(labelAngle=0, labelAlign="left"))
        return alt.layer(*layers).properties(width=round(size.width * 0.7), height=size.font * 4).facet(row=row)

    passed = sum(
        1
        for row in ranked(rows)
        if (row.lifts[tables.primary]["median_double_centred"] or {"p": 1.0})["p"] <= tables.plan.alpha
    )
    whose = "the verifier" if tables.primary == VERIFIER else tables.board.card_name(tables.primary)
    title = f"For {passed} of {len(ranked(rows))} generators {whose} prefers people's own pictures by more than chance"
    note = (
        "Areas: what chance gives; lines: what was found. The published scheme moves single pictures and rejects too"
        " often; its area is a normal curve of the recorded mean and deviation. The title counts single tests, each at"
        f" {tables.plan.alpha:g}."
    )
    return Figure("permutations", title, "; ".join(text), data, draw, note)


def _pairs(tables: Tables, measure: str) -> Figure | None:
    family = tables.board.families.get(measure)
    if family is None or not family["comparisons"]:
        return None
    rows = [row for row in tables.board.rows if row.id in family["generators"]]
    kept = shown(rows, tables.board.reference)
    titles = dict(zip((row.id for row in kept), shortened([row.title for row in kept], LONGEST), strict=True))
    places = {row.id: k + 1 for k, row in enumerate(kept)}
    if tables.plan.family != "all-pairs":
        return _forest(tables, measure, kept, left_out(kept, rows))
    cells, text = [], []
    for one in family["comparisons"]:
        if one["a"] not in titles or one["b"] not in titles:
            continue
        for pair in (one, turned_round(one)):
            value, p = pair["difference"]["estimate"], pair["test"]["p_max_t"] if pair["test"] else None
            if value is None:
                continue
            star = "*" if p is not None and p <= tables.plan.alpha else ""
            place = [f"{places[pair[side]]} {titles[pair[side]]}" for side in ("a", "b")]
            cells.append({"a": place[0], "b": place[1], "difference": value, "p": p, "text": star})
        if tables.board.reference in (one["a"], one["b"]):
            pair = one if one["a"] == tables.board.reference else turned_round(one)
            text.append(f"minus {titles[pair['b']]}: {with_interval(pair['difference'], True)}")
    if not cells:
        return None
    data = pd.DataFrame(cells)
    data["column"] = data["b"].str.split(" ").str[0]
    names = [f"{places[row.id]} {titles[row.id]}" for row in kept]
    written = len(kept) <= 10
    if written:
        data["text"] = [f"{number(v, 2, True)}{star}" for v, star in zip(data["difference"], data["text"], strict=True)]

    def draw(size: Size) -> Any:
        side = size.width * 0.62 / len(names)
        narrow = alt.Axis(labelAngle=0, labelFontSize=size.font if len(names) <= 14 else size.font * 0.75)
        numbers = [name.partition(" ")[0] for name in names]
        x = alt.X("column:N", sort=numbers, title="minus the generator of this number", axis=narrow)
        y = alt.Y("a:N", sort=names, title=None, axis=alt.Axis(labelLimit=size.font * 30))
        return heat(size, data, x, y, "difference", diverging=True, cell=(side, max(side * 0.6, size.font * 1.3)))

    what = "personal lift" if measure.startswith(LIFT) else "preference"
    tested = [one["test"]["p_max_t"] for one in family["comparisons"] if one["test"]]
    sure = sum(p <= tables.plan.alpha for p in tested)
    title = f"{sure} of {len(tested)} pairs differ in {what}, all pairs taken together"
    note = f"{left_out(kept, rows)} Row minus column; a star: adjusted p at most {tables.plan.alpha:g}."
    reference = next((row.title for row in kept if row.id == tables.board.reference), "")
    return Figure(
        f"pairs-{'lift' if what != 'preference' else 'preference'}",
        title,
        f"{reference} {'; '.join(text)}",
        data,
        draw,
        note.strip(),
    )


def _forest(tables: Tables, measure: str, kept: Sequence[Row], cut: str) -> Figure | None:
    """Differences from the reference, where only these were tested."""
    reference = tables.board.reference
    titles = {row.id: row.title for row in kept}
    rows, verdicts = [], []
    for one in tables.board.families[measure]["comparisons"]:
        pair = turned_round(one) if one["a"] == reference else one
        verdicts.append(pair["verdict"])
        if pair["a"] in titles and pair["difference"]["estimate"] is not None:
            ends = {end: pair["difference"][end] for end in ("estimate", "low", "high")}
            rows.append(
                {
                    "generator": titles[pair["a"]],
                    **ends,
                    "verdict": pair["verdict"],
                    "p": pair["test"]["p_max_t"] if pair["test"] else None,
                }
            )
    if not rows:
        return None
    data = pd.DataFrame(rows)
    names = [row.title for row in kept if row.title in set(data["generator"])]
    what = "personal lift" if measure.startswith(LIFT) else "preference"

    def draw(size: Size) -> Any:
        y = alt.Y("generator:N", sort=names, title=None)
        base = alt.Chart(data)
        shape = alt.Shape("verdict:N", legend=alt.Legend(title=None, orient="bottom"))
        zero = (
            alt.Chart(pd.DataFrame({"estimate": [0.0]})).mark_rule(color=INK, strokeDash=[3, 3]).encode(x="estimate:Q")
        )
        rules = base.mark_rule(color=BLUE).encode(
            x=alt.X("low:Q", title=f"{what}, minus {titles[reference]}"), x2="high:Q", y=y
        )
        dots = base.mark_point(filled=True, color=BLUE, size=size.font * 5, opacity=1).encode(
            x="estimate:Q", y=y, shape=shape
        )
        return alt.layer(zero, rules, dots).properties(width=size.width * 0.75, height=size.font * 1.8 * len(names))

    better, worse = (verdicts.count(verdict) for verdict in ("better", "worse"))
    some = "generator is" if better == 1 else "generators are"
    title = f"In {what}, {better} {some} better than {titles[reference]} and {worse} worse"
    text = "; ".join(f"{row['generator']}: {with_interval(row, True)}, {row['verdict']}" for row in rows)
    return Figure(f"pairs-{'lift' if what != 'preference' else 'preference'}", title, text, data, draw, cut)
