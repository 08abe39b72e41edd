"""Encoders without weights."""

from pathlib import Path

import numpy as np
import pytest

from benchmark.runner.plugins import build_encoder
from benchmark.task.encoders import resolve_encoder
from benchmark.task.file import EncoderSpec
from rebeca.errors import PluginError

PICTURES = [np.random.default_rng(i).integers(0, 255, (40, 40, 3)).astype(np.uint8) for i in range(12)]


def encoder(use, **rest):
    return build_encoder(resolve_encoder(EncoderSpec.model_validate({"use": use, **rest}), Path()), "cpu")


def test_fourier_amplitude_does_not_see_where_a_shape_is():
    one = np.zeros((32, 32, 3), np.uint8)
    one[4:10, 6:12] = 255
    a, b = encoder("fourier:32").encode([one, np.roll(one, (7, 9), (0, 1))])
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_pca_learns_unit_variance_and_refuses_before():
    pca = encoder("pca:3", of={"use": "fourier:8"})
    with pytest.raises(PluginError, match="before it was fitted"):
        pca.encode(PICTURES)
    pca.fit(PICTURES, list(range(12)), 0)
    np.testing.assert_allclose(pca.encode(PICTURES).std(axis=0), 1, rtol=1e-3)
