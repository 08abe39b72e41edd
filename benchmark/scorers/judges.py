"""The verifier and the auditor as scorers."""

from __future__ import annotations

import numpy as np

from benchmark.scorers.context import ScorerContext
from rebeca.arrays import Floats, Ints
from rebeca.errors import GeneratorError
from rebeca.interfaces import NoParams, ScoredImages, Scorer, ScorerCard

PRIOR_SCORER = "ncf-prior"
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

    def score(self, pictures: ScoredImages, users: Ints) -> Floats:
        """float64 [n]; probability."""
        everyone = self.score_all(pictures, np.unique(users))
        column = np.arange(len(pictures.unique))
        return np.asarray(everyone[np.searchsorted(np.unique(users), users), column])

    def score_all(self, pictures: ScoredImages, users: Ints) -> Floats:
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
        NCF_REFERENCE, role="verifier",
    )  # fmt: skip


class AuditorScorer(_JudgeScorer):
    """``auditor``: as the verifier, with another encoder and another seed."""

    role = "auditor"
    card = ScorerCard(
        "Auditor", "probability", True,
        "A second judge with other eyes: generators that only please the verifier score lower here.",
        NCF_REFERENCE, role="auditor",
    )  # fmt: skip


class PriorScorer(Scorer):
    """``ncf-prior``: what a verifier in the prior's own space says of the vectors that pictures were decoded from.

    Beside the verifier's opinion of the pictures it shows what decoding keeps. No answer for pictures without a vector.
    """

    Params = NoParams
    card = ScorerCard(
        "Before decoding", "probability", True,
        "Probability that this person likes what the prior sampled, by a verifier in the prior's own space.",
        NCF_REFERENCE, role="prior",
    )  # fmt: skip

    def __init__(self, context: ScorerContext) -> None:
        self._judge = context.prior_judge()

    @property
    def fingerprint(self) -> str:
        """Address of the fitted judge."""
        return f"prior/1/{self._judge.fingerprint}"

    def score(self, pictures: ScoredImages, users: Ints) -> Floats:
        """float64 [n]; probability, NaN where nothing is known of how the picture came about.

        Raises:
            GeneratorError: If the vectors are not of the task's encoder.
        """
        vectors = pictures.embedding_of("prior")
        known = np.isfinite(vectors).all(axis=1)
        out = np.full(len(users), np.nan)
        if not known.any():
            return out
        wanted = self._judge.catalogue().shape[1]
        if vectors.shape[1] != wanted:
            raise GeneratorError(
                f"scorer '{PRIOR_SCORER}': a picture's embedding has {vectors.shape[1]} numbers, the task's encoder"
                f" has {wanted}",
                hint="give the vector in the encoder's space, or None",
            )
        everyone = np.unique(users)
        table = self._judge.verifier().score_all(vectors[known], everyone)
        out[known] = table[np.searchsorted(everyone, users[known]), np.arange(int(known.sum()))]
        return out
