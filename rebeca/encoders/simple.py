"""Encoders without weights: Fourier amplitudes and principal components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from rebeca.arrays import Floats, Pixels
from rebeca.errors import PluginError, SpecError
from rebeca.interfaces import Encoder, EncoderContext
from rebeca.params import Count, Positive
from rebeca.space import LinearSpace


@dataclass(frozen=True, slots=True)
class FourierParams:
    """Parameters of a task file.

    Attributes:
        size: Side in pixels to which images are brought; given after the colon.
    """

    size: Count = 32


class Fourier(Encoder[FourierParams]):
    """``fourier:<size>``: log amplitude of the two-dimensional Fourier transform of each colour channel.

    The amplitude does not change when a shape moves, so shape and colour remain; half of the spectrum is kept because
    images are real.
    """

    Params = FourierParams
    ARGUMENT = "size"

    @property
    def dim(self) -> int:
        return 3 * self.params.size * (self.params.size // 2 + 1)

    def encode(self, images: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        out = np.empty((len(images), self.dim), np.float32)
        size = self.params.size
        for row, image in enumerate(images):
            small = Image.fromarray(image).resize((size, size), Image.Resampling.BOX)
            channels = np.asarray(small, np.float64).transpose(2, 0, 1) / 255
            out[row] = np.log1p(np.abs(np.fft.rfft2(channels))).reshape(-1)
        return out


@dataclass(frozen=True, slots=True)
class PCAParams:
    """Parameters of a task file.

    Attributes:
        dims: Directions that are kept; given after the colon.
        scale: Standard deviation of a direction.
    """

    dims: Count
    scale: Positive = 1.0


class PCA(Encoder[PCAParams]):
    """``pca:<dims>`` over another encoder: leading directions of the training images, of one standard deviation each.

    Where the images span fewer than ``dims`` directions, fewer are kept.
    """

    Params = PCAParams
    ARGUMENT = "dims"
    TAKES_ENCODER = True

    def __init__(self, params: PCAParams, context: EncoderContext) -> None:
        super().__init__(params, context)
        self._base = context.below
        self._space = LinearSpace("pca", params.dims, params.scale)

    @property
    def dim(self) -> int:
        return len(self._space.arrays["deviation"]) if self._space.arrays else self.params.dims

    @classmethod
    def learns(cls, params: PCAParams) -> bool:
        return True

    def fit(self, images: Sequence[Pixels], items: Sequence[int], seed: int) -> None:
        """Fits the directions.

        Raises:
            SpecError: If the encoder below has fewer than ``dims`` dimensions.
        """
        embeddings = self._base.encode(images, list(items))
        if self.params.dims > embeddings.shape[1]:
            raise SpecError(
                f"encoder 'pca:{self.params.dims}': {embeddings.shape[1]} dimensions have no {self.params.dims}"
                " directions"
            )
        self._space.fit(embeddings)

    def encode(self, images: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        if not self._space.arrays:
            raise PluginError("it was asked to encode before it was fitted")
        return self._space.forward(self._base.encode(images, items))
