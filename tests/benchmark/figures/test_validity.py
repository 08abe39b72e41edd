"""The board's order against what is true."""

import numpy as np
import pytest

from benchmark.figures.style import SIZES
from benchmark.figures.validity import validity


@pytest.mark.parametrize("what", ["preference", "lift"])
def test_points_are_means_by_both(tables, what):
    figure = next(figure for figure in validity(tables) if figure.name == f"validity-{what}-observed")
    prefix = "lift:" if what == "lift" else ""
    for _, point in figure.data.iterrows():
        row = next(row for row in tables.board.rows if row.title == point["generator"])
        assert point["leaderboard"] == pytest.approx(np.nanmean(tables.value(row.id, f"{prefix}ncf")), abs=1e-9)
        assert point["ground_truth"] == pytest.approx(np.nanmean(tables.value(row.id, f"{prefix}observed")), abs=1e-9)
    places = figure.data[["leaderboard", "ground_truth"]].rank(ascending=False)
    assert figure.data["apart"].tolist() == (places["leaderboard"] - places["ground_truth"]).abs().tolist()


def test_a_known_ground_truth_is_the_other_axis(miniature_tables):
    names = [figure.name for figure in validity(miniature_tables)]
    assert "validity-preference-ground-truth" in names


def test_those_whose_places_differ_are_named(tables):
    figure = validity(tables)[0]
    layers = figure.draw(SIZES["page"]).to_dict()["layer"]
    text = next(layer for layer in layers if layer["mark"]["type"] == "text")
    assert text["encoding"]["text"]["field"] == "text"
    assert "Kendall's tau" in figure.title
