"""Linear maps of embeddings."""

import numpy as np
import pytest

from rebeca.space import KINDS, LinearSpace


@pytest.mark.parametrize("kind", KINDS)
def test_spaces_go_there_and_back(kind):
    x = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32) * np.arange(1, 7)
    space = LinearSpace(kind, 6, 0.3).fit(x)
    y = space.forward(x)
    assert y.shape == (30, 6)
    if kind == "pca":
        np.testing.assert_allclose(y.std(axis=0), 0.3, rtol=1e-3)
    if kind in ("none", "pca"):
        np.testing.assert_allclose(space.inverse(y), x, atol=1e-4)
    if kind == "l2":
        np.testing.assert_allclose(np.linalg.norm(y, axis=1), np.sqrt(6), rtol=1e-5)
