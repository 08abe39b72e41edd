"""Catalogue retrieval: show users items that exist, ranked by something simple.

Every ranking gives a score to every candidate of a user; the K best are shown, without repeats, best first. A seeded
draw orders equal scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from rebeca.arrays import Floats, Ints, unit_rows
from rebeca.data.interactions import Interactions
from rebeca.errors import PluginError
from rebeca.interfaces import GeneratedImage, Generator, GeneratorContext, Request, whole_users
from rebeca.params import Count, NotNegative
from rebeca.population import chord_kernel, fit_population, population_scores
from rebeca.seeds import substream
from rebeca.space import LinearSpace
from rebeca.taste import DEFAULT_RIDGE, ridge_by_group, ridge_tastes
from rebeca.ties import TIE_OF_SCORES, levels

RankBy = Literal[
    "random", "most-liked", "centroid", "ridge", "neighbours", "matrix-factorisation", "verifier", "heldout-likes"
]
NEEDS: dict[str, frozenset[str]] = {"verifier": frozenset({"judge"}), "heldout-likes": frozenset({"held-out"})}
IMPERSONAL = ("random", "most-liked")
"""Rankings whose fit draws random numbers."""
TASTE_DIMS = 32
NEIGHBOUR_LENGTH = 0.8
"""Length of the neighbours' kernel, in chords between centred unit embeddings."""
POPULATION = 2
"""Raised with the population model: since 2, its subset of many items does not depend on the fit's seed."""
SWEEPS = 15
PENALTY = 5.0
BIAS_PENALTY = 5.0
"""Of the matrix factorisation."""


@dataclass(frozen=True, slots=True)
class CatalogueParams:
    """Parameters of a task file.

    Attributes:
        rank_by: ``random``; ``most-liked`` (mean of all centred ratings, shrunk towards the prediction from
            embeddings); ``centroid`` (nearest to the mean of the user's likes); ``ridge`` (one
            regression per user on top of the population model); ``neighbours`` (kernel-weighted ratings of near
            items); ``matrix-factorisation`` (where users share items); ``verifier`` (needs the judge);
            ``heldout-likes`` (needs the user's own held-out rating).
        ridge: Penalty of ``ridge``.
        factors: Factors of ``matrix-factorisation``.
    """

    rank_by: RankBy = "random"
    ridge: NotNegative = DEFAULT_RIDGE
    factors: Count = 16


class CatalogueGenerator(Generator[CatalogueParams]):
    Params = CatalogueParams
    family = "catalogue"

    def __init__(self, params: CatalogueParams, context: GeneratorContext) -> None:
        super().__init__(params, context)
        self._scores: Floats | None = None  # empty where the ranking has none

    @classmethod
    def needs(cls, params: CatalogueParams) -> frozenset[str]:
        return NEEDS.get(params.rank_by, frozenset())

    @classmethod
    def fit_varies(cls, params: CatalogueParams) -> bool:
        """Only the matrix factorisation begins with random numbers."""
        return params.rank_by == "matrix-factorisation"

    @classmethod
    def fingerprint(cls, params: CatalogueParams) -> str:
        """Changes when the same ratings could give other rankings."""
        return f"population {POPULATION}" if params.rank_by in ("most-liked", "ridge") else ""

    @classmethod
    def decodes_in(cls, params: CatalogueParams) -> frozenset[str]:
        """Nowhere: its images exist."""
        return frozenset()

    @classmethod
    def claims_personal(cls, params: CatalogueParams) -> bool:
        return params.rank_by not in IMPERSONAL

    def fit(self, train: Interactions) -> None:
        rankings: dict[str, Callable[[Interactions, GeneratorContext], Floats]] = {
            "random": lambda train, context: np.zeros((0, 0)),
            "most-liked": _most_liked,
            "centroid": _centroid,
            "ridge": lambda train, context: _ridge(train, context, self.params.ridge),
            "neighbours": _neighbours,
            "matrix-factorisation": lambda train, context: _factorised(train, context, self.params.factors),
            "verifier": lambda train, context: context.privileges.judge.catalogue_scores(),
            "heldout-likes": _heldout,
        }
        assert set(rankings) == set(get_args(RankBy))
        self._scores = rankings[self.params.rank_by](train, self.context)

    def save(self, folder: Path) -> None:
        """Writes the scores, float32 [users or 1, items]; [0, 0] for ``random``."""
        np.save(folder / "scores.npy", np.asarray(self._scores, np.float32))

    def load(self, folder: Path) -> None:
        self._scores = np.load(folder / "scores.npy", allow_pickle=False)

    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        """The best candidates first; ``random`` draws each item by the request's seed."""
        if self._scores is None:
            raise PluginError("it was asked to generate before it was fitted or loaded")
        index = {name: i for i, name in enumerate(self.context.users)}
        for group in whole_users(requests):
            user = index[group[0].user]
            candidates = candidates_for(self.context, user, group)
            if self._scores.size:
                chosen = best_positions(self._scores[user if len(self._scores) > 1 else 0, candidates], group)
                items = candidates[chosen].tolist()
            else:
                items = drawn_items(candidates.tolist(), group)
            for item in items:
                yield GeneratedImage(self.context.catalogue.pixels(item), item=item)


