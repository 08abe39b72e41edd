"""The confirming judge as a scorer: fitted anew for every generator, after its images are fixed."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from benchmark.scorers.shared import EveryoneScorer
from rebeca.arrays import Floats, Ints
from rebeca.errors import DataError
from rebeca.interfaces import NoParams, ScoredImages, ScorerCard, ScorerContext
from rebeca.scorers.confirming import ConfirmingJudge, seed_of_row, thumbnails


class ConfirmingScorer(EveryoneScorer):
    """``confirming``: expected likes, by a judge whose features are drawn by the digests of the images that it scores.

    Nobody can know it before the images are fixed. It learns from the auditor's ratings. Each user's answers are moved
    so that training items have the same mean as by the verifier: a verifier that is too kind to everything must not
    look as if it had been fooled. See :mod:`rebeca.scorers.confirming`.
    """

    NEEDS = frozenset({"verifier", "auditor-ratings"})
    CARD = ScorerCard(
        "Confirming judge", "expected likes", True,
        "A judge that is fitted after the images are made, on features that their digests draw: it confirms scores and"
        " never ranks.",
        "Coates and Ng 2012, Learning Feature Representations with K-means", role="confirming",
    )  # fmt: skip

    def __init__(self, params: NoParams, context: ScorerContext) -> None:
        super().__init__(params, context)
        if not len(context.auditor_ratings) or not context.training_items.any():
            raise DataError("the confirming judge has no ratings or no training items to learn from")

    def score_all(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [users, n]; every different image is scored once."""
        first, position = np.unique(images.unique, return_inverse=True)
        small = thumbnails(images.pixels_of(int(i)) for i in first)
        judge = self._judge(images.digest)
        level = self._verified_mean[users] - judge.score_all(self._training, users).mean(axis=1)
        return (judge.score_all(small, users) + level[:, None])[:, position]

    def worst(self, users: Ints) -> Floats:
        """float64 [users]; lowest score over the training items, by the judge that no image draws."""
        return np.asarray(self._lowest[users])

    def _judge(self, digests: tuple[str, ...]) -> ConfirmingJudge:
        seed = seed_of_row(digests)
        return ConfirmingJudge.fit(self.context.auditor_ratings, self._items, self.context.training_items, seed)

    @cached_property
    def _items(self) -> Floats:
        catalogue = self.context.catalogue
        return thumbnails(catalogue.pixels(i) for i in range(len(catalogue)))

    @cached_property
    def _training(self) -> Floats:
        return self._items[self.context.training_items]

    @cached_property
    def _verified_mean(self) -> Floats:
        """float64 [all users]; mean score of the training items by the verifier."""
        judge = self.context.verifier
        return np.asarray(judge.model().score_all(judge.catalogue()[self.context.training_items]).mean(axis=1))

    @cached_property
    def _lowest(self) -> Floats:
        likes = self._judge(()).score_all(self._training, np.arange(len(self.context.users)))
        return np.asarray(likes.min(axis=1) - likes.mean(axis=1) + self._verified_mean)
