"""Rank stability."""

import numpy as np
import pytest

from benchmark.figures.pairs import ranks
from benchmark.figures.style import SIZES


def test_shares_are_of_bootstrap_draws(tables):
    (figure,) = ranks(tables)
    rows = [row for row in tables.board.rows if row.ranked]
    values = tables.table(tables.primary, rows)
    means = tables.weights @ values
    for _, cell in figure.data.iterrows():
        own = [row.title for row in rows].index(cell["generator"])
        place = 1 + (means > means[:, [own]] + 1e-9).sum(axis=1)
        assert cell["share"] == pytest.approx((place == cell["rank"]).mean(), abs=2e-3)
    assert figure.data.groupby("generator")["share"].sum().tolist() == pytest.approx([1.0] * len(rows))
    assert {row.title for row in tables.board.rows if not row.ranked}.isdisjoint(figure.data["generator"])


def test_the_likely_first_is_the_finding(tables):
    (figure,) = ranks(tables)
    first = figure.data[figure.data["rank"] == 1].sort_values("share")["generator"].iloc[-1]
    assert figure.title.startswith(f"{first} comes first in the most bootstrap draws, ")
    cells, numbers = figure.draw(SIZES["page"]).to_dict()["layer"]
    assert cells["encoding"]["color"]["scale"]["domain"] == [0.0, 1.0]
    assert np.isin(figure.data["text"], ["", *map(str, range(101))]).all() and numbers["mark"]["type"] == "text"
