"""Training and cost."""

import numpy as np
import pytest

from benchmark.figures.making import history_of, making
from benchmark.figures.style import SIZES


@pytest.fixture(scope="module")
def found(tables):
    return {figure.name: figure for figure in making(tables)}


def test_losses_are_those_of_the_fit(tables, found):
    data = found["training"].data
    reference = next(row for row in tables.board.rows if row.id == tables.board.reference)
    history = history_of(reference)
    own = data[data["generator"] == reference.title]
    for kind, losses in (("train", history.train), ("validation", history.validation)):
        assert own[own["ratings"] == kind]["loss"].tolist() == list(losses)
    assert f"lowest validation loss {min(history.validation):.4f}" in found["training"].alt
    assert set(data["generator"]) == {reference.title}  # the other arms share this fit, or have none


def test_the_front_holds_those_that_nobody_beats(tables, found):
    data = found["cost"].data
    assert set(data["generator"]) == {row.title for row in tables.board.rows if row.ranked}
    for _, point in data.iterrows():
        beaten = (data["seconds"] <= point["seconds"]) & (data["preference"] > point["preference"])
        assert point["front"] == (not beaten.any())
        row = next(row for row in tables.board.rows if row.title == point["generator"])
        assert point["preference"] == pytest.approx(np.mean(tables.value(row.id, "ncf")))
    assert found["cost"].title.startswith(f"{data['front'].sum()} of {len(data)} generators")


@pytest.mark.parametrize("name", ["training", "cost"])
def test_they_are_drawn(found, name):
    assert found[name].draw(SIZES["page"]).to_dict()
