"""Entry points of the encoders."""

from pathlib import Path

import pytest

from benchmark.task.encoders import resolve_encoder
from benchmark.task.file import EncoderSpec
from rebeca.errors import SpecError


def resolved(use, **rest):
    return resolve_encoder(EncoderSpec.model_validate({"use": use, **rest}), Path())


@pytest.mark.parametrize(
    ("use", "rest", "message"),
    [
        ("efficientnet-lite9", {}, "did you mean"),
        ("pca:3", {}, "needs an encoder below it"),
        ("pca", {"of": {"use": "fourier"}}, "dims"),
        ("fourier:8", {"of": {"use": "fourier"}}, "takes no encoder below it"),
        ("efficientnet-lite0:3", {}, "takes nothing after a colon"),
        ("fourier:8", {"params": {"size": 4}}, "already given after the colon"),
        ("published:vit-x", {}, "'vit-h', 'vit-g' or 'vit-l'"),
        ("fourier:x", {}, "size: .*valid integer.*found 'x'"),
        ("fourier:0", {}, "size: .*greater than or equal to 1"),
        ("fourier:8", {"params": {"a": 1}}, "no parameter 'a'"),
        ("open_clip:ViT-L-14/openai", {}, "wrong activation"),
        ("open_clip:ViT-B-32", {}, "names no weights"),
    ],
)
def test_mistakes_are_named(use, rest, message):
    with pytest.raises(SpecError, match=message):
        resolved(use, **rest)
