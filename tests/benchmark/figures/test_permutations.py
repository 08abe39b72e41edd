"""Null distributions and matrices of pairs."""

import numpy as np
import pytest

from benchmark.figures.pairs import pairs
from benchmark.figures.permutations import SCHEMES, permutations
from benchmark.figures.style import SIZES


@pytest.fixture(scope="module")
def figures(tables):
    return {figure.name: figure for figure in [*permutations(tables), *pairs(tables)]}


def test_which_figures_there_are(figures):
    assert list(figures) == ["permutations", "pairs-preference", "pairs-lift"]


def test_null_distributions_are_whole_and_standardised(tables, figures):
    data = figures["permutations"].data
    assert set(data["scheme"]) == set(SCHEMES)
    same = {row.title for row in tables.board.rows if "same for everybody" in row.flags}
    for (title, scheme), bins in data.groupby(["generator", "scheme"]):
        spread = 0.0 if scheme == SCHEMES[0] and title in same else 1.0  # moving equal sets changes nothing
        assert bins["share"].sum() == pytest.approx(1.0)
        mean = (bins["z"] * bins["share"]).sum()
        assert mean == pytest.approx(0, abs=0.1)
        assert np.sqrt((bins["share"] * (bins["z"] - mean) ** 2).sum()) == pytest.approx(spread, abs=0.1)


@pytest.mark.parametrize("name", ["pairs-preference", "pairs-lift"])
def test_matrices_are_differences_of_means(tables, figures, name):
    measure = tables.primary if name == "pairs-preference" else f"lift:{tables.primary}"
    means = {row.title: np.nanmean(tables.value(row.id, measure)) for row in tables.board.rows}
    data = figures[name].data
    both = {(a, b): d for a, b, d in zip(data["a"], data["b"], data["difference"], strict=True)}
    for (a, b), difference in both.items():
        titles = [label.partition(" ")[2] for label in (a, b)]
        assert difference == pytest.approx(means[titles[0]] - means[titles[1]], abs=1e-9)
        assert both[b, a] == -difference
    assert (data["p"] <= 1).all() and (data["p"] > 0).all()


@pytest.mark.parametrize("name", ["permutations", "pairs-preference", "pairs-lift"])
def test_they_are_drawn(figures, name):
    assert (
        figures[name]
        .draw(SIZES["two-column"])
        .to_dict()["$schema"]
        .startswith("https://vega.github.io/schema/vega-lite/")
    )


def test_against_a_reference_there_is_a_forest(miniature_tables):
    tables = miniature_tables
    figures = {figure.name: figure for figure in [*permutations(tables), *pairs(tables)]}
    data = figures["pairs-preference"].data
    assert len(data) == sum(row.ranked for row in tables.board.rows) - 1
    for _, bar in data.iterrows():
        row = next(row for row in tables.board.rows if row.title == bar["generator"])
        values = [tables.value(name, tables.primary) for name in (row.id, tables.board.reference)]
        assert bar["estimate"] == pytest.approx((values[0] - values[1]).mean())
        assert bar["estimate_low"] <= bar["estimate"] <= bar["estimate_high"]
    counts = [(data["verdict"] == verdict).sum() for verdict in ("better", "worse")]
    title = figures["pairs-preference"].title
    assert f"{counts[0]} generator" in title and f"{counts[1]} worse" in title
    marks = [layer["mark"]["type"] for layer in figures["pairs-lift"].draw(SIZES["page"]).to_dict()["layer"]]
    assert marks == ["rule", "rule", "point"]
