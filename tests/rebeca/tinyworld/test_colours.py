"""Eight statistics of light and colour."""

from __future__ import annotations

import numpy as np

from rebeca.tinyworld.colours import COLOURS, colours, raw_colours
from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import draw_scenes


def test_colours_are_standardised_over_postcards():
    values = colours(render(draw_scenes(1500, 11, "other")))
    assert values.shape == (1500, len(COLOURS))
    assert np.abs(values.mean(axis=0)).max() < 0.12
    assert np.abs(values.std(axis=0) - 1).max() < 0.12


def test_colours_of_plain_images():
    red, half = np.zeros((2, 8, 8, 3), np.uint8)
    red[..., 0] = 255
    half[:4] = 255
    values = dict(zip(COLOURS, raw_colours(np.stack([red, half])).T, strict=True))
    assert np.allclose(values["brightness"], [0.299, 0.5])
    assert np.allclose(values["warmth"], [1.0, 0.0])
    assert np.allclose(values["saturation"], [1.0, 0.0])
    assert np.allclose(values["vertical gradient"], [0.0, 1.0])
    assert np.allclose(values["contrast"], [0.0, 0.5])


def test_no_images_have_no_colours():
    assert colours(np.empty((0, 8, 8, 3), np.uint8)).shape == (0, len(COLOURS))
