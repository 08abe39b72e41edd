"""How varied images are, how new, and how well they cover what a user likes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from benchmark.scorers.shared import FixedScorer, encoded
from benchmark.task.encoders import named_encoder
from rebeca.arrays import Floats, Ints, unit_rows
from rebeca.errors import SpecError
from rebeca.interfaces import Encoder, NoParams, ScoredImages, ScorerCard, ScorerContext, SetScorer
from rebeca.params import Count
from rebeca.ties import best_first


class DiversityScorer(SetScorer[NoParams]):
    """``diversity``: mean cosine distance between a user's images, and the share of different images.

    Distances are between embeddings centred on the training items: 0 for copies, about 1 for unrelated images.
    """

    compares_users = True

    CARDS: ClassVar[Mapping[str, ScorerCard]] = {
        "diversity": ScorerCard(
            "Diversity", "cosine distance", True, "How different one user's images are from each other."
        ),
        "distinct": ScorerCard("Distinct", "share", True, "Share of a user's images that are not repeats."),
        "spread": ScorerCard(
            "Spread", "cosine distance", True, "How different this user's mean image is from the others' means."
        ),
    }

    def __init__(self, params: NoParams, context: ScorerContext) -> None:
        super().__init__(params, context)
        self._centre = context.embeddings[context.training_items].mean(axis=0)

    @classmethod
    def needs(cls, params: NoParams) -> frozenset[str]:
        return frozenset({"embeddings"})

    @classmethod
    def cards(cls, params: NoParams) -> Mapping[str, ScorerCard]:
        return cls.CARDS

    def score_sets(self, images: ScoredImages, users: Ints) -> Mapping[str, Floats]:
        """``diversity``, ``distinct`` and ``spread``, float64 [users]."""
        unit = unit_rows(images.embedding_of("task") - self._centre)
        out = {name: np.full(len(users), np.nan) for name in self.CARDS}
        means = np.zeros((len(users), unit.shape[1]))
        for row, user in enumerate(users):
            own = np.flatnonzero(images.user == user)
            if not len(own):
                continue
            out["distinct"][row] = len(np.unique(images.unique[own])) / len(own)
            means[row] = unit[own].mean(axis=0)
            if len(own) > 1:
                cosine = unit[own] @ unit[own].T
                out["diversity"][row] = 1 - (cosine.sum() - np.trace(cosine)) / (len(own) * (len(own) - 1))
        directions = unit_rows(means)
        present = np.isfinite(out["distinct"])
        if present.sum() > 1:
            cosine = directions[present] @ directions[present].T
            out["spread"][present] = 1 - (cosine.sum(axis=1) - np.diag(cosine)) / (present.sum() - 1)
        return out


class NearestTrainingScorer(FixedScorer):
    """``nearest-training``: cosine distance to the nearest item that the user rated in training."""

    NEEDS = frozenset({"training", "embeddings"})
    CARD = ScorerCard(
        "Novelty", "cosine distance", True,
        "Distance to the nearest item that this user had rated in training; close to 0 means a copy.",
    )  # fmt: skip

    def __init__(self, params: NoParams, context: ScorerContext) -> None:
        super().__init__(params, context)
        embeddings = context.embeddings
        self._centre = embeddings[context.training_items].mean(axis=0)
        self._catalogue = unit_rows(embeddings - self._centre)
        self._train = context.training

    def score(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [n]; NaN for users without training ratings."""
        unit = unit_rows(images.embedding_of("task") - self._centre)
        out = np.full(len(users), np.nan)
        for user in np.unique(users):
            rated = self._train.item[self._train.rows_of(int(user))]
            own = np.flatnonzero(users == user)
            if len(rated):
                out[own] = 1 - (unit[own] @ self._catalogue[rated].T).max(axis=1)
        return out

    def worst(self, users: Ints) -> Floats:
        """float64 [users]; 0, that of a copy; NaN for users without training ratings."""
        rated = np.bincount(self._train.user, minlength=self._train.num_users) > 0
        return np.where(rated[users], 0.0, np.nan)


