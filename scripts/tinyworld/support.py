"""Part ``support``: how detail and rows of postcards vary, and the squared distance that almost no postcard exceeds."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rebeca.seeds import seed_of
from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import MODELS_SEED, draw_scenes
from rebeca.tinyworld.support import packed, squared_distances, statistics
from scripts.tinyworld.treated import treated_honestly

STREAM, POSTCARDS = "support", 30_000
FITTED = 20_000
"""Postcards that mean and precision are fitted to, most of them treated as people treat images; the limit is set on the
others, which are clean."""
QUANTILE = 0.9995
RIDGE = 1e-3
"""Added to every variance, which are of the order of one."""


def run() -> tuple[dict[str, Tensor], dict[str, float]]:
    """Tensors ``mean``, ``whitening`` (half precision, packed) and ``limit`` for these; what the card says."""
    images = render(draw_scenes(POSTCARDS, MODELS_SEED, STREAM))
    rng = np.random.default_rng(seed_of("tinyworld", STREAM, "treated"))
    values = statistics(treated_honestly(images[:FITTED], rng))
    mean = values.mean(axis=0).astype(np.float32)
    precision = np.linalg.inv(np.cov(values.T) + RIDGE * np.eye(values.shape[1]))
    whitening = np.linalg.cholesky(precision).astype(np.float16)
    squares = squared_distances(statistics(images[FITTED:]), mean, whitening.astype(np.float64))
    limit = np.quantile(squares, QUANTILE, keepdims=True).astype(np.float32)
    tensors = {"mean": mean, "whitening": packed(whitening), "limit": limit}
    about = {"postcards": POSTCARDS, "fitted": FITTED, "quantile": QUANTILE, "limit": round(float(limit[0]), 2)}
    return {name: torch.from_numpy(value).contiguous() for name, value in tensors.items()}, about
