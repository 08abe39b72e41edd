"""Encoders by name from Python: as a task would build them."""

import re

import numpy as np
import pytest

from rebeca.encoders import make_encoder
from rebeca.errors import RebecaError, SpecError
from rebeca.images import read_images
from tests.builders import encoder, noise_images

IMAGES = noise_images(5, width=60, taller=9)


@pytest.mark.parametrize("name", ["fourier:8", "tinyworld:verifier-encoder", "published:vit-l"])
def test_a_name_gives_the_encoder_of_a_task(name, published):
    expected = encoder(name).encode(IMAGES)
    np.testing.assert_array_equal(make_encoder(name).encode(read_images(IMAGES)), expected)
    assert make_encoder(name).dim == expected.shape[1]


def test_parameters_and_an_encoder_below_are_taken():
    assert make_encoder("fourier", size=4).dim == make_encoder("fourier:4").dim == 36
    pca = make_encoder("pca:2", of=make_encoder("fourier:4"), scale=0.5)
    pca.fit(read_images(IMAGES), range(5), seed=0)
    embeddings = pca.encode(IMAGES)
    assert embeddings.shape == (5, 2)
    np.testing.assert_allclose(embeddings.std(axis=0), 0.5, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "params", "message", "hint"),
    [
        ("furier:8", {}, "no encoder is called 'furier'", "did you mean 'fourier'"),
        ("", {}, "no encoder is called ''", "allowed: .*published"),
        ("published:vit-x", {}, r"encoder 'published:vit-x'\.name: .*found 'vit-x'", ""),
        ("fourier:8", {"size": 4}, r"params\.size is already given after the colon", ""),
        ("fourier:8", {"sise": 4}, "no parameter 'sise'", "did you mean 'size'"),
        ("efficientnet-lite0:3", {}, "takes nothing after a colon, found '3'", ""),
        ("fourier:0", {}, r"fourier:0'\.size: .*greater than or equal to 1", ""),
        ("pca:2", {}, "encoder 'pca:2' needs an encoder below it", r"of=make_encoder\(\.\.\.\)"),
        ("open_clip:ViT-B-32", {}, "names no weights", "open_clip:<model>/<pretrained>"),
    ],
)
def test_what_cannot_be_built_is_one_message(name, params, message, hint):
    with pytest.raises(SpecError, match=message) as error:
        make_encoder(name, **params)
    assert re.search(hint, error.value.hint)


def test_an_encoder_that_takes_none_below_and_a_device_that_is_missing_are_refused():
    with pytest.raises(SpecError, match="'fourier:8' takes no encoder below it"):
        make_encoder("fourier:8", of=make_encoder("fourier:4"))
    with pytest.raises(SpecError, match="device: quantum cannot be used"):
        make_encoder("tinyworld:prior-encoder", "quantum")


def test_missing_weights_are_named_with_the_command_that_fetches_them(tmp_path, monkeypatch):
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path))
    vit = make_encoder("published:vit-h")  # weights are read when they are needed
    with pytest.raises(RebecaError, match=r"published:vit-h") as error:
        vit.encode(IMAGES)
    assert "rebeca-bench weights fetch vit-h" in str(error.value)


@pytest.mark.parametrize(("name", "message"), [(None, "no encoder is called 'None'"), (3, "no encoder is called '3'")])
def test_what_is_no_name_is_refused(name, message):
    with pytest.raises(SpecError, match=message):
        make_encoder(name)
