"""Part ``support``: how detail and rows of postcards vary, and the squared distance that almost none exceeds."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import MODELS_SEED, draw_scenes
from rebeca.tinyworld.support import squared_distances, statistics

STREAM, POSTCARDS = "support", 30_000
FITTED = 20_000
"""Postcards that mean and precision are fitted to; the limit is set on the others."""
QUANTILE = 0.999
RIDGE = 1e-3
"""Added to every variance, which are of the order of one."""


def run() -> tuple[dict[str, Tensor], dict[str, float]]:
    """Tensors ``mean``, ``whitening`` (half precision) and ``limit``, which holds for these; what the card says."""
    values = statistics(render(draw_scenes(POSTCARDS, MODELS_SEED, STREAM)))
    mean = values[:FITTED].mean(axis=0).astype(np.float32)
    precision = np.linalg.inv(np.cov(values[:FITTED].T) + RIDGE * np.eye(values.shape[1]))
    whitening = np.linalg.cholesky(precision).astype(np.float16)
    squares = squared_distances(values[FITTED:], mean, whitening.astype(np.float64))
    limit = np.quantile(squares, QUANTILE, keepdims=True).astype(np.float32)
    tensors = {"mean": mean, "whitening": whitening, "limit": limit}
    about = {"postcards": POSTCARDS, "fitted": FITTED, "quantile": QUANTILE, "limit": round(float(limit[0]), 2)}
    return {name: torch.from_numpy(value).contiguous() for name, value in tensors.items()}, about
