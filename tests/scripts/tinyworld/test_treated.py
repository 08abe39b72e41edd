"""What the support is fitted to and measured on."""

from __future__ import annotations

import numpy as np
import pytest

from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import draw_scenes
from scripts.tinyworld import treated
from scripts.tinyworld.treated import HONEST, OUTLIERS, UNSEEN, treated_honestly

EVERY = {**HONEST, **OUTLIERS, **UNSEEN}


@pytest.fixture(scope="module")
def postcards():
    return render(draw_scenes(40, 3, "to be treated"))


@pytest.mark.parametrize("kind", EVERY)
def test_as_many_images_of_the_same_form_come_back_and_always_the_same(kind, postcards):
    before = postcards.copy()
    first, again = (EVERY[kind](postcards, np.random.default_rng(4)) for _ in range(2))
    assert first.shape == postcards.shape and first.dtype == np.uint8
    assert np.array_equal(first, again) and np.array_equal(postcards, before)
    assert len(EVERY[kind](postcards[:1], np.random.default_rng(4))) == 1


def change(kind, postcards):
    """Mean absolute change of a pixel, 0 to 255."""
    return np.abs(EVERY[kind](postcards, np.random.default_rng(4)).astype(int) - postcards).mean()


@pytest.mark.parametrize("kind", [kind for kind in HONEST if kind != "mirrored"])
def test_what_people_do_to_an_image_changes_it_little(kind, postcards):
    assert 0 < change(kind, postcards) < 12


@pytest.mark.parametrize("kind", [kind for kind in OUTLIERS if kind != "thumbnails of 4 to 12 pixels"])
def test_what_is_no_postcard_is_far_from_it(kind, postcards):
    assert change(kind, postcards) > 12


def test_some_images_stay_as_they_are(postcards):
    many = np.repeat(postcards, 10, axis=0)
    same = (treated_honestly(many, np.random.default_rng(0)) == many).all(axis=(1, 2, 3)).mean()
    assert abs(same - treated.CLEAN_SHARE**2) < 0.08


def test_blocks_keep_every_pixel(postcards):
    for make in (treated.blocks, treated.blocks_in_rows, treated.rolled, treated.turned, treated.sorted_rows):
        changed = make(postcards, np.random.default_rng(1))
        assert np.array_equal(
            np.sort(changed.reshape(len(changed), -1, 3).sum(axis=2)),
            np.sort(postcards.reshape(len(changed), -1, 3).sum(axis=2)),
        )
    by_row = treated.blocks_in_rows(postcards, np.random.default_rng(1))
    assert np.allclose(by_row.reshape(40, 4, -1).mean(axis=2), postcards.reshape(40, 4, -1).mean(axis=2))


def test_half_are_upside_down_and_a_quarter_lies_on_each_side():
    """The mix of the detector's training and of the card's shares."""
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    changed = treated.turned(np.repeat(image[None], 4000, axis=0), np.random.default_rng(2))
    shares = [(changed == np.rot90(image, k)).all(axis=(1, 2, 3)).mean() for k in range(4)]
    assert np.allclose(shares, [0, 0.25, 0.5, 0.25], atol=0.03) and sum(shares) == 1
