"""Attacks that choose items: the best of all, those of a similar user, everybody's favourites, or fewer of them.

But for the abstaining one, which is retrieval, they add noise and declare no item, so that a leaderboard takes them for
images of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from baselines.adversaries.adversary import ScoringAdversary, fitted
from baselines.adversaries.surrogates import item_scores, weights_fingerprint
from baselines.catalogue import best_positions, candidates_for, drawn_items
from rebeca.arrays import Floats, Ints, unit_rows
from rebeca.data.interactions import Interactions
from rebeca.errors import PluginError
from rebeca.interfaces import GeneratedImage, GeneratorContext, Request
from rebeca.params import Probability, Whole
from rebeca.population import population_scores
from rebeca.seeds import substream

BUDGET = 8
"""Largest change of a pixel by noise, of 255."""


@dataclass(frozen=True, slots=True)
class ChoosingParams:
    """Parameters of a task file.

    Attributes:
        surrogates: Encoders in whose spaces a surrogate of the judge is fitted; by default that of the task.
        budget: Noise, of 255.
    """

    surrogates: tuple[str, ...] = ()
    budget: Whole = BUDGET


@dataclass(frozen=True, slots=True)
class AbstainParams:
    """Parameters of a task file.

    Attributes:
        share: Expected share of a user's images that are withheld; at least one is shown.
        surrogates: Encoders in whose spaces a surrogate of the judge is fitted; by default that of the task.
    """

    share: Probability = 0.5
    surrogates: tuple[str, ...] = ()


class _Choosing(ScoringAdversary[ChoosingParams]):
    Params = ChoosingParams

    @classmethod
    def fingerprint(cls, params: ChoosingParams) -> str:
        return weights_fingerprint(params.surrogates)

    def scores(self, train: Interactions) -> Floats:
        return item_scores(train, self.context, self.params.surrogates)

    def images_of(self, user: int, group: Sequence[Request]) -> Sequence[GeneratedImage | None]:
        return self.noisy_items(self.best_items(user, group), group, self.params.budget)


class BestOfAttack(_Choosing):
    """The surrogate's best of all candidates: retrieval that does not say so."""


class HeldOutAttack(_Choosing):
    """The best candidates by a surrogate that is fitted to the held-out ratings as well."""

    @classmethod
    def needs(cls, params: ChoosingParams) -> frozenset[str]:
        return frozenset({"held-out"})

    def scores(self, train: Interactions) -> Floats:
        return item_scores(_joined(train, self.context.privileges.held_out), self.context, self.params.surrogates)


class CrowdAttack(_Choosing):
    """The training items that all users like most, the same for everybody but for noise."""

    @classmethod
    def fingerprint(cls, params: ChoosingParams) -> str:
        return ""

    def scores(self, train: Interactions) -> Floats:
        return np.tile(population_scores(train, self.context.embeddings), (train.num_users, 1))

    def best_items(self, user: int, group: Sequence[Request]) -> list[int]:
        pool = np.flatnonzero(self.context.training_items)
        if len(pool) < len(group):
            raise PluginError(f"the data set has {len(pool)} training items for {len(group)} requests")
        return [int(item) for item in pool[best_positions(fitted(self._scores)[user, pool], group)]]


class OthersAttack(_Choosing):
    """The best candidates of the user whose taste is most similar."""

    def __init__(self, params: ChoosingParams, context: GeneratorContext) -> None:
        super().__init__(params, context)
        self._nearest: Ints | None = None

    def fit(self, train: Interactions) -> None:
        """Learns scores, and whose taste is the most similar.

        Raises:
            PluginError: If there is no other user.
        """
        if train.num_users < 2:
            raise PluginError("it shows a user what another one likes, and the data set has one user")
        super().fit(train)
        self._nearest = nearest_users(fitted(self._scores))

    def save(self, folder: Path) -> None:
        """Writes the scores and each user's nearest other user, int64 [users]."""
        super().save(folder)
        np.save(folder / "nearest.npy", np.asarray(self._nearest))

    def load(self, folder: Path) -> None:
        super().load(folder)
        self._nearest = np.load(folder / "nearest.npy", allow_pickle=False)

    def best_items(self, user: int, group: Sequence[Request]) -> list[int]:
        assert self._nearest is not None
        return super().best_items(int(self._nearest[user]), group)


class AbstainAttack(ScoringAdversary[AbstainParams]):
    """Random items, the worst of which it withholds as failed images."""

    Params = AbstainParams

    @classmethod
    def fingerprint(cls, params: AbstainParams) -> str:
        return weights_fingerprint(params.surrogates)

    def scores(self, train: Interactions) -> Floats:
        return item_scores(train, self.context, self.params.surrogates)

    def images_of(self, user: int, group: Sequence[Request]) -> Sequence[GeneratedImage | None]:
        """The items that ``catalogue-random`` would show; the best ones first, then None."""
        items = drawn_items(candidates_for(self.context, user, group).tolist(), group)
        best = best_positions(fitted(self._scores)[user, items], group)
        shown = len(group) - withheld(len(group), self.params.share, group[0].seed)
        return [
            GeneratedImage(self.context.catalogue.pixels(items[place]), item=items[place]) if rank < shown else None
            for rank, place in enumerate(best.tolist())
        ]


def withheld(count: int, share: float, seed: int) -> int:
    """How many of ``count`` images are withheld: ``share`` of them on average over seeds, and never all."""
    draw = np.random.default_rng(substream(seed, "attack-abstain")).random()
    return min(count - 1, int(share * count + draw))


def nearest_users(scores: Floats) -> Ints:
    """int64 [users]; the other user whose scores, less those of all users, point most nearly the same way.

    Args:
        scores: float [users, items].
    """
    personal = scores.astype(np.float64) - scores.mean(axis=0)
    tastes = unit_rows(personal - personal.mean(axis=1, keepdims=True))
    similarity = tastes @ tastes.T
    np.fill_diagonal(similarity, -np.inf)
    return np.argmax(similarity, axis=1)


def _joined(a: Interactions, b: Interactions) -> Interactions:
    return replace(
        a,
        user=np.concatenate([a.user, b.user]),
        item=np.concatenate([a.item, b.item]),
        rating=np.concatenate([a.rating, b.rating]),
        liked=np.concatenate([a.liked, b.liked]),
    )
