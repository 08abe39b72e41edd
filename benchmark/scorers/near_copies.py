"""Near-copies as a scorer of a task; the model is in :mod:`rebeca.scorers.copies`."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from benchmark.scorers.shared import FixedScorer
from rebeca.arrays import Bools, Floats, Ints, Pixels
from rebeca.images import LazyPixels
from rebeca.interfaces import NoParams, ScoredImages, ScorerCard
from rebeca.pixels import centre_square
from rebeca.scorers.copies import CopyIndex


class NearCopiesScorer(FixedScorer):
    """``near-copies``: whether an image is an altered copy of any item, rated by the user or not, held out or not.

    Where an image is no square, its centre is looked at as well, since some judges look there only. An image that
    declares its item is retrieval, and no copy, unless the generator knew the user's rating of it, from training or
    validation: showing users what they are known to like is no recommendation.
    """

    NEEDS = frozenset({"training", "validation"})
    CARD = ScorerCard(
        "Near-copies", "share", False,
        "Share of images that are altered copies of an item, or items whose ratings by the user were known; up to 1 %"
        " of honest images count by chance.",
        role="copies",
    )  # fmt: skip

    @classmethod
    def fingerprint(cls, params: NoParams) -> str:
        """Changes when other items are looked at, or in another way."""
        return "all items, centres, known ratings"

    @cached_property
    def _index(self) -> CopyIndex:
        """Of all items, with limits that come from training items."""
        catalogue, training = self.context.catalogue, self.context.training_items
        index = CopyIndex(LazyPixels(catalogue.pixels, np.flatnonzero(training).tolist()))
        return index if training.all() else CopyIndex(LazyPixels(catalogue.pixels, range(len(catalogue))), like=index)

    def score(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [n]; 1 or 0, whoever is asked."""
        copies = (self._known(users, images.item) & (images.item >= 0)).astype(np.float64)
        new = np.flatnonzero(images.item < 0)
        first, position = np.unique(images.unique[new], return_inverse=True)
        copies[new] = self._copied(images, first)[position]
        return copies

    def _known(self, users: Ints, items: Ints) -> Bools:
        """By image, bool [n]: whether the generator was given the user's rating of the item."""
        count = len(self.context.catalogue)
        given = (self.context.training, self.context.validation)
        known = np.concatenate([each.user.astype(np.int64) * count + each.item for each in given])
        return np.isin(users * count + items, known)

    def _copied(self, images: ScoredImages, chosen: Ints) -> Bools:
        """By chosen image, bool [n]: whether the whole of it or its centre copies an item."""
        long: list[int] = []

        def whole(place: int) -> Pixels:
            image = images.pixels_of(int(chosen[place]))
            if image.shape[0] != image.shape[1]:
                long.append(place)
            return image

        def centre(place: int) -> Pixels:
            return centre_square(images.pixels_of(int(chosen[place])))

        copied = self._index.near_copies(LazyPixels(whole, range(len(chosen))))
        copied[long] |= self._index.near_copies(LazyPixels(centre, long))
        return copied

    def worst(self, users: Ints) -> Floats:
        """float64 [users]; 1, that of a copy."""
        return np.ones(len(users))
