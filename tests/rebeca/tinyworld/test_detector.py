"""The detector tells postcards from what merely has their statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rebeca.tinyworld.detector import BATCH, build, postcard_scores
from rebeca.tinyworld.models import scaled
from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import draw_scenes
from rebeca.tinyworld.support import has_statistics, inside
from scripts.tinyworld.detector import THINGS, kinds_of_things
from scripts.tinyworld.treated import HONEST, OUTLIERS


@pytest.fixture(scope="module")
def postcards():
    scenes = draw_scenes(1200, 9, "detector test")
    images = render(scenes)
    return images, images[kinds_of_things(scenes) >= THINGS][:400]


def test_postcards_pass(postcards):
    assert (postcard_scores(postcards[0]) >= 0).mean() >= 0.995


@pytest.mark.parametrize("kind", HONEST)
def test_postcards_pass_as_people_treat_them(kind, postcards):
    assert inside(HONEST[kind](postcards[0][:400], np.random.default_rng(0))).mean() >= 0.97


@pytest.mark.parametrize("kind", OUTLIERS)
def test_what_is_no_postcard_mostly_does_not_pass(kind, postcards):
    assert inside(OUTLIERS[kind](postcards[1], np.random.default_rng(0))).mean() <= 0.25


def test_it_finds_what_has_the_statistics_of_postcards(postcards):
    means = OUTLIERS["means of 3 to 20 postcards"](postcards[1], np.random.default_rng(0))
    assert has_statistics(means).mean() >= 0.95 and (postcard_scores(means) >= 0).mean() <= 0.1


def test_scores_do_not_depend_on_the_batch(postcards):
    whole = postcard_scores(postcards[0][: BATCH + 2])
    assert whole.shape == (BATCH + 2,) and whole.dtype == np.float64
    rows = [0, BATCH - 1, BATCH + 1]
    assert np.allclose(postcard_scores(postcards[0][rows]), whole[rows], rtol=0, atol=1e-10)
    assert postcard_scores(np.empty((0, 64, 64, 3), np.uint8)).shape == (0,)


def test_the_network_reads_pixels_from_black_to_white():
    ends = scaled(torch.tensor([[[[0, 0, 0]], [[255, 255, 255]]]]))
    assert ends.shape == (1, 3, 2, 1) and ends[0, 0, :, 0].tolist() == [-1, 1]
    assert build()(torch.zeros(2, 3, 64, 64)).shape == (2,)
