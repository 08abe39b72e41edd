"""Encoders without weights."""

import numpy as np
import pytest

from rebeca.errors import PluginError
from tests.builders import encoder, noise_images

IMAGES = noise_images()


def test_fourier_amplitude_does_not_see_where_a_shape_is():
    square = np.zeros((32, 32, 3), np.uint8)
    square[4:10, 6:12] = 255
    a, b = encoder("fourier:32").encode([square, np.roll(square, (7, 9), (0, 1))])
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_pca_learns_unit_variance_and_refuses_before():
    pca = encoder("pca:3", of={"use": "fourier:8"})
    with pytest.raises(PluginError, match="before it was fitted"):
        pca.encode(IMAGES)
    pca.fit(IMAGES, list(range(12)), 0)
    np.testing.assert_allclose(pca.encode(IMAGES).std(axis=0), 1, rtol=1e-3)
