"""How varied, how new, and how well the pictures cover what a person likes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmark.scorers.context import ScorerContext
from rebeca.arrays import Floats, Ints, unit_rows
from rebeca.interfaces import NoParams, ScoredPictures, Scorer, ScorerCard, SetScorer
from rebeca.params import Count
from rebeca.ties import best_first


class DiversityScorer(SetScorer):
    """``diversity``: mean cosine distance between a person's pictures, and the share of different pictures.

    Distances are between embeddings centred on the training catalogue: 0 for copies, about 1 for unrelated pictures.
    """

    Params = NoParams
    cards = {
        "diversity": ScorerCard(
            "Diversity", "cosine distance", True, "How different one person's pictures are from each other."
        ),
        "distinct": ScorerCard("Distinct", "share", True, "Share of a person's pictures that are not repeats."),
        "spread": ScorerCard(
            "Spread", "cosine distance", True, "How different this person's mean picture is from the others' means."
        ),
    }

    def __init__(self, context: ScorerContext) -> None:
        self._centre = context.catalogue_embeddings()[context.division.training_items].mean(axis=0)
        self._fingerprint = f"diversity/1/{context.data_fingerprint}"

    @property
    def fingerprint(self) -> str:
        """Address of data and division."""
        return self._fingerprint

    def score_sets(self, pictures: ScoredPictures, users: Ints) -> Mapping[str, Floats]:
        """``diversity``, ``distinct`` and ``spread``, float64 [users]."""
        unit = unit_rows(pictures.embedding_of("task") - self._centre)
        out = {name: np.full(len(users), np.nan) for name in self.cards}
        means = np.zeros((len(users), unit.shape[1]))
        for row, user in enumerate(users):
            own = np.flatnonzero(pictures.user == user)
            if not len(own):
                continue
            out["distinct"][row] = len(np.unique(pictures.unique[own])) / len(own)
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


class NearestTrainingScorer(Scorer):
    """``nearest-training``: cosine distance to the nearest picture that the person rated in training."""

    Params = NoParams
    card = ScorerCard(
        "Novelty", "cosine distance", True,
        "Distance to the nearest picture that this person had rated in training; close to 0 means a copy.",
    )  # fmt: skip

    def __init__(self, context: ScorerContext) -> None:
        embeddings = context.catalogue_embeddings()
        self._centre = embeddings[context.division.training_items].mean(axis=0)
        self._catalogue = unit_rows(embeddings - self._centre)
        self._train = context.division.generators.train
        self._fingerprint = f"nearest-training/1/{context.data_fingerprint}"

    @property
    def fingerprint(self) -> str:
        """Address of data and division."""
        return self._fingerprint

    def score(self, pictures: ScoredPictures, users: Ints) -> Floats:
        """float64 [n]; NaN for people without training ratings."""
        unit = unit_rows(pictures.embedding_of("task") - self._centre)
        out = np.full(len(users), np.nan)
        for user in np.unique(users):
            rated = self._train.item[self._train.rows_of(int(user))]
            own = np.flatnonzero(users == user)
            if len(rated):
                out[own] = 1 - (unit[own] @ self._catalogue[rated].T).max(axis=1)
        return out


@dataclass(frozen=True, slots=True)
class PrecisionRecallParams:
    """Parameters of a task file.

    Attributes:
        at: Values of k.
        by: ``samples`` (published synthetic experiment: the nearest held-out picture of each of the first k) or
            ``neighbours`` (published comparison: the k nearest held-out pictures of every picture).
        runs: A person's pictures are this many independent runs one after the other; results are averaged.
        least_likes: People with fewer held-out likes are left out.
    """

    at: tuple[Count, ...] = (1, 5)
    by: Literal["samples", "neighbours"] = "neighbours"
    runs: Count = 1
    least_likes: Count = 3


class PrecisionRecallScorer(SetScorer):
    """``precision-recall``: share of found held-out pictures that the person liked, and of likes found."""

    Params = PrecisionRecallParams

    def __init__(self, context: ScorerContext) -> None:
        self._params: PrecisionRecallParams = context.spec
        self._test = context.division.test
        self._embeddings = context.catalogue_embeddings()
        self._fingerprint = f"precision-recall/1/{context.data_fingerprint}/{self._params}"
        cards = {}
        for k in self._params.at:
            how = f"the first {k} pictures" if self._params.by == "samples" else f"{k} neighbours of every picture"
            cards[f"precision@{k}"] = ScorerCard(
                f"Precision at {k}", "share", True, f"Share of held-out pictures found by {how} that the person liked."
            )
            cards[f"recall@{k}"] = ScorerCard(
                f"Recall at {k}", "share", True, f"Share of the person's held-out likes found by {how}."
            )
        self.cards = cards

    @property
    def fingerprint(self) -> str:
        """Address of data, division and parameters."""
        return self._fingerprint

    def score_sets(self, pictures: ScoredPictures, users: Ints) -> Mapping[str, Floats]:
        """One array a measure, float64 [users]; NaN for people with too few held-out likes."""
        out = {name: np.full(len(users), np.nan) for name in self.cards}
        unit = unit_rows(self._embeddings)
        made = None if (pictures.item >= 0).all() else unit_rows(pictures.embedding_of("task"))
        order = np.argsort(self._test.user, kind="stable")
        bounds = np.searchsorted(self._test.user[order], np.arange(self._test.num_users + 1))
        for row, user in enumerate(users):
            held = order[bounds[user] : bounds[user + 1]]
            liked = self._test.liked[held]
            own = np.flatnonzero(pictures.user == user)
            if liked.sum() < self._params.least_likes or not len(own):
                continue
            vectors = unit[pictures.item[own]] if made is None else made[own]
            cosine = vectors.astype(np.float64) @ unit[self._test.item[held]].T.astype(np.float64)
            ranking = np.stack([best_first(row) for row in cosine])
            for k in self._params.at:
                found = [self._found(part, k) for part in np.array_split(ranking, self._params.runs)]
                out[f"precision@{k}"][row] = np.mean([liked[rows].mean() for rows in found])
                out[f"recall@{k}"][row] = np.mean([liked[rows].sum() / liked.sum() for rows in found])
        return out

    def _found(self, ranking: Ints, k: int) -> Ints:
        return np.unique(ranking[:k, 0] if self._params.by == "samples" else ranking[:, :k])
