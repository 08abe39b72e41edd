"""Users' held-out ratings, and the ground truth of synthetic worlds."""

from __future__ import annotations

import numpy as np

from benchmark.scorers.shared import EveryoneScorer, FixedScorer, PixelScorer
from rebeca.arrays import Floats, Ints, Pixels
from rebeca.data.interactions import Interactions
from rebeca.interfaces import NoParams, ScoredImages, ScorerCard, ScorerContext
from rebeca.ties import TIE, size_of


class ObservedScorer(FixedScorer):
    """``observed``: the user's own held-out rating of an item.

    Where all users of a block rated all of its items, every user can be asked about every image, and personal lift is
    measured in real ratings. Equal items are one image, and a user's rating of it is the mean of them.
    """

    NEEDS = frozenset({"held-out", "training"})
    CARD = ScorerCard(
        "Observed rating", "rating", True,
        "The rating that this very user gave to this item; no model had seen it.",
        role="observed", is_ground_truth=True,
    )  # fmt: skip

    def __init__(self, params: NoParams, context: ScorerContext) -> None:
        super().__init__(params, context)
        test = context.held_out
        self._ratings = ratings_of_images(test, context.catalogue.originals())
        self._lowest = _lowest_ratings(context.training, context.scale[0])
        items = np.unique(test.item)
        same_block = context.block_of_user[:, None] == context.catalogue.block[items][None, :]
        self.judges_everyone = bool(np.isfinite(self._ratings[:, items][same_block]).all())

    def score(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [n]; NaN for generated images and for items that the user did not rate."""
        known = images.item >= 0
        return np.where(known, self._ratings[users, np.where(known, images.item, 0)], np.nan)

    def score_all(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [users, n]; NaN across blocks."""
        known = images.item >= 0
        table = self._ratings[np.ix_(users, np.where(known, images.item, 0))]
        table[:, ~known] = np.nan
        return table

    def worst(self, users: Ints) -> Floats:
        """float64 [users]; the user's lowest training rating, or the scale's lowest where a user has none."""
        return np.asarray(self._lowest[users])


def ratings_of_images(held_out: Interactions, originals: Ints) -> Floats:
    """float64 [users, items]; held-out ratings, the mean of equal items in the place of each; NaN without a rating."""
    ratings = held_out.matrix()
    for original in np.flatnonzero(np.bincount(originals) > 1):
        equal = np.flatnonzero(originals == original)
        sums, counts = np.nansum(ratings[:, equal], axis=1), np.isfinite(ratings[:, equal]).sum(axis=1)
        ratings[:, equal] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)[:, None]
    return ratings


def _lowest_ratings(ratings: Interactions, unknown: float) -> Floats:
    """float64 [users]; every user's lowest rating, ``unknown`` for users without one."""
    lowest = np.full(ratings.num_users, np.inf)
    np.minimum.at(lowest, ratings.user, ratings.rating)
    return np.where(np.isinf(lowest), unknown, lowest)


class GroundTruthScorer(EveryoneScorer):
    """``ground-truth``: the utility that a synthetic world knows. It validates and never selects anything.

    NaN for images from outside the catalogue where the world knows the catalogue only.
    """

    NEEDS = frozenset({"ground-truth"})
    CARD = ScorerCard(
        "Ground truth", "the world's own scale", True,
        "What this image is worth to this user, known by construction of the synthetic world.",
        role="ground-truth", is_ground_truth=True,
    )  # fmt: skip

    def __init__(self, params: NoParams, context: ScorerContext) -> None:
        super().__init__(params, context)
        self._ground_truth = context.ground_truth
        self._items = np.arange(len(context.catalogue))

    def score_all(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [users, n]."""
        known = images.item >= 0
        values = self._ground_truth.utility(users[:, None], np.where(known, images.item, 0)[None, :]).astype(np.float64)
        values = np.where(known[None, :], values, np.nan)
        new = np.flatnonzero(~known)
        if self._ground_truth.of_images is not None and len(new):
            first, position = np.unique(images.unique[new], return_inverse=True)
            values[:, new] = self._ground_truth.of_images(images.pixels_of(int(i)) for i in first)[users][:, position]
        return values

    def worst(self, users: Ints) -> Floats:
        """float64 [users]; lowest utility over the catalogue."""
        return np.asarray(self._ground_truth.utility(users[:, None], self._items[None, :]).min(axis=1), np.float64)


class TopUtilityScorer(GroundTruthScorer):
    """``top-utility``: whether no item is better for the user; in sprites, right shape and colour."""

    CARD = ScorerCard(
        "Right images", "share", True,
        "Share of images than which this user has no better one, by the ground truth.", is_ground_truth=True,
    )  # fmt: skip

    def __init__(self, params: NoParams, context: ScorerContext) -> None:
        super().__init__(params, context)
        users = np.arange(len(context.users))
        utility = self._ground_truth.utility(users[:, None], self._items[None, :])
        self._enough = utility.max(axis=1) - TIE * size_of(utility)

    def score_all(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [users, n]; 1 or 0."""
        utility = super().score_all(images, users)
        return np.where(np.isnan(utility), np.nan, utility >= self._enough[users][:, None])

    def worst(self, users: Ints) -> Floats:
        return np.zeros(len(users))


class InWorldScorer(PixelScorer[NoParams], FixedScorer):
    """``in-world``: whether an image could be an item of the synthetic world.

    It knows nobody's taste, so it is no ground truth that could validate a leaderboard.
    """

    NEEDS = frozenset({"support"})
    CARD = ScorerCard(
        "In the world", "share", True, "Share of images that could be items of the synthetic world.", role="support"
    )

    def __init__(self, params: NoParams, context: ScorerContext) -> None:
        super().__init__(params, context)
        self._inside = context.support

    def score_pixels(self, images: list[Pixels]) -> Floats:
        """float64 [n]; 1 or 0."""
        return np.asarray(self._inside(images), np.float64)

    def worst(self, users: Ints) -> Floats:
        return np.zeros(len(users))
