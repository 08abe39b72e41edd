"""How stable ranks are over bootstrap draws of users."""

from __future__ import annotations

from collections import Counter
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmark.board.format_numbers import percent
from benchmark.board.tables import Tables
from benchmark.figures.style import Figure, Size, heat, left_out, shown
from benchmark.stats.exact import resampled_means
from benchmark.stats.ranks import probability_first
from rebeca.ties import direction, size_of


def ranks(tables: Tables) -> list[Figure]:
    """Share of bootstrap draws in which a generator has a rank."""
    rows = [row for row in tables.board.rows if row.ranked and np.isfinite(tables.value(row.id, tables.primary)).any()]
    if len(rows) < 2:
        return []
    values = tables.table(tables.primary, rows)
    known = np.isfinite(values).all(axis=1)
    if known.sum() < 2:
        return []
    weights = tables.weights[:, known]
    means = resampled_means(weights, values[known])
    size = size_of(means)
    place = np.column_stack([1 + (direction(means - means[:, [k]], size) > 0).sum(axis=1) for k in range(len(rows))])
    shares = probability_first(values[known], weights)
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
    names = [row.title for row in kept]

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
        y = alt.Y("generator:N", sort=names, title=None)
        return heat(size, data, x, y, "share", title="share of draws", domain=(0.0, 1.0), cell=(width, size.font * 1.7))

    first = max(kept, key=lambda row: float(shares[column[row.id]]))
    title = f"{first.title} comes first in {percent(float(shares[column[first.id]]))} of the draws"
    low, high = np.quantile(place, [0.025, 0.975], axis=0)
    text = [f"{row.title}: ranks {low[column[row.id]]:.0f} to {high[column[row.id]]:.0f}" for row in kept]
    drawn = f"{len(place):,} bootstrap draws of users; per cent of the draws. Equal means share the better rank."
    note = f"{left_out(kept, rows)} {drawn}"
    return [Figure("rank-stability", title, "; ".join(text), data, draw, note.strip())]
