"""Encoders without weights: Fourier amplitudes and principal components."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from rebeca.arrays import Floats, Pixels
from rebeca.errors import GeneratorError, SpecError
from rebeca.interfaces import Encoder
from rebeca.space import LinearSpace


class FourierEncoder(Encoder):
    """Log amplitude of the two-dimensional Fourier transform of each colour channel.

    The amplitude does not change when a shape moves, so shape and colour remain; half of the spectrum is kept
    because pictures are real.
    """

    def __init__(self, size: int = 32) -> None:
        self.size = size
        self.name = f"fourier:{size}"
        self.dim = 3 * size * (size // 2 + 1)

    @property
    def fingerprint(self) -> str:
        """Name and version."""
        return f"{self.name}/1"

    def encode(self, pictures: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        """float32 [n, dim]."""
        out = np.empty((len(pictures), self.dim), np.float32)
        for row, picture in enumerate(pictures):
            small = Image.fromarray(picture).resize((self.size, self.size), Image.Resampling.BOX)
            channels = np.asarray(small, np.float64).transpose(2, 0, 1) / 255
            out[row] = np.log1p(np.abs(np.fft.rfft2(channels))).reshape(-1)
        return out


class PCAEncoder(Encoder):
    """``pca:<dim>`` over another encoder: leading directions of the training pictures at unit variance times scale."""

    def __init__(self, dim: int, base: Encoder, scale: float = 1.0) -> None:
        self.base = base
        self.dim = dim
        self.name = f"pca:{dim}({base.name})"
        self.space = LinearSpace("pca", dim, scale)

    @property
    def learns(self) -> bool:
        """PCA learns its directions."""
        return True

    @property
    def fingerprint(self) -> str:
        """Base, size and scale; with the training pictures these decide the directions."""
        return f"{self.name}/1/{self.space.scale:g}/{self.base.fingerprint}"

    def fit(self, pictures: Sequence[Pixels], items: Sequence[int], seed: int) -> None:
        """Fits the directions; where the pictures span fewer than ``dim``, fewer are kept."""
        embeddings = self.base.encode(pictures, list(items))
        if self.dim > embeddings.shape[1]:
            raise SpecError(f"encoder '{self.name}': {embeddings.shape[1]} dimensions have no {self.dim} directions")
        self.space.fit(embeddings)
        self.dim = len(self.space.arrays["deviation"])

    def encode(self, pictures: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        """float32 [n, dim]."""
        if not self.space.arrays:
            raise GeneratorError(f"{self.name} was asked to encode before it was fitted")
        return self.space.forward(self.base.encode(pictures, items))