@dataclass(frozen=True, slots=True)
class PrecisionRecallParams:
    """Parameters of a task file.

    Attributes:
        at: Values of k.
        by: ``samples`` (published synthetic experiment: the nearest held-out item of each of the first k images) or
            ``neighbours`` (published comparison: the k nearest held-out items of every image).
        runs: A user's images are this many independent runs one after the other; results are averaged.
        least_likes: Users with fewer held-out likes are left out.
        encoder: In whose space items are near, e.g. ``published:vit-g``; by default in that of the task's encoder. One
            that learns is refused.
    """

    at: tuple[Count, ...] = (1, 5)
    by: Literal["samples", "neighbours"] = "neighbours"
    runs: Count = 1
    least_likes: Count = 3
    encoder: str = ""


class PrecisionRecallScorer(SetScorer[PrecisionRecallParams]):
    """``precision-recall``: the share of retrieved held-out items that the user liked, and of likes retrieved.

    Every image retrieves its nearest held-out items by cosine.
    """

    Params = PrecisionRecallParams

    @classmethod
    def needs(cls, params: PrecisionRecallParams) -> frozenset[str]:
        return frozenset({"held-out"} if params.encoder else {"held-out", "embeddings"})

    @classmethod
    def encoders(cls, params: PrecisionRecallParams) -> tuple[str, ...]:
        return (params.encoder,) if params.encoder else ()

    @classmethod
    def check(cls, params: PrecisionRecallParams) -> None:
        if params.encoder and named_encoder(params.encoder, Path()).learns:
            raise SpecError(
                f"encoder: '{params.encoder}' learns from the task's items, and a scorer's encoder must not",
                hint="name a trained one, such as published:vit-g, or leave encoder out for the task's own",
            )

    @classmethod
    def cards(cls, params: PrecisionRecallParams) -> Mapping[str, ScorerCard]:
        """``precision@k`` and ``recall@k`` for every k."""
        cards = {}
        for k in params.at:
            how = f"the first {k} images" if params.by == "samples" else f"{k} neighbours of every image"
            cards[f"precision@{k}"] = ScorerCard(
                f"Precision at {k}", "share", True, f"Share of held-out items retrieved by {how} that the user liked."
            )
            cards[f"recall@{k}"] = ScorerCard(
                f"Recall at {k}", "share", True, f"Share of the user's held-out likes retrieved by {how}."
            )
        return cards

    def score_sets(self, images: ScoredImages, users: Ints) -> Mapping[str, Floats]:
        """One array per measure, float64 [users]; NaN for users with too few held-out likes."""
        out = {name: np.full(len(users), np.nan) for name in self.cards(self.params)}
        test = self.context.held_out
        items, vectors_of = self._vectors(images)
        for row, user in enumerate(users):
            held = test.rows_of(int(user))
            liked = test.liked[held]
            own = np.flatnonzero(images.user == user)
            if liked.sum() < self.params.least_likes or not len(own):
                continue
            cosine = vectors_of[own].astype(np.float64) @ items[test.item[held]].T.astype(np.float64)
            ranking = np.stack([best_first(row) for row in cosine])
            for k in self.params.at:
                runs = [self._retrieved(part, k) for part in np.array_split(ranking, self.params.runs)]
                out[f"precision@{k}"][row] = np.mean([liked[rows].mean() for rows in runs])
                out[f"recall@{k}"][row] = np.mean([liked[rows].sum() / liked.sum() for rows in runs])
        return out

    def _vectors(self, images: ScoredImages) -> tuple[Floats, Floats]:
        """Unit vectors of all items (with an encoder of its own, of the held-out ones) and of the images."""
        if not self.params.encoder:
            items = unit_rows(self.context.embeddings)
            every = (images.item >= 0).all()
            return items, items[images.item] if every else unit_rows(images.embedding_of("task"))
        first, position = np.unique(images.unique, return_inverse=True)
        return self._items, unit_rows(encoded(self._encoder, images.pixels_of, first, images.item[first]))[position]

    @cached_property
    def _items(self) -> Floats:
        held_out = np.unique(self.context.held_out.item)
        vectors = unit_rows(encoded(self._encoder, self.context.catalogue.pixels, held_out, held_out))
        items = np.zeros((len(self.context.catalogue), vectors.shape[1]), vectors.dtype)
        items[held_out] = vectors
        return items

    @cached_property
    def _encoder(self) -> Encoder[Any]:
        return self.context.encoder(self.params.encoder)

    def _retrieved(self, ranking: Ints, k: int) -> Ints:
        return np.unique(ranking[:k, 0] if self.params.by == "samples" else ranking[:, :k])
