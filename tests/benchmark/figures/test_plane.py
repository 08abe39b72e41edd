"""The figure of preference and personal lift."""

from dataclasses import replace

import numpy as np
import pytest

from benchmark.figures.plane import beside, planes, spread, ticks
from benchmark.figures.style import SIZES


def test_points_are_means_over_users(tables):
    first, observed = planes(tables)
    assert (first.name, observed.name) == ("plane", "plane-observed")
    for figure, judge in ((first, "ncf"), (observed, "observed")):
        points = figure.data.set_index("id")
        assert set(points.index) == {row.id for row in tables.board.rows} - set(
            () if judge == "ncf" else {"catalogue-verifier"} - set(points.index)
        )
        for name, point in points.iterrows():
            assert point["like"] == pytest.approx(np.nanmean(tables.value(name, judge)))
            assert point["like_low"] <= point["like"] <= point["like_high"]
            assert point["lift_low"] <= point["lift"] <= point["lift_high"]
    assert observed.title.startswith("By users' own ratings, ")
    assert "catalogue-verifier" in first.alt and "; unranked" in first.alt


def test_the_ground_truth_has_a_plane_of_its_own(miniature_tables):
    names = [figure.name for figure in planes(miniature_tables)]
    assert names == ["plane", "plane-ground-truth"]
    assert planes(miniature_tables)[1].title.startswith("By the ground truth, ")


def test_the_most_liked_ranked_generator_is_named_in_the_title(tables):
    figure = planes(tables)[1]
    points = figure.data[figure.data["ranked"]]
    liked = points["title"].iloc[int(np.argmax(points["like"]))]
    lifted = points["title"].iloc[int(np.argmax(points["lift"]))]
    assert f"{liked} has the highest preference" in figure.title and lifted in figure.title


def test_every_point_and_its_interval_are_drawn(tables):
    (figure, *_) = planes(tables)
    layers = figure.draw(SIZES["page"]).to_dict()["layer"]
    kinds = [layer["mark"]["type"] for layer in layers]
    assert kinds.count("point") == 2 and kinds.count("text") == 1 and kinds.count("rule") == 4
    mark = next(layer for layer in layers if "href" in layer["encoding"])
    assert mark["encoding"]["href"]["field"] == "href"


def test_labels_of_both_axes_differ_however_small_the_lifts_are(tables):
    (figure, *_) = planes(tables)
    for scale in (1.0, 0.02):
        small = figure.data.assign(**{name: scale * figure.data[name] for name in ("lift", "lift_low", "lift_high")})
        drawn = replace(figure, data=small).draw(SIZES["page"]).to_dict()["layer"]
        encoding = next(layer["encoding"] for layer in drawn if "href" in layer["encoding"])
        for axis in (encoding["x"]["axis"], encoding["y"]["axis"]):
            labels = {format(value, axis["format"]) for value in axis["values"]}
            assert 3 < len(labels) == len(axis["values"])


def test_many_generators_are_named_up_to_the_room_there_is(miniature_tables):
    figure = planes(miniature_tables)[0]
    named = figure.data[figure.data["named"]]
    assert len(named) == 8 < len(figure.data)
    assert miniature_tables.board.reference in set(named["id"])
    ranked = figure.data[figure.data["ranked"]]
    assert ranked["id"].iloc[int(np.argmax(ranked["like"]))] in set(named["id"])


@pytest.mark.parametrize(
    ("low", "high", "values", "decimals"),
    [(0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0], 1), (0.51, 0.63, [0.52, 0.54, 0.56, 0.58, 0.6, 0.62], 2)],
)
def test_ticks_are_round(low, high, values, decimals):
    assert ticks(low, high) == (pytest.approx(values), decimals)


def test_ticks_of_one_value():
    values, _ = ticks(3.0, 3.0)
    assert values == [3.0]


def test_labels_keep_their_distance_and_order():
    placed = spread([0.5, 0.1, 0.11, 0.12], [0, 0, 0, 0], 0.1, 0.0, 1.0)
    assert placed == pytest.approx([0.5, 0.1, 0.2, 0.3])
    crowded = spread([0.98, 0.99, 1.0], [0, 0, 0], 0.1, 0.0, 1.0)
    assert crowded == pytest.approx([0.8, 0.9, 1.0])
    assert spread([], [], 0.1, 0.0, 1.0) == []


def test_labels_stand_in_a_column_with_names_that_fit(tables):
    named = planes(tables)[0].data
    labels = beside(named, ("like", "lift", "title"), 9.0, (-1.0, 1.0), SIZES["one-column"], 100)
    assert set(labels["label_x"]) == {9.0}
    assert labels["text"].str.len().max() <= 22
    heights = np.sort(labels["label_y"])
    assert np.diff(heights).min() >= 1.65 * 7 / 100 * 2 - 1e-9
