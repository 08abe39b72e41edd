"""How far the images of a generator lie from held-out items, as two sets: KID and CMMD in the space of an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.scorers.shared import encoded
from benchmark.task.encoders import named_encoder
from rebeca.arrays import Floats, Ints, unit_rows
from rebeca.errors import SpecError
from rebeca.interfaces import Encoder, ScoredImages, ScorerCard, SetScorer
from rebeca.references import CMMD, KID
from rebeca.scorers.realism import KernelDistance, cmmd, kid


@dataclass(frozen=True, slots=True)
class RealismParams:
    """Parameters of a task file; distances in the spaces of two encoders cannot be compared.

    Attributes:
        encoder: In whose space images are compared, e.g. ``published:vit-l``; best one in which no generator works. One
            that learns is refused.
    """

    encoder: str = "efficientnet-lite0"


class RealismScorer(SetScorer[RealismParams]):
    """``realism``: KID and CMMD between a generator's images and held-out items.

    A user's value is this user's part of the distance; only its mean over users is one.
    """

    Params = RealismParams
    references = (KID, CMMD)
    compares_users = True

    @classmethod
    def needs(cls, params: RealismParams) -> frozenset[str]:
        return frozenset({"held-out"})

    @classmethod
    def encoders(cls, params: RealismParams) -> tuple[str, ...]:
        return (params.encoder,)

    @classmethod
    def check(cls, params: RealismParams) -> None:
        if named_encoder(params.encoder, Path()).learns:
            raise SpecError(
                f"encoder: '{params.encoder}' learns from the task's items, and a scorer's encoder must not",
                hint="name a trained one, such as efficientnet-lite0 or published:vit-l",
            )

    @classmethod
    def cards(cls, params: RealismParams) -> Mapping[str, ScorerCard]:
        meaning = (
            "How far the images of all users lie from held-out items, as two sets; about 0 if both are alike."
            f" In the space of {params.encoder}, so not comparable with published values."
        )
        return {
            "kid": ScorerCard("KID", "squared MMD", False, meaning, "Binkowski et al. 2018, arXiv 1801.01401"),
            "cmmd": ScorerCard(
                "CMMD", "squared MMD times 1,000", False, meaning, "Jayasumana et al. 2024, arXiv 2401.09603"
            ),
        }

    def score_sets(self, images: ScoredImages, users: Ints) -> Mapping[str, Floats]:
        """``kid`` and ``cmmd``, float64 [users]; NaN without images, or where fewer than two of ``users`` have any."""
        own = np.flatnonzero(np.isin(images.user, users))
        if not len(own):
            return {name: np.full(len(users), np.nan) for name in self._distances}
        order = np.argsort(users, kind="stable")
        owner = order[np.searchsorted(users, images.user[own], sorter=order)]
        vectors, same = self._vectors(images)[own], self._same(images.item[own])
        return {
            "kid": self._distances["kid"].by_user(vectors, owner, len(users), same),
            "cmmd": self._distances["cmmd"].by_user(unit_rows(vectors), owner, len(users), same),
        }

    def _vectors(self, images: ScoredImages) -> Floats:
        """float32 [n, dim]; equal images are encoded once."""
        first, position = np.unique(images.unique, return_inverse=True)
        return encoded(self._encoder, images.pixels_of, first, images.item[first])[position]

    def _same(self, item: Ints) -> Ints:
        """Which held-out item an image is, int [n]; -1 for none."""
        place = np.searchsorted(self._held_out, item)
        return np.where(np.isin(item, self._held_out), place, -1)

    @cached_property
    def _held_out(self) -> Ints:
        return np.unique(self.context.held_out.item)

    @cached_property
    def _distances(self) -> Mapping[str, KernelDistance]:
        reference = encoded(self._encoder, self.context.catalogue.pixels, self._held_out, self._held_out)
        return {"kid": kid(reference), "cmmd": cmmd(reference)}

    @cached_property
    def _encoder(self) -> Encoder[Any]:
        return self.context.encoder(self.params.encoder)
