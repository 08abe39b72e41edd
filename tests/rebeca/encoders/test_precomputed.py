"""Embeddings that were computed elsewhere."""

from pathlib import Path

import numpy as np
import pytest

from benchmark.runner.plugins import build_encoder
from benchmark.task.encoders import resolve_encoder
from benchmark.task.file import EncoderSpec
from rebeca.errors import DataError

PICTURES = [np.random.default_rng(i).integers(0, 255, (40, 40, 3)).astype(np.uint8) for i in range(12)]


def encoder(use, **rest):
    return build_encoder(resolve_encoder(EncoderSpec.model_validate({"use": use, **rest}), Path()), "cpu")


def test_precomputed(tmp_path):
    table = np.random.default_rng(0).normal(size=(12, 5))
    np.save(tmp_path / "e.npy", table)
    known = encoder(f"precomputed:{tmp_path / 'e.npy'}")
    np.testing.assert_allclose(known.encode(PICTURES[:2], [3, 1]), table[[3, 1]].astype(np.float32))
    with pytest.raises(DataError, match="catalogue pictures only"):
        known.encode(PICTURES[:1], [None])
    table[4, 0] = np.nan
    np.save(tmp_path / "e.npy", table)
    with pytest.raises(DataError, match="row 4"):
        encoder(f"precomputed:{tmp_path / 'e.npy'}").encode(PICTURES[:1], [0])
