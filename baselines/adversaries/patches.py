"""Random patches of items as filters: the features of a judge that nobody can know in advance, with other seeds.

Patches of training items are whitened, and some of them become the filters of one convolution; what exceeds a threshold
in either direction is averaged over a grid of places. After Coates and Ng 2012, Learning feature representations with
K-means, section 4; here the patches are drawn and not clustered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from rebeca.arrays import Floats, Pixels
from rebeca.encoders.gradients import resized

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 64
"""Images are resized to squares of this side, pixels."""
PATCH, STRIDE, GRID = 6, 2, 4
DRAWN = 20_000
"""Patches whose covariance whitens."""
FLOOR = 0.02
"""Added to the variances of patches, of pixels from -1 to 1, so that noise is not blown up."""
THRESHOLD = 0.5
BATCH = 64


@dataclass(frozen=True, slots=True, eq=False)
class PatchFilters:
    """Filters of one convolution.

    Attributes:
        kernels: float32 [count, 3, 6, 6].
        offsets: float32 [count].
    """

    kernels: Floats
    offsets: Floats

    @classmethod
    def draw(cls, pixels: Pixels, seed: int, count: int = 256) -> Self:
        """Draws filters.

        Args:
            pixels: uint8 [n, 64, 64, 3]; training items.
            seed: Of the draw.
            count: Number of filters.
        """
        rng = np.random.default_rng(seed)
        which = rng.integers(len(pixels), size=DRAWN)
        places = rng.integers(SIDE - PATCH + 1, size=(DRAWN, 2))
        patches = np.stack(
            [pixels[i, y : y + PATCH, x : x + PATCH].ravel() for i, (y, x) in zip(which, places, strict=True)]
        )
        signed = patches / 127.5 - 1
        mean = signed.mean(axis=0)
        variances, directions = np.linalg.eigh(np.cov(signed.T))
        whitening = directions / np.sqrt(variances + FLOOR) @ directions.T
        filters = (signed[rng.choice(DRAWN, count, replace=False)] - mean) @ whitening
        filters /= np.linalg.norm(filters, axis=1, keepdims=True)
        kernels = (filters @ whitening).reshape(count, PATCH, PATCH, 3).transpose(0, 3, 1, 2)
        return cls(np.ascontiguousarray(kernels, np.float32), (-filters @ whitening @ mean).astype(np.float32))

    def features(self, images: Tensor) -> Tensor:
        """float32 [n, 2 x count x 16] of float32 [n, 3, height, width] from 0 to 1, with gradients."""
        import torch
        from torch.nn.functional import adaptive_avg_pool2d, conv2d, relu

        signed = resized(images, SIDE, SIDE) * 2 - 1
        answers = conv2d(signed, torch.from_numpy(self.kernels), torch.from_numpy(self.offsets), stride=STRIDE)
        both = torch.cat([relu(answers - THRESHOLD), relu(-answers - THRESHOLD)], 1)
        out: Tensor = adaptive_avg_pool2d(both, GRID).flatten(1)
        return out

    def features_of(self, pixels: Pixels) -> Floats:
        """float32 [n, 2 x count x 16] of uint8 [n, height, width, 3]."""
        import torch

        with torch.inference_mode():
            parts = [
                self.features(torch.from_numpy(pixels[start : start + BATCH]).permute(0, 3, 1, 2).float() / 255)
                for start in range(0, len(pixels), BATCH)
            ]
        return torch.cat(parts).numpy()
