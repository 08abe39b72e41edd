"""Which items each number depends on: observed ratings of retrieved items, personal lift by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.analysis.inputs import HeldOutRatings, Rows, lifts_of
from benchmark.analysis.measures import OBSERVED, Measure
from benchmark.stats.items import Effects, ItemVariance, item_variance, retrieval_effects
from rebeca.arrays import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutItems:
    """The items that were held out, as a random draw.

    Attributes:
        ratings: Of all users that images were made for.
        block: int [users]; items are drawn within blocks.
        reading: How failures count.
        original: By digest of an image that is an item: the first item with these pixels.
        candidates: Items with held-out ratings, by block.
    """

    ratings: HeldOutRatings
    block: Ints
    reading: str
    original: Mapping[str, int]
    candidates: Mapping[int, int]

    @classmethod
    def of(cls, ratings: HeldOutRatings, block: Ints, reading: str, rows: Sequence[Rows]) -> HeldOutItems:
        original: dict[str, int] = {}
        for row in rows:
            for digest, item in zip(row.digest.ravel().tolist(), row.item.ravel().tolist(), strict=True):
                if item >= 0:
                    original[digest] = min(item, original.get(digest, item))
        owner = block[ratings.user]
        candidates = {int(label): len(np.unique(ratings.item[owner == label])) for label in np.unique(block)}
        return cls(ratings, block, reading, original, candidates)

    def effects(self, row: Rows, measure: Measure) -> Effects | None:
        """What each item does to each user's value; None for measures that do not read held-out ratings."""
        card = row.cards.get(measure.scorer)
        if card is None or card.role != OBSERVED or (measure.is_lift and measure.scorer not in row.pairs):
            return None
        values = row.read(measure.scorer, self.reading)
        if measure.is_lift:
            values = np.where(np.isfinite(values), self._centred(row, measure.scorer), np.nan)
        codes = [self.original.get(digest, -1) for digest in row.digest.ravel().tolist()]
        return retrieval_effects(values, np.array(codes, np.int64).reshape(row.item.shape), row.fits)

    def variance(self, effects: Effects | None, values: Floats) -> ItemVariance | None:
        """Between items, of the mean of ``values``, float64 [users]; None without effects."""
        if effects is None:
            return None
        return item_variance(effects, np.isfinite(values), self.block, self.candidates)

    def of_pairs(
        self, rows: Sequence[Rows], measure: Measure, pairs: Sequence[tuple[str, str]], differences: Floats
    ) -> list[ItemVariance | None]:
        """As :meth:`variance`, of the mean difference of every pair; ``differences`` is float64 [users, pairs]."""
        own = {row.id: self.effects(row, measure) for row in rows}
        return [
            None
            if (first := own[a]) is None or (second := own[b]) is None
            else self.variance(first.minus(second), values)
            for (a, b), values in zip(pairs, differences.T, strict=True)
        ]

    def _centred(self, row: Rows, scorer: str) -> Floats:
        """float64 [users, K]; ratings of the own images less the mean rating of the same image by all users compared.

        Their mean over users is the mean personal lift, as an image changes one column of S only; 0 for failures.
        """
        items = np.unique(row.item[row.item >= 0])
        table = self.ratings.table(len(self.block), items)
        column = np.searchsorted(items, np.where(row.item >= 0, row.item, items[0])) if len(items) else row.item
        out = np.full(row.item.shape, np.nan)
        for stratum in lifts_of(row, scorer, self.reading)[1]:
            users, m = stratum.users, len(stratum.users)
            centred = (table[users] - table[users].mean(axis=0)) * m / (m - 1)
            out[users] = np.where(row.item[users] >= 0, centred[np.arange(m)[:, None], column[users]], 0.0)
        return out
