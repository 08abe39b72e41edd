"""What a postcard shows, by the factors that it was drawn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rebeca.tinyworld.contents import CLASSES, NUMBERS, contents_of
from rebeca.tinyworld.scenes import draw_scenes


def test_contents_are_those_of_the_scene():
    scenes = draw_scenes(300, 3, "contents")
    contents = contents_of(scenes)
    by_name = dict(zip(CLASSES, contents.classes.T, strict=True))
    assert np.array_equal(by_name["trees"], scenes.trees) and np.array_equal(by_name["ground"], scenes.ground)
    for name, count in CLASSES.items():
        assert by_name[name].min() == 0 and by_name[name].max() == count - 1
    known = dict(zip(CLASSES, contents.known.T, strict=True))
    assert np.array_equal(known["house colour"], scenes.houses > 0) and known["houses"].all()


def test_numbers_are_of_what_is_there_and_of_the_largest():
    scenes = draw_scenes(300, 3, "contents")
    contents = contents_of(scenes)
    tall = list(NUMBERS).index("tree height")
    row = int(np.flatnonzero(scenes.trees == 2)[0])
    centre, spread = NUMBERS["tree height"]
    assert contents.numbers[row, tall] == (scenes.tree_at[row, :2, 2].max() - centre) / spread
    assert np.array_equal(contents.measured[:, tall], scenes.trees > 0)
    assert np.abs(contents.numbers[contents.measured[:, tall], tall].mean()) < 0.6


def test_caps_need_a_ridge_that_is_high_enough():
    scenes = draw_scenes(200, 3, "contents")
    low = replace(scenes, ridge_height=np.full_like(scenes.ridge_height, 5.0), caps=np.ones(200, bool))
    caps = list(CLASSES).index("caps")
    assert not contents_of(low).classes[:, caps].any()
    high = replace(scenes, ridge_height=np.full_like(scenes.ridge_height, 9.0), caps=np.ones(200, bool))
    assert np.array_equal(contents_of(high).classes[:, caps] == 1, scenes.ridges > 0)
