"""What people really said, and what a made world knows."""

from __future__ import annotations

import numpy as np

from benchmark.scorers.context import ScorerContext
from rebeca.arrays import Floats, Ints
from rebeca.errors import SpecError
from rebeca.interfaces import NoParams, ScoredPictures, Scorer, ScorerCard
from rebeca.ties import TIE, size_of


class ObservedScorer(Scorer):
    """``observed``: the person's own held-out rating of a catalogue picture.

    Where everybody in a block rated everything in it, every person can be asked about every picture, and personal
    lift is measured in real ratings.
    """

    Params = NoParams
    is_truth = True

    def __init__(self, context: ScorerContext) -> None:
        test, data = context.division.test, context.dataset
        self._ratings = test.matrix()
        low, high = data.scale
        self.card = ScorerCard(
            "Observed rating", f"rating {low:g} to {high:g}", True,
            "The rating that this very person gave to this picture; no model had seen it.",
        )  # fmt: skip
        self._fingerprint = f"observed/1/{context.data_fingerprint}"
        self._lowest = np.nan_to_num(np.nanmin(np.column_stack([self._ratings, np.full(len(self._ratings), high)]), 1))
        items = np.unique(test.item)
        same_block = data.block_of_user[:, None] == data.catalogue.block[items][None, :]
        self.judges_everyone = bool(np.isfinite(self._ratings[:, items][same_block]).all())

    @property
    def fingerprint(self) -> str:
        """Address of data and division."""
        return self._fingerprint

    def score(self, pictures: ScoredPictures, users: Ints) -> Floats:
        """float64 [n]; NaN for made pictures and for pictures that the person did not rate."""
        known = pictures.item >= 0
        return np.where(known, self._ratings[users, np.where(known, pictures.item, 0)], np.nan)

    def score_all(self, pictures: ScoredPictures, users: Ints) -> Floats:
        """float64 [users, n]; NaN across blocks."""
        known = pictures.item >= 0
        table = self._ratings[np.ix_(users, np.where(known, pictures.item, 0))]
        table[:, ~known] = np.nan
        return table

    def worst(self, users: Ints) -> Floats:
        """float64 [users]; the person's lowest held-out rating."""
        return np.asarray(self._lowest[users])


class TruthScorer(Scorer):
    """``truth``: the utility that a made world knows. It validates the benchmark and never selects anything."""

    Params = NoParams
    is_truth = True
    judges_everyone = True

    def __init__(self, context: ScorerContext) -> None:
        truth = context.dataset.truth
        if truth is None:
            raise SpecError("the scorer 'truth' needs a made world", hint="use 'observed' with real ratings")
        self._utility, self._of_pictures = truth.utility, truth.of_pictures
        self._items = np.arange(len(context.dataset.catalogue))
        self.card = truth.card
        self._fingerprint = f"truth/2/{context.data_fingerprint}"

    @property
    def fingerprint(self) -> str:
        """Address of the world."""
        return self._fingerprint

    def score(self, pictures: ScoredPictures, users: Ints) -> Floats:
        """float64 [n]; NaN for pictures from outside the catalogue where the world knows the catalogue only."""
        everyone = np.unique(users)
        return np.asarray(self.score_all(pictures, everyone)[np.searchsorted(everyone, users), np.arange(len(users))])

    def score_all(self, pictures: ScoredPictures, users: Ints) -> Floats:
        """float64 [users, n]."""
        known = pictures.item >= 0
        values = self._utility(users[:, None], np.where(known, pictures.item, 0)[None, :]).astype(np.float64)
        values = np.where(known[None, :], values, np.nan)
        made = np.flatnonzero(~known)
        if self._of_pictures is not None and len(made):
            first, position = np.unique(pictures.unique[made], return_inverse=True)
            values[:, made] = self._of_pictures(pictures.pixels_of(int(i)) for i in first)[users][:, position]
        return values

    def worst(self, users: Ints) -> Floats:
        """float64 [users]; lowest utility over the catalogue."""
        return np.asarray(self._utility(users[:, None], self._items[None, :]).min(axis=1), np.float64)


class TopUtilityScorer(TruthScorer):
    """``top-utility``: whether no catalogue picture is better for the person; in sprites, right shape and colour."""

    def __init__(self, context: ScorerContext) -> None:
        super().__init__(context)
        self.card = ScorerCard(
            "Right pictures", "share", True, "Share of pictures than which this person has no better one, by the truth."
        )
        users = np.arange(len(context.dataset.block_of_user))
        utility = self._utility(users[:, None], self._items[None, :])
        self._enough = utility.max(axis=1) - TIE * size_of(utility)

    @property
    def fingerprint(self) -> str:
        """Address of the world."""
        return f"top-{self._fingerprint}"

    def score(self, pictures: ScoredPictures, users: Ints) -> Floats:
        """float64 [n]; 1 or 0."""
        utility = super().score(pictures, users)
        return np.where(np.isnan(utility), np.nan, utility >= self._enough[users])

    def score_all(self, pictures: ScoredPictures, users: Ints) -> Floats:
        """float64 [users, n]; 1 or 0."""
        utility = super().score_all(pictures, users)
        return np.where(np.isnan(utility), np.nan, utility >= self._enough[users][:, None])

    def worst(self, users: Ints) -> Floats:
        """float64 [users]; 0."""
        return np.zeros(len(users))
