"""The synthetic world: its facts fix postcards, captions and tastes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rebeca.tinyworld.render import BATCH, render
from rebeca.tinyworld.scenes import LAKE, NIGHT, SUN, captions, draw_scenes
from rebeca.tinyworld.taste import FEATURES, draw_ratings, draw_tastes, features
from rebeca.tinyworld.world import TinyworldParams, make_tinyworld, percentile
from scripts.tinyworld import facts

FACTS = json.loads(facts.FILE.read_text(encoding="utf-8"))


def test_world_one_is_the_one_that_was_committed_before_training() -> None:
    assert facts.world_facts(1) == FACTS["worlds"]["1"]
    assert facts.held_out_facts() == FACTS["test"]


@pytest.mark.parametrize("seed", ["1", "2", "3", "4"])
def test_tastes_overlap_and_ratings_tell_them_well_enough(seed: str) -> None:
    world = FACTS["worlds"][seed]
    assert 0.25 <= world["correlation of utility between users"] <= 0.40
    assert 0.91 <= world["within-user AUC of the utility"] <= 0.95
    assert 350 <= world["ratings per user"]["mean"] <= 600
    assert world["ratings per user"]["most"] == 1800


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


def test_features_are_standardised_over_postcards() -> None:
    values = features(render(draw_scenes(1500, 11, "other")))
    assert values.shape == (1500, len(FEATURES))
    assert np.abs(values.mean(axis=0)).max() < 0.12
    assert np.abs(values.std(axis=0) - 1).max() < 0.12


def test_every_utility_has_unit_variance_and_ratings_follow_it() -> None:
    tastes = draw_tastes(30, 5)
    utility = tastes.utility(features(render(draw_scenes(1500, 5, "catalogue"))))
    assert np.abs(utility.std(axis=1) - 1).max() < 0.25
    user, item, rating = draw_ratings(tastes, utility, 5)
    assert set(np.unique(rating)) == {1.0, 2.0, 3.0, 4.0, 5.0}
    assert len(set(zip(user.tolist(), item.tolist(), strict=True))) == len(user)
    for index in range(30):
        own = user == index
        assert np.corrcoef(rating[own], utility[index, item[own]])[0, 1] > 0.7


def test_percentiles_are_mid_ranks() -> None:
    ladder = np.array([[0.0, 1.0, 1.0, 2.0]])
    assert percentile(ladder, np.array([[-1.0, 0.0, 1.0, 1.5, 9.0]])).tolist() == [[0.0, 0.125, 0.5, 0.75, 1.0]]


def test_percentiles_of_what_is_equal_but_for_rounding_are_equal() -> None:
    ladder = np.array([[0.0, 0.3, 2.0]])
    assert percentile(ladder, np.array([[0.1 + 0.2, 0.3, 0.3 - 1e-16]])).tolist() == [[0.5, 0.5, 0.5]]


def test_the_utility_of_an_item_is_that_of_its_pixels() -> None:
    world = make_tinyworld(TinyworldParams(items=40, users=3))
    assert world.ground_truth is not None and world.ground_truth.of_images is not None
    by_pixels = world.ground_truth.of_images(world.catalogue.pixels(i) for i in range(40))
    by_item = world.ground_truth.utility(np.arange(3)[:, None], np.arange(40)[None, :])
    assert np.array_equal(by_pixels, by_item)
    assert np.allclose(by_pixels.mean(axis=1), 0.5)
