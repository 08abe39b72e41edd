"""Training and cost."""

import numpy as np
import pytest

from benchmark.figures.making import history_of, making
from benchmark.figures.style import SIZES


@pytest.fixture(scope="module")
def figures(tables):
    return {figure.name: figure for figure in making(tables)}


def test_losses_are_those_of_the_fit(tables, figures):
    data = figures["training"].data
    reference = next(row for row in tables.board.rows if row.id == tables.board.reference)
    (fit,) = reference.record.fits
    history = history_of(fit)
    own = data[data["generator"] == reference.title]
    for kind, losses in (("train", history.train), ("validation", history.validation)):
        assert own[own["ratings"] == kind]["loss"].tolist() == list(losses)
    assert f"lowest validation loss {min(history.validation):.4f}" in figures["training"].alt
    assert set(data["generator"]) == {reference.title}  # the other arms share this fit, or have none


def test_the_front_holds_those_that_nobody_beats(tables, figures):
    data = figures["cost"].data
    assert set(data["generator"]) == {row.title for row in tables.board.rows if row.ranked}
    for _, point in data.iterrows():
        beaten = (data["seconds"] <= point["seconds"]) & (data["preference"] > point["preference"])
        assert point["front"] == (not beaten.any())
        row = next(row for row in tables.board.rows if row.title == point["generator"])
        assert point["preference"] == pytest.approx(np.mean(tables.value(row.id, "ncf")))
    assert figures["cost"].title.startswith(f"{data['front'].sum()} of {len(data)} generators")


@pytest.mark.parametrize("name", ["training", "cost"])
def test_they_are_drawn(figures, name):
    assert figures[name].draw(SIZES["page"]).to_dict()
