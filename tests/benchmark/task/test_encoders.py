"""Encoders as tasks name them."""

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from benchmark.task.declared import space
from benchmark.task.encoders import named_encoder, resolve_encoder
from benchmark.task.file import EncoderSpec
from benchmark.task.registry import plugin_class
from benchmark.task.resolve import load_task
from rebeca.errors import SpecError
from tests.conftest import TINY


def resolved(use, base=Path(), **rest):
    return resolve_encoder(EncoderSpec.model_validate({"use": use, **rest}), base)


def test_the_argument_after_the_colon_is_a_parameter():
    short, long = resolved("fourier:6"), resolved("fourier", params={"size": 6})
    assert short.params == long.params and short.params.size == 6
    assert (short.text, short.use, long.text) == ("fourier:6", "fourier", "fourier")
    assert short.address() == long.address()  # however it is written
    assert named_encoder("fourier:6", Path()) == short


def test_encoders_stand_on_encoders():
    encoder = resolved("pca:2", of={"use": "fourier:6"})
    assert [encoder.use, encoder.of.use, encoder.of.of] == ["pca", "fourier", None]
    assert (encoder.params.dims, encoder.of.params.size) == (2, 6)
    address = encoder.address()
    assert address["of"] == encoder.of.address() and address["of"]["of"] is None


def test_what_lies_below_changes_the_address():
    small, large = (resolved("pca:2", of={"use": f"fourier:{size}"}) for size in (6, 8))
    assert small.params == large.params and small.address() != large.address()


def test_one_that_learns_below_is_enough():
    fixed, learned = resolved("fourier:6"), resolved("pca:2", of={"use": "fourier:6"})
    assert (fixed.learns, learned.learns) == (False, True)
    assert replace(fixed, of=learned).learns
    assert not replace(fixed, of=fixed).learns


@pytest.mark.parametrize(
    ("use", "rest", "message", "hint"),
    [
        ("fuorier:6", {}, "no encoder is called 'fuorier'", "did you mean 'fourier'"),
        ("efficientnet-lite0:3", {}, "encoder 'efficientnet-lite0' takes nothing after a colon, found '3'", ""),
        ("fourier:6", {"params": {"size": 6}}, "params.size is already given after the colon", ""),
        ("pca:3", {}, "encoder 'pca:3' needs an encoder below it", "write encoder: {use: 'pca:3', of: ...}"),
        (
            "pca:2",
            {"of": {"use": "pca:3", "of": {"use": "fourier:6"}}},
            "encoder 'pca:2' learns, and so does 'pca:3' below it",
            "let one of the two learn",
        ),
        ("fourier:6", {"of": {"use": "fourier:6"}}, "encoder 'fourier:6' takes no encoder below it", ""),
        ("fourier:x", {}, "encoder 'fourier:x'.size: .*found 'x'", ""),
        ("pca:3", {"of": {"use": "fourier:0"}}, "encoder 'fourier:0'.size: ", ""),
    ],
)
def test_mistakes_name_the_encoder_and_the_remedy(use, rest, message, hint):
    with pytest.raises(SpecError, match=message) as raised:
        resolved(use, **rest)
    assert hint in raised.value.hint


def test_files_lie_beside_the_task(tmp_path):
    encoder = resolved("precomputed:vectors.npy", base=tmp_path)
    values = [getattr(encoder.params, field.name) for field in fields(encoder.params)]
    assert str(tmp_path / "vectors.npy") in values
    assert str(tmp_path) not in encoder.text


@pytest.mark.parametrize(
    ("encoder", "given"),
    [
        ('"precomputed:vectors.npy"', "precomputed:vectors.npy"),
        (
            '{use: "precomputed:vectors.npy", params: {space: "tinyworld:verifier-encoder"}}',
            "tinyworld:verifier-encoder",
        ),
        ('"tinyworld:verifier-encoder"', "tinyworld:verifier-encoder"),  # as long as the one that the adapter takes
        ('"fourier:32"', "fourier:32"),
    ],
)
def test_embeddings_of_another_encoder_are_refused_with_both_names(tiny, encoder, given):
    """The right length is not enough: vectors of another space would be decoded without a word."""
    tiny.write_text(painted(encoder))
    message = (
        f"the task's encoder gives embeddings of '{given}', and the decoder of generator 'rebeca' takes those of"
        " 'tinyworld:prior-encoder'"
    )
    with pytest.raises(SpecError, match=re.escape(message)) as raised:
        load_task(tiny)
    assert "params: {space: 'tinyworld:prior-encoder'}" in raised.value.hint


@pytest.mark.parametrize(
    "encoder",
    [
        '"tinyworld:prior-encoder"',
        "{use: tinyworld, params: {name: prior-encoder}}",
        '{use: "precomputed:vectors.npy", params: {space: "tinyworld:prior-encoder"}}',
    ],
)
def test_the_encoder_of_the_adapter_and_a_file_that_it_computed_are_taken(tiny, encoder):
    tiny.write_text(painted(encoder))
    assert load_task(tiny).encoder.space == "tinyworld:prior-encoder"


def test_known_adapters_take_the_space_that_they_were_trained_in():
    params = plugin_class("decoder", "stable-diffusion-ip-adapter").Params
    published = params(adapter="published:ip-adapter-sd15", model="published:sd15")
    assert space("decoder", "stable-diffusion-ip-adapter", published) == "published:vit-h"
    assert space("decoder", "stable-diffusion-ip-adapter", params(adapter="a/folder")) == ""
    assert resolved("open_clip:ViT-H-14/laion2b_s32b_b79k").space == "published:vit-h"


def painted(encoder):
    """The tiny task with another encoder, and with the decoder of tinyworld."""
    text = TINY.replace('encoder: {use: "pca:4", of: "fourier:8"}', f"encoder: {encoder}")
    return re.sub(r"decoder: .*", "decoder: {use: stable-diffusion-ip-adapter}", text)
