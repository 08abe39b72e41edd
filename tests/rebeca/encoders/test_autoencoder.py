"""The autoencoder that a task trains."""

from pathlib import Path

import numpy as np

from benchmark.runner.plugins import build_encoder
from benchmark.task.encoders import resolve_encoder
from benchmark.task.file import EncoderSpec

PICTURES = [np.random.default_rng(i).integers(0, 255, (40, 40, 3)).astype(np.uint8) for i in range(12)]


def encoder(use, **rest):
    return build_encoder(resolve_encoder(EncoderSpec.model_validate({"use": use, **rest}), Path()), "cpu")


def test_autoencoder_learns_and_repeats():
    made = []
    for _ in range(2):
        ae = encoder("autoencoder:4", params={"epochs": 2, "batch": 4})
        ae.fit(PICTURES, list(range(12)), 5)
        made.append(ae.encode(PICTURES))
    assert made[0].shape == (12, 4)
    np.testing.assert_array_equal(*made)
