"""The verifier and the auditor as scorers."""

from __future__ import annotations

import numpy as np

from benchmark.scorers.context import ScorerContext
from rebeca.arrays import Floats, Ints
from rebeca.interfaces import NoParams, ScoredPictures, Scorer, ScorerCard

NCF_REFERENCE = "He et al. 2017, Neural Collaborative Filtering, arXiv 1708.05031"


class _JudgeScorer(Scorer):
    Params = NoParams
    judges_everyone = True
    role: str

    def __init__(self, context: ScorerContext) -> None:
        self._judge = context.judges[self.role]
        self._training = np.flatnonzero(context.division.training_items)
        self._lowest: Floats | None = None

    @property
    def fingerprint(self) -> str:
        """Address of the fitted judge."""
        return f"judge/1/{self._judge.fingerprint}"

    def score(self, pictures: ScoredPictures, users: Ints) -> Floats:
        """float64 [n]; probability."""
        everyone = self.score_all(pictures, np.unique(users))
        column = np.arange(len(pictures.unique))
        return np.asarray(everyone[np.searchsorted(np.unique(users), users), column])

    def score_all(self, pictures: ScoredPictures, users: Ints) -> Floats:
        """float64 [users, n]; every different picture is scored once."""
        first, position = np.unique(pictures.unique, return_inverse=True)
        embeddings = pictures.embedding_of(self.role)[first]
        return np.asarray(self._judge.verifier().score_all(embeddings, users)[:, position])

    def worst(self, users: Ints) -> Floats:
        """float64 [users]; lowest score over the training catalogue."""
        if self._lowest is None:
            table = self._judge.verifier().score_all(self._judge.catalogue()[self._training])
            self._lowest = table.min(axis=1)
        return np.asarray(self._lowest[users])


class VerifierScorer(_JudgeScorer):
    """``ncf``: the verifier's probability that the person likes the picture."""

    role = "verifier"
    card = ScorerCard(
        "Verifier", "probability", True,
        "Probability that this person likes the picture, by a model trained on ratings in another image space.",
        NCF_REFERENCE,
    )  # fmt: skip


class AuditorScorer(_JudgeScorer):
    """``auditor``: as the verifier, with another encoder and another seed."""

    role = "auditor"
    card = ScorerCard(
        "Auditor", "probability", True,
        "A second judge with other eyes: generators that only please the verifier score lower here.",
        NCF_REFERENCE,
    )  # fmt: skip
