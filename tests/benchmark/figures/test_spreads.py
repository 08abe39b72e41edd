"""How users' preferences spread."""

import numpy as np
import pytest

from benchmark.figures.spreads import LINES, _density, spreads, telling
from benchmark.figures.style import SIZES
from benchmark.stats.intervals import wilson


@pytest.fixture(scope="module")
def figures(tables):
    return {figure.name: figure for figure in spreads(tables)}


def of(tables, title):
    row = next(row for row in tables.board.rows if row.title == title)
    values = tables.value(row.id, tables.primary)
    return values[np.isfinite(values)]


def test_which_figures_there_are(figures):
    assert list(figures) == ["ecdf", "violins", "thresholds"]


def test_the_curve_counts_users_at_or_below(tables, figures):
    for title, curve in figures["ecdf"].data.groupby("generator"):
        values = of(tables, title)
        for value, share in zip(curve["value"], curve["share"], strict=True):
            assert share == pytest.approx((values <= value).mean())


def test_the_best_median_is_the_finding(tables, figures):
    medians = {row.title: np.median(of(tables, row.title)) for row in tables.board.rows if row.ranked}
    best = max(medians, key=medians.get)
    assert figures["ecdf"].title == f"The highest median preference is that of {best}, {medians[best]:.2f}"


def test_boxes_are_quantiles(tables, figures):
    for _, box in figures["violins"].data.iterrows():
        quantiles = np.quantile(of(tables, box["generator"]), [0.05, 0.25, 0.5, 0.75, 0.95])
        assert box[["q05", "q25", "q50", "q75", "q95"]].tolist() == pytest.approx(quantiles)


def test_shares_above_a_threshold_have_wilsons_interval(tables, figures):
    for _, bar in figures["thresholds"].data.iterrows():
        values, threshold = of(tables, bar["generator"]), float(bar["threshold"].removeprefix("above "))
        above = int((values > threshold).sum())
        assert bar["share"] == above / len(values)
        assert (bar["low"], bar["high"]) == pytest.approx(wilson(above, len(values)))


@pytest.mark.parametrize("name", ["ecdf", "violins", "thresholds"])
def test_they_are_drawn(figures, name):
    chart = figures[name].draw(SIZES["page"]).to_dict()
    marks = [layer["mark"]["type"] for layer in (chart.get("spec") or chart).get("layer", [chart])]
    assert marks == {"ecdf": ["line"], "violins": ["area", "rule", "bar", "point"], "thresholds": ["bar", "rule"]}[name]


def test_the_telling_rows_hold_the_reference_and_every_family(miniature_tables):
    rows = miniature_tables.board.rows
    kept = telling(miniature_tables, rows, LINES)
    assert len(kept) == LINES < len(rows)
    assert miniature_tables.board.reference in {row.id for row in kept}
    assert {row.family for row in kept} == {row.family for row in rows}
    order = [row.id for row in rows]
    assert [order.index(row.id) for row in kept] == sorted(order.index(row.id) for row in kept)


def test_of_many_users_a_curve_is_drawn_through_some_of_its_steps(tables, figures, monkeypatch):
    monkeypatch.setattr("benchmark.figures.spreads.STEPS", 5)
    ecdf = spreads(tables)[0]
    assert ecdf.title == figures["ecdf"].title and ecdf.alt == figures["ecdf"].alt
    assert f"Of the up to {len(tables.users)} steps of a curve, 5 are drawn." in ecdf.note
    assert "steps" not in figures["ecdf"].note
    for title, curve in ecdf.data.groupby("generator"):
        values = of(tables, title)
        assert len(curve) == 5 and curve["share"].iloc[-1] == 1
        assert curve["value"].iloc[[0, -1]].tolist() == [values.min(), values.max()]
        for value, share in zip(curve["value"], curve["share"], strict=True):
            assert share == pytest.approx((values <= value).mean())


def test_the_density_is_the_usual_one():
    from scipy.stats import gaussian_kde

    values, grid = np.random.default_rng(0).normal(size=50), np.linspace(-3, 3, 20)
    expected = gaussian_kde(values)(grid)
    assert _density(values, grid) == pytest.approx(expected / expected.max())
