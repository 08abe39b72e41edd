"""An encoder: how often each colour occurs in an image.

What to change: the parameters, ``dim`` (how many numbers an embedding has) and
``encode`` (how they are computed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rebeca import Encoder
from rebeca.arrays import Floats, Pixels
from rebeca.params import Count


@dataclass(frozen=True)
class MyPluginParams:
    """What a task file can set under ``params``.

    Attributes:
        bins: Levels that are told apart per channel, 1 to 256.
    """

    bins: Count = 4

    def __post_init__(self) -> None:
        if self.bins > 256:
            raise ValueError("bins must be at most 256, the levels of a channel")


class MyPlugin(Encoder[MyPluginParams]):
    """How often each colour occurs; the distance of two embeddings is Hellinger's."""

    Params = MyPluginParams
    ARGUMENT = "bins"  # so that a task may write "my-plugin:4"

    @property
    def dim(self) -> int:
        return self.params.bins**3

    def encode(
        self, images: Sequence[Pixels], items: Sequence[int | None] | None = None
    ) -> Floats:
        out = np.empty((len(images), self.dim), np.float32)
        for row, image in enumerate(images):  # images may differ in size
            out[row] = np.sqrt(colour_shares(image, self.params.bins))
        return out


def colour_shares(image: Pixels, bins: int) -> Floats:
    """The share of pixels in each cell of a grid of colours, float64 [bins ** 3].

    Args:
        image: uint8 RGB [height, width, 3].
        bins: Cells per channel.
    """
    cells = image.reshape(-1, 3).astype(np.int64) * bins // 256
    codes = cells @ np.array([bins * bins, bins, 1])
    return np.bincount(codes, minlength=bins**3) / len(codes)
