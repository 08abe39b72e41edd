"""The verifier and the auditor as scorers."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import numpy as np

from benchmark.scorers.shared import EveryoneScorer, FixedScorer, own_scores
from rebeca.arrays import Bools, Floats, Ints
from rebeca.errors import PluginError
from rebeca.interfaces import FittedJudge, ScoredImages, ScorerCard

NCF_REFERENCE = "He et al. 2017, Neural Collaborative Filtering, arXiv 1708.05031"


class _JudgeScorer(EveryoneScorer):
    """What verifier and auditor share.

    Attributes:
        ROLE: The judge, and the space in which it judges.
    """

    ROLE: ClassVar[str]

    @property
    def _judge(self) -> FittedJudge:
        return self.context.verifier if self.ROLE == "verifier" else self.context.auditor

    def score_all(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [users, n]; probabilities. Every different image is scored once."""
        first, position = np.unique(images.unique, return_inverse=True)
        embeddings = images.embedding_of(self.ROLE)[first]
        return np.asarray(self._judge.model().score_all(embeddings, users)[:, position])

    @cached_property
    def _lowest(self) -> Floats:
        return lowest_scores(self._judge, self.context.training_items)

    def worst(self, users: Ints) -> Floats:
        """float64 [users]; lowest score over the training items."""
        return np.asarray(self._lowest[users])


def lowest_scores(judge: FittedJudge, training_items: Bools) -> Floats:
    """float64 [all users]; a judge's lowest score over the training items."""
    return np.asarray(judge.model().score_all(judge.catalogue()[training_items]).min(axis=1))


class VerifierScorer(_JudgeScorer):
    """``ncf``: the verifier's probability that the user likes the image."""

    ROLE = "verifier"
    NEEDS = frozenset({"verifier"})
    CARD = ScorerCard(
        "Verifier", "probability", True,
        "Probability that this user likes the image, by a model trained on ratings in another embedding space.",
        NCF_REFERENCE, role="verifier",
    )  # fmt: skip


class AuditorScorer(_JudgeScorer):
    """``auditor``: as the verifier, with another encoder and another seed."""

    ROLE = "auditor"
    NEEDS = frozenset({"auditor"})
    CARD = ScorerCard(
        "Auditor", "probability", True,
        "A second judge with another encoder: generators that only please the verifier score lower here.",
        NCF_REFERENCE, role="auditor",
    )  # fmt: skip


class PriorScorer(FixedScorer):
    """``ncf-prior``: a verifier in the generators' embedding space scores what images were decoded from.

    Compared with the verifier's scores of the images, it shows how much preference decoding keeps. Images without an
    embedding have no score.
    """

    NEEDS = frozenset({"prior"})
    CARD = ScorerCard(
        "Before decoding", "probability", True,
        "Probability that this user likes what the prior sampled, by a verifier in the prior's own space.",
        NCF_REFERENCE, role="prior",
    )  # fmt: skip

    def score(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [n]; probability, NaN for images without an embedding.

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
        out[known] = own_scores(lambda different: judge.model().score_all(vectors[known], different), users[known])
        return out

    @cached_property
    def _lowest(self) -> Floats:
        return lowest_scores(self.context.prior, self.context.training_items)

    def worst(self, users: Ints) -> Floats:
        """float64 [users]; lowest score over the training items."""
        return np.asarray(self._lowest[users])
