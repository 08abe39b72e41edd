"""Cross-guidance."""

import numpy as np
import pytest

from benchmark.figures.guidance import guidance
from benchmark.figures.style import SIZES


@pytest.fixture(scope="module")
def figures(miniature_tables):
    return {figure.name: figure for figure in guidance(miniature_tables)}


def test_which_maps_there_are(figures, tables):
    measures = ("ncf", "hpsv2", "laion", "ncf-prior")
    wanted = [f"guidance-{measure}-{statistic}" for measure in measures for statistic in ("mean", "median")]
    assert list(figures) == [*wanted, "guidance-change"]
    assert guidance(tables) == []


@pytest.mark.parametrize(("name", "statistic"), [("guidance-ncf-mean", np.mean), ("guidance-laion-median", np.median)])
def test_cells_are_over_all_images_of_an_arm(miniature_tables, figures, name, statistic):
    data = figures[name].data
    cells = set(zip(data["prior_guidance"], data["image_guidance"], strict=True))
    assert cells >= {(1.0, 1.0), (1.0, 4.0), (3.0, 1.0), (3.0, 4.0)}
    assert len(cells) == 6  # with the reference and an arm that differs from it in image guidance alone
    for _, cell in data.iterrows():
        row = next(row for row in miniature_tables.board.rows if row.title == cell["generator"])
        scores = miniature_tables.rows[row.id].scores[name.split("-")[1]]
        assert cell["value"] == pytest.approx(statistic(scores))


def test_the_highest_cell_is_the_finding(figures):
    data = figures["guidance-ncf-mean"].data
    best = data.iloc[int(np.argmax(data["value"]))]
    assert f"prior guidance {best['prior_guidance']:g} and image guidance {best['image_guidance']:g}" in (
        figures["guidance-ncf-mean"].title
    )


def test_the_change_is_after_minus_before(figures):
    after, before, change = (
        figures[f"guidance-{name}"].data.set_index("generator")["value"]
        for name in ("ncf-mean", "ncf-prior-mean", "change")
    )
    assert change.to_numpy() == pytest.approx((after - before)[change.index].to_numpy())


def test_they_are_drawn(figures):
    for figure in figures.values():
        assert len(figure.draw(SIZES["page"]).to_dict()["layer"]) == 2
