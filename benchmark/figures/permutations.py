"""Null distributions of the personalisation test."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmark.analysis.inputs import lifts_of
from benchmark.analysis.numbers import PermutationTest
from benchmark.board.claims import Claim
from benchmark.board.finding import IN_WORDS
from benchmark.board.format_numbers import number, p_value
from benchmark.board.row import Row
from benchmark.board.tables import DRAWS, Tables
from benchmark.figures.spreads import telling
from benchmark.figures.style import BLUE, ORANGE, Figure, Size, ranked
from benchmark.stats.personalisation import double_centred, moved_scores, permutations_within, row_medians
from benchmark.stats.random import stream
from rebeca.arrays import Floats

PANELS = 6
PASSED, TESTED = "passed", "tested"
"""Keys of claims: generators whose own unadjusted test rejects, and generators."""
BINS = 36
SCHEMES = ("whole sets moved", "published scheme")
NOTE = (
    "Areas: the null distribution; lines: the observed value. The published scheme moves single images and rejects too"
    " often; its area is a normal curve of the recorded mean and deviation. The title counts single tests, each at"
)


def permutations(tables: Tables) -> list[Figure]:
    """Histograms of permuted statistics beside the observed ones."""
    rows = [row for row in tables.board.rows if tables.primary in tables.rows[row.id].pairs]
    parts, marks, text = [], [], []
    for row in telling(tables, rows, PANELS) if rows else []:
        for scheme, draws, test in _schemes(tables, row):
            spread = float(draws.std()) or 1.0
            counts, edges = np.histogram((draws - draws.mean()) / spread, BINS)
            parts += [
                {"generator": row.title, "scheme": scheme, "z": (a + b) / 2, "share": c / len(draws)}
                for a, b, c in zip(edges[:-1], edges[1:], counts, strict=True)
            ]
            z = (test.statistic - test.null_mean) / (test.null_sd or 1.0)
            marks.append({"generator": row.title, "scheme": scheme, "z": z})
            text.append(f"{row.title}, {scheme}: z {number(test.z, 1)}, p {p_value(test.p)}")
    if not parts:
        return []
    data, observed = pd.DataFrame(parts), pd.DataFrame(marks)

    names = [row for row in ranked(rows) if _test(tables, row) is not None]
    card = tables.board.cards[tables.primary]
    passed = sum((own := _test(tables, row)) is not None and own.p <= tables.plan.alpha for row in names)
    judge = IN_WORDS.get(card.role, card.name)
    return [
        Figure(
            "permutations",
            claims=(
                Claim("", f"{PASSED}:{tables.primary}", "is", passed),
                Claim("", f"{TESTED}:{tables.primary}", "is", len(names)),
            ),
            title=f"For {passed} of {len(names)} generators {judge} prefers users' own images by more than chance",
            alt="; ".join(text),
            data=data,
            draw=partial(_draw, data, observed),
            note=f"{NOTE} {tables.plan.alpha:g}.",
        )
    ]


def _test(tables: Tables, row: Row) -> PermutationTest | None:
    return row.lifts[tables.primary].median_double_centred


def _schemes(tables: Tables, row: Row) -> Iterator[tuple[str, Floats, PermutationTest]]:
    """Name, draws under the null, and test, of whole sets and of the published scheme."""
    null, test = _null(tables, row), _test(tables, row)
    if null is None or test is None:
        return
    yield SCHEMES[0], null, test
    published = row.record.published_schemes.get(tables.primary)
    if published is not None:
        draws = np.random.default_rng(0).normal(published.null_mean, published.null_sd, DRAWS)
        yield SCHEMES[1], draws, published


def _null(tables: Tables, row: Row) -> Floats | None:
    """Draws of the median double-centred score when whole sets move between users of a group."""
    _, strata = lifts_of(tables.rows[row.id], tables.primary, tables.plan.reading)
    if not strata:
        return None
    sizes = [len(stratum.users) for stratum in strata]
    permutations = permutations_within(sizes, DRAWS, stream(tables.plan.name, "site-null"))
    return row_medians(moved_scores([double_centred(stratum.scores) for stratum in strata], permutations))


def _draw(data: pd.DataFrame, observed: pd.DataFrame, size: Size) -> Any:
    names = list(dict.fromkeys(observed["generator"]))
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
    panel = alt.layer(
        moved.encode(x=x, y=y, color=colour),
        published.encode(x=x, y=y, color=colour),
        rules.encode(x=x, color=colour, strokeDash=dash),
    ).properties(width=round(size.width * 0.7), height=size.font * 4)
    row = alt.Row("generator:N", sort=names, title=None, header=alt.Header(labelAngle=0, labelAlign="left"))
    return panel.facet(row=row)
