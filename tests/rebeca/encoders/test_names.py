"""Entry points of the encoders."""

from pathlib import Path

import pytest

from benchmark.runner.world import make_encoder
from benchmark.task.file import EncoderSpec
from rebeca.errors import SpecError


def encoder(use, **rest):
    return make_encoder(EncoderSpec.model_validate({"use": use, **rest}), "cpu", Path())


@pytest.mark.parametrize(
    ("use", "rest", "message"),
    [
        ("efficientnet-lite9", {}, "did you mean"),
        ("pca:3", {}, "needs a size and an encoder"),
        ("fourier:x", {}, "positive whole number"),
        ("fourier:8", {"params": {"a": 1}}, "no parameter 'a'"),
        ("open_clip:ViT-L-14/openai", {}, "wrong activation"),
        ("open_clip:ViT-B-32", {}, "names no weights"),
    ],
)
def test_mistakes_are_named(use, rest, message):
    with pytest.raises(SpecError, match=message):
        encoder(use, **rest)
