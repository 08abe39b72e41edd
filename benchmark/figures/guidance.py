"""Cross-guidance: the joint effect of the prior's and the decoder's guidance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmark.analysis.measures import PRIOR as PRIOR_ROLE
from benchmark.analysis.measures import with_role
from benchmark.board.claims import Claim
from benchmark.board.format_numbers import number
from benchmark.board.row import Row
from benchmark.board.tables import Tables
from benchmark.figures.style import Figure, Size, heat
from rebeca.arrays import Floats
from rebeca.seeds import canonical_json

PRIOR, IMAGE = "prior_guidance", "image_guidance"


def guidance(tables: Tables) -> list[Figure]:
    """Heat maps over a grid of both guidances: mean and median preference, aesthetics, and the change by decoding."""
    grid = _grid(tables.board.rows)
    if not grid:
        return []
    board, prior = tables.board, with_role(tables.board.cards, PRIOR_ROLE)
    names = {tables.primary: "preference", **{name: board.card_name(name) for name in board.measures.aesthetics}}
    if prior is not None:
        names[prior] = "preference before decoding"
    figures = [
        _map(
            grid,
            f"guidance-{measure}-{statistic.__name__}",
            f"{statistic.__name__} {name}",
            partial(_over_images, tables, measure, statistic),
        )
        for measure, name in names.items()
        if any(row.measure(measure) for row, _, _ in grid)
        for statistic in (np.mean, np.median)
    ]
    if prior is not None and any(row.measure(prior) for row, _, _ in grid):
        after, before = (partial(_over_images, tables, measure, np.mean) for measure in (tables.primary, prior))
        change = "change of preference by decoding"
        figures.append(_map(grid, "guidance-change", change, lambda row: after(row) - before(row), True))
    return figures


def _over_images(tables: Tables, measure: str, statistic: Callable[[Floats], Any], row: Row) -> float:
    """A statistic of a generator's scores, one per image; NaN without any."""
    scores = tables.rows[row.id].scores.get(measure, np.array([]))
    known = scores[np.isfinite(scores)]
    return float(statistic(known)) if len(known) else float("nan")


def _grid(rows: Sequence[Row]) -> list[tuple[Row, float, float]]:
    """Generators that differ in the two guidances alone: the largest such group with two values of each, or nothing."""
    groups: dict[str, list[tuple[Row, float, float]]] = {}
    for row in rows:
        generator = row.record.generator
        params, decoder = dict(generator.params), dict(generator.decoder)
        prior, image = params.pop(PRIOR, None), decoder.pop(IMAGE, None)
        if isinstance(prior, int | float) and isinstance(image, int | float):  # no place for one that a fit chose
            rest = canonical_json([generator.use, params, decoder, generator.images])
            groups.setdefault(rest, []).append((row, float(prior), float(image)))
    best = max(groups.values(), key=len, default=[])
    return best if all(len({point[k] for point in best}) >= 2 for k in (1, 2)) else []


def _map(
    grid: list[tuple[Row, float, float]],
    name: str,
    what: str,
    value: Callable[[Row], float],
    diverging: bool = False,
) -> Figure:
    cells = [
        {PRIOR: prior, IMAGE: image, "id": row.id, "generator": row.title, "value": value(row)}
        for row, prior, image in grid
    ]
    data = pd.DataFrame(cells).dropna()
    data["text"] = [number(v, 3, diverging) for v in data["value"]]

    def draw(size: Size) -> Any:
        x = alt.X(f"{PRIOR}:O", title="prior guidance", axis=alt.Axis(labelAngle=0))
        y = alt.Y(f"{IMAGE}:O", title="image guidance", sort="descending")
        cell = (size.width * 0.55 / data[PRIOR].nunique(), size.font * 3.2)
        return heat(size, data, x, y, "value", title="", diverging=diverging, cell=cell)

    best = data.iloc[int(np.argmax(data["value"].abs() if diverging else data["value"]))]
    extreme = "largest" if diverging else "highest"
    where = f"prior guidance {best[PRIOR]:g} and image guidance {best[IMAGE]:g}"
    return Figure(
        name,
        claims=(
            Claim(str(best["id"]), name, "highest", float(best["value"])),
            Claim(str(best["id"]), PRIOR, "is", float(best[PRIOR])),
            Claim(str(best["id"]), IMAGE, "is", float(best[IMAGE])),
        ),
        title=f"{what[0].upper()}{what[1:]} is {extreme} at {where} ({best['text']})",
        alt="; ".join(
            f"prior {p:g}, image {i:g}: {t}" for p, i, t in zip(data[PRIOR], data[IMAGE], data["text"], strict=True)
        ),
        data=data,
        draw=draw,
        note="Over all images of a generator; guidance 0 ignores the condition, 1 is conditional.",
    )
