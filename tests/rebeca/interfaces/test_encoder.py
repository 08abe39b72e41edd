"""What an encoder is given, and what it answers where it says nothing of its own."""

import numpy as np
import pytest

from rebeca.errors import PluginError
from rebeca.interfaces import Encoder, EncoderContext, NoParams


class Mean(Encoder):
    """The mean of the pixels."""

    dim = 1

    def encode(self, images, items=None):
        return np.array([[image.mean()] for image in images], np.float32)


class Doubled(Encoder):
    """Twice what the encoder below it says."""

    TAKES_ENCODER = True

    @property
    def dim(self):
        return self.context.below.dim

    def encode(self, images, items=None):
        return 2 * self.context.below.encode(images, items)


IMAGES = [np.full((2, 3, 3), level, np.uint8) for level in (10, 30)]


def test_an_encoder_stands_on_the_one_that_the_task_names():
    base = Mean(NoParams(), EncoderContext())
    encoder = Doubled(NoParams(), EncoderContext(base=base))
    assert encoder.context.below is base and encoder.dim == 1
    assert encoder.encode(IMAGES).tolist() == [[20], [60]]


def test_an_encoder_without_one_below_says_what_its_class_must_declare():
    with pytest.raises(PluginError, match="does not set TAKES_ENCODER = True"):
        Doubled(NoParams(), EncoderContext()).encode(IMAGES)


def test_an_encoder_learns_nothing_unless_it_says_so():
    encoder = Mean(NoParams(), EncoderContext())
    before = encoder.encode(IMAGES)
    assert Mean.learns(NoParams()) is False
    assert encoder.fit(IMAGES, [0, 1], seed=1) is None
    np.testing.assert_array_equal(encoder.encode(IMAGES), before)


def test_no_text_stands_behind_the_colon_and_no_encoder_below_by_default():
    assert Encoder.ARGUMENT is None and Encoder.TAKES_ENCODER is False
    assert EncoderContext() == EncoderContext("cpu", None)
