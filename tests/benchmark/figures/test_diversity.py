"""Preference beside diversity, and the front of generators that none exceeds in both."""

import numpy as np
import pytest

from benchmark.figures.diversity import diversity, unbeaten
from benchmark.figures.style import SIZES


def test_the_front_holds_those_that_none_exceeds(tables):
    (figure,) = diversity(tables)
    data = figure.data
    assert set(data["id"]) == {row.id for row in tables.board.rows if row.ranked}
    for _, point in data.iterrows():
        assert point["preference"] == pytest.approx(np.nanmean(tables.value(point["id"], "ncf")))
        assert point["diversity"] == pytest.approx(np.nanmean(tables.value(point["id"], "diversity")))
        beaten = (data["diversity"] > point["diversity"]) & (data["preference"] > point["preference"])
        assert not (point["front"] and beaten.any())
    assert f"{data['front'].sum()} of {len(data)}" in figure.title


def test_equal_points_are_both_on_the_front_and_rounding_decides_nothing():
    assert unbeaten(np.array([0.1, 0.1, 0.3]), np.array([0.9, 0.9, 0.5])).tolist() == [True, True, True]
    assert unbeaten(np.array([0.1, 0.1 + 1e-15]), np.array([0.9, 0.9])).tolist() == [True, True]
    assert unbeaten(np.array([0.1, 0.2, 0.2]), np.array([0.9, 0.9, 0.8])).tolist() == [False, True, False]


def test_it_is_drawn_with_the_names_of_the_front(tables):
    (figure,) = diversity(tables)
    layers = figure.draw(SIZES["page"]).to_dict()["layer"]
    assert [layer["mark"]["type"] for layer in layers].count("rule") == 3
    assert layers[-1]["mark"]["type"] == "text"
