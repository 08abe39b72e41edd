"""The confirming judge as a scorer: fitted anew for every generator, after its images are fixed."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from benchmark.scorers.shared import EveryoneScorer
from rebeca.arrays import Floats, Ints, evenly
from rebeca.errors import DataError
from rebeca.interfaces import NoParams, ScoredImages, ScorerCard, ScorerContext
from rebeca.scorers.confirming import (
    MOST_ITEMS,
    ConfirmingJudge,
    DrawnFeatures,
    parts_unseen,
    seed_of_row,
    thumbnails,
)
from rebeca.ties import TIE

SCALE_VERSION = 3
"""Raised whenever answers are brought to the verifier's scale in another way."""
MOST_RATIO = 2.0
"""Largest factor by which answers are spread or drawn together."""


class ConfirmingScorer(EveryoneScorer):
    """``confirming``: expected likes, by a judge whose features are drawn by the digests of the images that it scores.

    Nobody can know it before the images are fixed. It learns from the auditor's ratings. Its answers are brought to the
    verifier's scale: every user's mean over training items, and the spread of both parts of the answers over items that
    it has not seen. So a verifier that is too kind to everything, or knows the best items better, does not look as if
    it had been fooled. See :mod:`rebeca.scorers.confirming`.
    """

    NEEDS = frozenset({"verifier", "auditor-ratings"})
    CARD = ScorerCard(
        "Confirming judge", "expected likes", True,
        "A judge that is fitted after the images are made, on features that their digests draw: it confirms scores and"
        " never ranks.",
        "Coates and Ng 2012, Learning Feature Representations with K-means", role="confirming",
    )  # fmt: skip

    @classmethod
    def fingerprint(cls, params: NoParams) -> str:
        """Changes when it could answer otherwise from the same images and ratings."""
        return f"scale {SCALE_VERSION}"

    def __init__(self, params: NoParams, context: ScorerContext) -> None:
        super().__init__(params, context)
        if not len(context.auditor_ratings) or not context.training_items.any():
            raise DataError("the confirming judge has no ratings or no training items to learn from")

    def score_all(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [users, n]; every different image is scored once."""
        first, position = np.unique(images.unique, return_inverse=True)
        small = thumbnails(images.pixels_of(int(i)) for i in first)
        return self._on_the_verifiers_scale(self._judge(images.digest), small, users)[:, position]

    def worst(self, users: Ints) -> Floats:
        """float64 [users]; lowest score over the training items, by the judge that no image draws."""
        return np.asarray(self._lowest[users])

    def _on_the_verifiers_scale(self, judge: ConfirmingJudge, small: Floats, users: Ints) -> Floats:
        """float64 [users, n]; answers about thumbnails."""
        common, personal = judge.parts(small, users)
        common_on_items, personal_on_items = judge.parts_of_items(self._compared, users)
        mean = self._verified[users].mean(axis=1, keepdims=True)
        spread_common, spread_personal = self._spreads
        answers = mean + spread_common * (common - common_on_items.mean())
        return np.asarray(answers + spread_personal * (personal - personal_on_items.mean(axis=1, keepdims=True)))

    def _judge(self, digests: tuple[str, ...]) -> ConfirmingJudge:
        seed = seed_of_row(digests)
        return ConfirmingJudge.fit(self.context.auditor_ratings, self._items, self.context.training_items, seed)

    @cached_property
    def _items(self) -> Floats:
        catalogue = self.context.catalogue
        return thumbnails(catalogue.pixels(i) for i in range(len(catalogue)))

    @cached_property
    def _compared(self) -> Ints:
        """Training items on which both judges are compared: all, or many that lie evenly among them."""
        every = np.flatnonzero(self.context.training_items)
        return np.asarray(every[evenly(len(every), MOST_ITEMS)])

    @cached_property
    def _verified(self) -> Floats:
        """float64 [all users, compared items]; by the verifier."""
        judge = self.context.verifier
        return np.asarray(judge.model().score_all(judge.catalogue()[self._compared]))

    @cached_property
    def _spreads(self) -> tuple[float, float]:
        """By how much the spread of the verifier's answers over items exceeds this judge's: in common, and by user."""
        drawn, ratings = self._drawn_by_nothing, self.context.auditor_ratings
        common, personal = parts_unseen(drawn, ratings, self._compared, seed_of_row(()))
        verified = self._verified.mean(axis=0)
        return _ratio(verified, common), _ratio(*map(_centred, (self._verified, personal)))

    @cached_property
    def _lowest(self) -> Floats:
        users = np.arange(len(self.context.users))
        judge = ConfirmingJudge.on(self._drawn_by_nothing, self.context.auditor_ratings)
        return np.asarray(self._on_the_verifiers_scale(judge, self._items[self._compared], users).min(axis=1))

    @cached_property
    def _drawn_by_nothing(self) -> DrawnFeatures:
        """Of the judges that no image draws."""
        return DrawnFeatures.of(self._items, self.context.training_items, seed_of_row(()))


def _centred(answers: Floats) -> Floats:
    """Float64 [users, items] without what all users, and what all items, have in common."""
    own = answers - answers.mean(axis=0)
    return np.asarray(own - own.mean(axis=1, keepdims=True))


def _ratio(verified: Floats, confirming: Floats) -> float:
    """Of standard deviations, within a factor of two: nearly nothing must not be taken for knowledge."""
    if min(verified.std(), confirming.std()) < TIE:
        return 1.0
    return float(np.clip(verified.std() / confirming.std(), 1 / MOST_RATIO, MOST_RATIO))
