"""Which images could be postcards of the world."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import BATCH, draw_scenes
from rebeca.tinyworld.support import SIZE_OF_STATISTICS, has_statistics, inside, statistics
from rebeca.tinyworld.taste import see
from scripts.tinyworld.asks import two_colours


@pytest.fixture(scope="module")
def postcards():
    return render(draw_scenes(1500, 9, "support test"))


def test_new_postcards_are_inside(postcards):
    assert inside(postcards).mean() >= 0.995


def test_a_mirrored_postcard_is_inside(postcards):
    assert inside(postcards[:300, :, ::-1]).mean() >= 0.99


def test_gradients_are_outside_with_and_without_noise():
    gradients = two_colours(5)[:400]
    rng = np.random.default_rng(0)
    noisy = [np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8) for image in gradients]
    assert not inside(gradients).any() and not inside(noisy).any()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_plain_images_are_outside(level):
    assert not inside([np.full((64, 64, 3), level, np.uint8)]).any()


def test_noise_on_a_postcard_puts_it_outside(postcards):
    rng = np.random.default_rng(0)
    noisy = postcards[:200] + rng.integers(-8, 9, postcards[:200].shape)
    assert inside(np.clip(noisy, 0, 255).astype(np.uint8)).mean() <= 0.02


def test_postcards_mixed_with_gradients_are_mostly_outside(postcards):
    gradients = two_colours(5)[:300].astype(int)
    assert inside(((postcards[:300] + gradients) // 2).astype(np.uint8)).mean() < 0.5


def test_statistics_do_not_depend_on_the_batch(postcards):
    whole = statistics(postcards[: BATCH + 2])
    assert whole.shape == (BATCH + 2, SIZE_OF_STATISTICS) and np.isfinite(whole).all()
    assert np.allclose(statistics(postcards[BATCH - 1 : BATCH + 1]), whole[BATCH - 1 : BATCH + 1], rtol=0, atol=1e-10)
    assert statistics([]).shape == (0, SIZE_OF_STATISTICS)


def test_no_postcards_have_no_statistics():
    assert has_statistics(np.empty((0, 64, 64, 3), np.uint8)).tolist() == []
    assert inside([]).tolist() == []


@pytest.mark.parametrize("shape", [(1, 64, 64), (1, 32, 32, 3), (64, 64, 3)])
def test_statistics_of_other_arrays_are_refused(shape):
    with pytest.raises(ValueError, match="expected uint8"):
        has_statistics(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("ask", [see, inside, statistics])
@pytest.mark.parametrize("other", [None, [[[0, 0, 0]]], Image.new("RGB", (64, 64))], ids=["None", "list", "PIL"])
def test_what_is_no_array_is_refused(ask, other):
    with pytest.raises(ValueError, match=rf"an image is of type {type(other).__name__}, expected uint8"):
        ask([other])
