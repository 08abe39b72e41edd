"""The synthetic world: its facts fix postcards, captions and tastes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from rebeca.data.dataset import Dataset
from rebeca.params import ParamError
from rebeca.tinyworld.colours import CENTRE, SPREAD
from rebeca.tinyworld.render import BATCH, render
from rebeca.tinyworld.scenes import LAKE, NIGHT, SUN, captions, draw_scenes
from rebeca.tinyworld.world import TinyworldParams, make_tinyworld, percentile
from scripts.tinyworld import facts
from scripts.tinyworld.asks import two_colours

FACTS = json.loads(facts.FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in facts.SEEDS[1:])])
def test_worlds_are_those_of_the_facts(seed: int) -> None:
    assert facts.world_facts(seed) == FACTS["worlds"][str(seed)]


def test_what_is_fixed_for_all_worlds_is_that_of_the_facts() -> None:
    assert facts.held_out_facts() == FACTS["test"]
    assert facts.colour_facts() == FACTS["colours"] == {"centre": CENTRE.tolist(), "spread": SPREAD.tolist()}


@pytest.mark.parametrize("seed", ["1", "2", "3", "4"])
def test_tastes_overlap_and_ratings_tell_them_well_enough(seed: str) -> None:
    world = FACTS["worlds"][seed]
    assert 0.25 <= world["correlation of percentiles between users"] <= 0.40
    assert 0.91 <= world["within-user AUC of the percentile"] <= 0.95
    assert 350 <= world["ratings per user"]["mean"] <= 600
    assert 1700 <= world["ratings per user"]["most"] <= 1800


def test_a_postcard_depends_on_its_own_scene_alone() -> None:
    scenes = draw_scenes(BATCH + 9, 7, "any")
    whole = render(scenes)
    some = np.array([3, BATCH - 1, BATCH, BATCH + 8])
    assert np.array_equal(render(scenes.take(some)), whole[some])


def test_streams_and_seeds_share_nothing() -> None:
    first = draw_scenes(5, 1, "catalogue")
    assert not np.array_equal(first.grade, draw_scenes(5, 2, "catalogue").grade)
    assert not np.array_equal(first.grade, draw_scenes(5, 1, "test").grade)


def test_captions_say_what_is_drawn() -> None:
    scenes = draw_scenes(400, 3, "captions")
    texts = captions(scenes)
    assert max(len(text.split()) for text in texts) <= 29
    for i, text in enumerate(texts):
        words = text.split()
        assert ("stars" in words) == bool(scenes.stars[i])
        assert ("the sun" in text) == (scenes.disc[i] == SUN)
        assert ("boat" in words or "boats" in words) == bool(scenes.boats[i])
        assert ("lake" in words) == (scenes.ground[i] == LAKE)
        assert ("night" in words) == (scenes.time[i] == NIGHT)


def test_percentiles_are_mid_ranks() -> None:
    ladder = np.array([[0.0, 1.0, 1.0, 2.0]])
    assert percentile(ladder, np.array([[-1.0, 0.0, 1.0, 1.5, 9.0]])).tolist() == [[0.0, 0.125, 0.5, 0.75, 1.0]]


def test_percentiles_of_what_is_equal_but_for_rounding_are_equal() -> None:
    ladder = np.array([[0.0, 0.3, 2.0]])
    assert percentile(ladder, np.array([[0.1 + 0.2, 0.3, 0.3 - 1e-16]])).tolist() == [[0.5, 0.5, 0.5]]


@pytest.mark.parametrize("where", ["ladder", "utility"])
def test_what_is_no_number_has_no_percentile(where: str) -> None:
    given = {"ladder": np.array([[0.0, 1.0, 2.0]]), "utility": np.array([[0.5, 1.5, 9.0]])}
    given[where][0, 1] = np.nan
    with pytest.raises(ValueError, match="a utility is NaN"):
        percentile(**given)


@pytest.mark.parametrize(
    ("name", "value"), [("items", 0), ("users", 0), ("users", 5_001), ("items", 50_001), ("seed", 1.5)]
)
def test_impossible_sizes_are_one_message_in_python_as_well(name: str, value: Any) -> None:
    with pytest.raises(ParamError, match=rf"^tinyworld\.{name}: .*, found {value}$"):
        make_tinyworld(TinyworldParams(**{name: value}))


@pytest.fixture(scope="module")
def world() -> Dataset:
    return make_tinyworld(TinyworldParams(items=40, users=3))


def test_the_utility_of_an_item_is_that_of_its_pixels(world: Dataset) -> None:
    assert world.ground_truth is not None and world.ground_truth.of_images is not None
    by_pixels = world.ground_truth.of_images(world.catalogue.pixels(i) for i in range(40))
    by_item = world.ground_truth.utility(np.arange(3)[:, None], np.arange(40)[None, :])
    assert np.array_equal(by_pixels, by_item)
    assert np.allclose(by_pixels.mean(axis=1), 0.5)


def test_an_image_outside_the_world_has_the_lowest_percentile(world: Dataset) -> None:
    assert world.ground_truth is not None
    assert world.ground_truth.of_images is not None and world.ground_truth.inside is not None
    images = [*two_colours(3)[:5], world.catalogue.pixels(0)]
    assert world.ground_truth.inside(images).tolist() == [False] * 5 + [True]
    assert not world.ground_truth.of_images(images)[:, :5].any()
    assert world.ground_truth.of_images(images)[:, 5].any()


def test_what_holds_for_images_holds_for_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """An item that could be no postcard has the lowest percentile, and everybody rates it as the least liked."""
    outside = make_tinyworld(TinyworldParams(items=40, users=3)).catalogue.pixels(3)
    monkeypatch.setattr(
        "rebeca.tinyworld.world.inside", lambda images: np.array([not np.array_equal(x, outside) for x in images])
    )
    world = make_tinyworld(TinyworldParams(items=40, users=3))
    assert world.ground_truth is not None and world.ground_truth.of_images is not None
    assert not world.ground_truth.utility(np.arange(3), np.full(3, 3)).any()
    assert not world.ground_truth.of_images([outside]).any()
    assert world.ratings.rating[world.ratings.item == 3].mean() < world.ratings.rating.mean() - 0.5
