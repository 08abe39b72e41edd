"""The verifier and the auditor as scorers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from rebeca.arrays import Floats, Ints
from rebeca.errors import PluginError
from rebeca.interfaces import FittedJudge, NoParams, ScoredImages, Scorer, ScorerCard, ScorerContext

PRIOR_SCORER = "ncf-prior"
NCF_REFERENCE = "He et al. 2017, Neural Collaborative Filtering, arXiv 1708.05031"


class _JudgeScorer(Scorer[NoParams]):
    """What verifier and auditor share.

    Attributes:
        ROLE: Which judge it asks.
        CARD: What the site says about it.
    """

    ROLE: ClassVar[str]
    CARD: ClassVar[ScorerCard]
    judges_everyone = True

    def __init__(self, params: NoParams, context: ScorerContext) -> None:
        super().__init__(params, context)
        self._lowest: Floats | None = None

    @classmethod
    def needs(cls, params: NoParams) -> frozenset[str]:
        """Its judge."""
        return frozenset({cls.ROLE})

    @classmethod
    def card(cls, params: NoParams) -> ScorerCard:
        """The same whatever the judge."""
        return cls.CARD

    @property
    def _judge(self) -> FittedJudge:
        return self.context.verifier if self.ROLE == "verifier" else self.context.auditor

    def score(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [n]; probability."""
        everyone = self.score_all(images, np.unique(users))
        column = np.arange(len(images))
        return np.asarray(everyone[np.searchsorted(np.unique(users), users), column])

    def score_all(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [users, n]; every different image is scored once."""
        first, position = np.unique(images.unique, return_inverse=True)
        embeddings = images.embedding_of(self.ROLE)[first]
        return np.asarray(self._judge.model().score_all(embeddings, users)[:, position])

    def worst(self, users: Ints) -> Floats:
        """float64 [users]; lowest score over the training catalogue."""
        if self._lowest is None:
            training = np.flatnonzero(self.context.training_items)
            table = self._judge.model().score_all(self._judge.catalogue()[training])
            self._lowest = table.min(axis=1)
        return np.asarray(self._lowest[users])


class VerifierScorer(_JudgeScorer):
    """``ncf``: the verifier's probability that the user likes the image."""

    ROLE = "verifier"
    CARD = ScorerCard(
        "Verifier", "probability", True,
        "Probability that this user likes the image, by a model trained on ratings in another embedding space.",
        NCF_REFERENCE, role="verifier",
    )  # fmt: skip


class AuditorScorer(_JudgeScorer):
    """``auditor``: as the verifier, with another encoder and another seed."""

    ROLE = "auditor"
    CARD = ScorerCard(
        "Auditor", "probability", True,
        "A second judge with another encoder: generators that only please the verifier score lower here.",
        NCF_REFERENCE, role="auditor",
    )  # fmt: skip


class PriorScorer(Scorer[NoParams]):
    """``ncf-prior``: the verifier, refitted in the prior's own space, on the embeddings that images were decoded from.

    Beside the verifier's scores of the images it shows what decoding keeps. No answer for images without an embedding.
    """

    @classmethod
    def needs(cls, params: NoParams) -> frozenset[str]:
        """The verifier refitted in the generators' embedding space."""
        return frozenset({"prior"})

    @classmethod
    def card(cls, params: NoParams) -> ScorerCard:
        """The same whatever the judge."""
        return ScorerCard(
            "Before decoding", "probability", True,
            "Probability that this user likes what the prior sampled, by a verifier in the prior's own space.",
            NCF_REFERENCE, role="prior",
        )  # fmt: skip

    def score(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [n]; probability, NaN where nothing is known of how the image came about.

        Raises:
            PluginError: If the embeddings are not of the task's encoder.
        """
        judge = self.context.prior
        vectors = images.embedding_of("prior")
        known = np.isfinite(vectors).all(axis=1)
        out = np.full(len(users), np.nan)
        if not known.any():
            return out
        wanted = judge.catalogue().shape[1]
        if vectors.shape[1] != wanted:
            raise PluginError(
                f"an image's embedding has {vectors.shape[1]} numbers, the task's encoder has {wanted}",
                hint="give the vector in the encoder's space, or None",
            )
        everyone = np.unique(users)
        table = judge.model().score_all(vectors[known], everyone)
        out[known] = table[np.searchsorted(everyone, users[known]), np.arange(int(known.sum()))]
        return out