def candidates_for(context: GeneratorContext, user: int, group: Sequence[Request]) -> Ints:
    """Int [m]; the user's candidates, ascending.

    Raises:
        PluginError: If they are fewer than the requests.
    """
    candidates = context.candidates.of(user)
    if len(candidates) < len(group):
        raise PluginError(
            f"user '{group[0].user}' has {len(candidates)} candidate items for {len(group)} requests",
            hint="lower images, or hold out more items",
        )
    return candidates


def best_positions(scores: Floats, group: Sequence[Request]) -> Ints:
    """Positions of the highest scores, best first; a draw orders equal ones."""
    ties = np.random.default_rng(substream(group[0].seed, "catalogue-ties")).random(len(scores))
    return np.lexsort((ties, -levels(scores, TIE_OF_SCORES)))[: len(group)]


def drawn_items(candidates: list[int], group: Sequence[Request]) -> list[int]:
    """One item per request by the request's seed, without repeats."""
    draws = [np.random.default_rng(substream(request.seed, "catalogue-random")) for request in group]
    return [candidates.pop(int(draw.integers(len(candidates)))) for draw in draws]


def _most_liked(train: Interactions, context: GeneratorContext) -> Floats:
    """[1, items]; the same for all users."""
    return population_scores(train, context.embeddings)[None, :]


def _centroid(train: Interactions, context: GeneratorContext) -> Floats:
    """[users, items]; cosine to the mean embedding of the user's likes, both centred on the training items."""
    directions = _directions(context)
    centroids = np.zeros((train.num_users, directions.shape[1]))
    likes = train.where(train.liked)
    np.add.at(centroids, likes.user, directions[likes.item])
    return unit_rows(centroids) @ directions.T


def _ridge(train: Interactions, context: GeneratorContext, ridge: float) -> Floats:
    """[users, items]; population prediction in rating units plus the user's own regression on directions."""
    points = LinearSpace("pca", TASTE_DIMS).fit(context.embeddings[context.training_items]).forward(context.embeddings)
    residual = train.rating - train.user_mean()[train.user]
    population = fit_population(train, context.embeddings).predict(context.embeddings)
    own = ridge_tastes(train, points, ridge) @ points.T.astype(np.float64)
    return population[None, :] * float(residual.std()) + own


def _neighbours(train: Interactions, context: GeneratorContext) -> Floats:
    """[users, items]; kernel-weighted mean of the user's own centred ratings of near items."""
    directions = _directions(context)
    residual = train.rating - train.user_mean()[train.user]
    rated = np.unique(train.item)
    kernel = chord_kernel(directions, directions[rated], NEIGHBOUR_LENGTH)
    column = np.searchsorted(rated, train.item)
    values = np.zeros((train.num_users, len(rated)))
    values[train.user, column] = residual
    known = np.zeros_like(values)
    known[train.user, column] = 1
    weight = known @ kernel.T
    return np.divide(values @ kernel.T, weight, out=np.zeros_like(weight), where=weight > 0)


def _factorised(train: Interactions, context: GeneratorContext, factors: int) -> Floats:
    known = np.zeros(train.num_items, bool)
    known[train.item] = True
    unseen = [u for u in range(train.num_users) if not known[context.candidates.of(u)].any()]
    if unseen:
        raise PluginError(
            f"matrix factorisation knows none of the candidates of user '{train.user_ids[unseen[0]]}'",
            hint="use it with split.kind: per-user, where users share items; here use ridge or neighbours",
        )
    return factorise(train, factors, context.fit_seed)


def _heldout(train: Interactions, context: GeneratorContext) -> Floats:
    """[users, items]; the user's own held-out rating; items without one come last."""
    heldout = context.privileges.held_out
    scores = np.full((train.num_users, train.num_items), float(heldout.rating.min()) - 1)
    scores[heldout.user, heldout.item] = heldout.rating
    return scores


def _directions(context: GeneratorContext) -> Floats:
    embeddings = context.embeddings.astype(np.float64)
    return unit_rows(embeddings - embeddings[context.training_items].mean(axis=0))


def factorise(train: Interactions, factors: int, seed: int) -> Floats:
    """float64 [users, items]; predicted rating of every item by every user.

    Alternating least squares (Koren, Bell and Volinsky 2009), with biases taken out first. For items and users without
    ratings the prediction is the sum of mean and biases.
    """
    rng = np.random.default_rng(seed)
    mean = float(train.rating.mean())
    user_bias = _shrunk_mean(train.user, train.rating - mean, train.num_users)
    item_bias = _shrunk_mean(train.item, train.rating - mean - user_bias[train.user], train.num_items)
    residual = train.rating - mean - user_bias[train.user] - item_bias[train.item]
    items: Floats = rng.normal(0, 0.1, (train.num_items, factors))
    for _ in range(SWEEPS):
        users = ridge_by_group(train.user, train.num_users, train.item, items, residual, PENALTY)
        items = ridge_by_group(train.item, train.num_items, train.user, users, residual, PENALTY)
    return mean + user_bias[:, None] + item_bias[None, :] + users @ items.T


def _shrunk_mean(index: Ints, values: Floats, size: int) -> Floats:
    return np.bincount(index, values, size) / (np.bincount(index, minlength=size) + BIAS_PENALTY)
