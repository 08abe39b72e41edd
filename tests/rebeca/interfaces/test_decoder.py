"""What a decoder is given, and what it answers where it says nothing of its own."""

import numpy as np
import pytest

from rebeca.errors import PluginError
from rebeca.interfaces import Decoder, DecoderContext, GeneratedImage, NoParams, Request
from rebeca.space import LinearSpace


class Grey(Decoder):
    """A grey image per point, as bright as the point's first number in the encoder's space."""

    def decode(self, points, requests):
        for vector in self.context.space.inverse(points):
            yield GeneratedImage(np.full((1, 1, 3), vector[0], np.uint8), vector)


def grey(space):
    return Grey(NoParams(), DecoderContext.alone(space))


def test_a_decoder_alone_works_in_its_space_and_sees_no_items():
    space = LinearSpace("pca", 1, 2.0).fit(np.array([[0.0], [40.0]]))
    decoder = grey(space)
    images = list(decoder.decode(np.array([[-2.0], [0.0], [2.0]]), [Request("a", k, k) for k in range(3)]))
    assert [image.pixels[0, 0, 0] for image in images] == [0, 20, 40]
    context = decoder.context
    assert context.space is space and context.device == "cpu"
    assert len(context.catalogue) == 0 and context.embeddings.shape == (0, 0)
    assert context.candidates.user_ids == () and context.candidates.of_block.shape == (1, 0)


def test_the_device_of_a_decoder_alone_can_be_named():
    assert DecoderContext.alone(LinearSpace(), "cuda:1").device == "cuda:1"


def test_a_decoder_without_text_refuses_prompts_by_name():
    with pytest.raises(PluginError, match="the decoder Grey reads no text") as error:
        grey(LinearSpace()).decode_prompts(["a cat"], [""], [Request("a", 0, 1)])
    assert "stable-diffusion-ip-adapter" in error.value.hint


def test_a_decoder_may_repeat_itself_and_has_no_batch():
    decoder = grey(LinearSpace())
    assert decoder.repeats is True
    assert decoder.rehearse() is None and decoder.rehearse(8) is None
