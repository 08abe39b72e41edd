"""Near-copies as a scorer of a task; the model is in :mod:`rebeca.scorers.copies`."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from benchmark.scorers.shared import FixedScorer
from rebeca.arrays import Floats, Ints
from rebeca.images import LazyPixels
from rebeca.interfaces import NoParams, ScoredImages, ScorerCard
from rebeca.scorers.copies import CopyIndex


class NearCopiesScorer(FixedScorer):
    """``near-copies``: whether an image is an altered copy of any item, rated by the user or not, held out or not.

    An image that declares its item is retrieval, and no copy, unless the user had rated that item in training: showing
    users what they are known to like is no recommendation.
    """

    NEEDS = frozenset({"training"})
    CARD = ScorerCard(
        "Near-copies", "share", False,
        "Share of images that are altered copies of an item, or items that the user had rated; up to 1 % of"
        " honest images count by chance.",
        role="copies",
    )  # fmt: skip

    @classmethod
    def fingerprint(cls, params: NoParams) -> str:
        """Changes when other items are looked at, or in another way."""
        return "all items"

    @cached_property
    def _index(self) -> CopyIndex:
        """Of all items, with limits that come from training items."""
        catalogue, training = self.context.catalogue, self.context.training_items
        index = CopyIndex(LazyPixels(catalogue.pixels, np.flatnonzero(training).tolist()))
        return index if training.all() else CopyIndex(LazyPixels(catalogue.pixels, range(len(catalogue))), like=index)

    def score(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [n]; 1 or 0, whoever is asked."""
        rated, items = self.context.training, len(self.context.catalogue)
        known = np.unique(rated.user.astype(np.int64) * items + rated.item)
        copies = np.isin(users * items + images.item, known).astype(np.float64) * (images.item >= 0)
        new = np.flatnonzero(images.item < 0)
        first, position = np.unique(images.unique[new], return_inverse=True)
        copies[new] = self._index.near_copies(LazyPixels(images.pixels_of, first.tolist()))[position]
        return copies

    def worst(self, users: Ints) -> Floats:
        """float64 [users]; 1, that of a copy."""
        return np.ones(len(users))
