"""What scorers of pixels share: every different image once, in batches, and one answer for everybody."""

from __future__ import annotations

import abc
from typing import TypeVar

import numpy as np

from rebeca.arrays import Floats, Ints, Pixels
from rebeca.interfaces import ScoredImages, Scorer

P = TypeVar("P")


class PixelScorer(Scorer[P]):
    """A score that depends on the image alone."""

    @property
    def batch(self) -> int:
        """Images per batch."""
        return 64

    @abc.abstractmethod
    def score_pixels(self, images: list[Pixels]) -> Floats:
        """Float [n]; one number per image."""

    def score(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [n]; the user plays no part."""
        first, position = np.unique(images.unique, return_inverse=True)
        out = np.full(len(first), np.nan)
        for start in range(0, len(first), self.batch):
            rows = first[start : start + self.batch]
            out[start : start + len(rows)] = self.score_pixels([images.pixels_of(int(i)) for i in rows])
        return np.asarray(out[position])
