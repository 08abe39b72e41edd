"""Near-copies: the user's liked training items, changed so little that nobody would call them new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from baselines.adversaries.adversary import Adversary
from baselines.adversaries.alterations import Alteration, altered, with_one_step
from baselines.catalogue import drawn_items
from rebeca.arrays import Ints, Pixels
from rebeca.data.interactions import Interactions
from rebeca.errors import PluginError
from rebeca.interfaces import GeneratedImage, GeneratorContext, NoParams, Request

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class NearCopyParams:
    """Parameters of a task file.

    Attributes:
        alteration: ``noise``, ``crop``, ``flip``, ``hue``, ``jpeg``, ``half``, ``frame`` or ``turn``; see
            :func:`baselines.adversaries.alterations.altered`.
    """

    alteration: Alteration = "noise"


class LikedItems(Adversary[P]):
    """Shows liked training items of the user, changed; who likes nothing gets any training items."""

    def __init__(self, params: P, context: GeneratorContext) -> None:
        super().__init__(params, context)
        self._liked: Ints | None = None

    def fit(self, train: Interactions) -> None:
        likes = train.where(train.liked)
        self._liked = np.column_stack([likes.user, likes.item]).astype(np.int64)

    def save(self, folder: Path) -> None:
        """Writes users and items of likes, int64 [n, 2]."""
        np.save(folder / "liked.npy", np.asarray(self._liked))

    def load(self, folder: Path) -> None:
        self._liked = np.load(folder / "liked.npy", allow_pickle=False)

    def images_of(self, user: int, group: Sequence[Request]) -> Sequence[GeneratedImage | None]:
        """Draws each item by the request's seed; none repeats before all were shown."""
        if self._liked is None:
            raise PluginError("it was asked to generate before it was fitted or loaded")
        pool = self._liked[self._liked[:, 0] == user, 1]
        if not len(pool):
            pool = np.flatnonzero(self.context.training_items)
        rounds = -(-len(group) // len(pool))
        parts = [group[len(pool) * turn : len(pool) * (turn + 1)] for turn in range(rounds)]
        items = [item for part in parts for item in drawn_items(pool.tolist(), part)]
        return [
            GeneratedImage(self.changed(self.context.catalogue.pixels(item), request.seed))
            for item, request in zip(items, group, strict=True)
        ]

    def changed(self, pixels: Pixels, seed: int) -> Pixels:
        """The image that is shown for an item, uint8 [height, width, 3]."""
        raise NotImplementedError


class NearCopyAttack(LikedItems[NearCopyParams]):
    Params = NearCopyParams

    def changed(self, pixels: Pixels, seed: int) -> Pixels:
        return altered(pixels, self.params.alteration, seed)


class MemorisedAttack(LikedItems[NoParams]):
    """The items themselves, not declared: one value of one pixel moves by 1, so that digests differ."""

    def changed(self, pixels: Pixels, seed: int) -> Pixels:
        return with_one_step(pixels, seed)
