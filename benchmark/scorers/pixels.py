"""What scorers of pixels share: every different picture once, in batches, and one answer for everybody."""

from __future__ import annotations

import abc

import numpy as np

from rebeca.arrays import Floats, Ints, Pixels
from rebeca.interfaces import ScoredImages, Scorer


class PixelScorer(Scorer):
    """A score that depends on the picture alone.

    Attributes:
        batch: Pictures at once.
    """

    batch: int = 64

    @abc.abstractmethod
    def score_pixels(self, pictures: list[Pixels]) -> Floats:
        """Float [n]; one number a picture."""

    def score(self, pictures: ScoredImages, users: Ints) -> Floats:
        """float64 [n]; the person plays no part."""
        first, position = np.unique(pictures.unique, return_inverse=True)
        out = np.full(len(first), np.nan)
        for start in range(0, len(first), self.batch):
            rows = first[start : start + self.batch]
            out[start : start + len(rows)] = self.score_pixels([pictures.pixels_of(int(i)) for i in rows])
        return np.asarray(out[position])
