"""The judges ``ncf`` and ``ncf-published`` as plug-ins; the networks are in :mod:`rebeca.ncf.verifier`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rebeca.arrays import Floats, Ints
from rebeca.errors import PluginError
from rebeca.interfaces import Judge, JudgeContext
from rebeca.ncf.options import PublishedVerifierParams, VerifierParams

if TYPE_CHECKING:
    from rebeca.data.splits import Part
    from rebeca.ncf.verifier import Verifier


class NCFJudge(Judge[VerifierParams]):
    """``ncf``: several small networks on a few directions of the embeddings, averaged.

    Source: He et al. 2017, Neural Collaborative Filtering, arXiv 1708.05031.
    """

    Params = VerifierParams

    def __init__(self, params: VerifierParams, context: JudgeContext) -> None:
        super().__init__(params, context)
        self._verifier: Verifier | None = None

    def fit(self, part: Part, embeddings: Floats) -> None:
        from rebeca.ncf.verifier import Verifier

        c = self.context
        self._verifier = Verifier(self.params, c.device)
        self._verifier.fit(part, embeddings, c.training_items, c.seed, c.progress)

    def save(self, folder: Path) -> None:
        self._fitted().save(folder)

    def load(self, folder: Path) -> None:
        from rebeca.ncf.verifier import Verifier

        self._verifier = Verifier(self.params, self.context.device).load(folder)

    def score_all(self, embeddings: Floats, users: Ints | None = None) -> Floats:
        """float64 [users, n] in [0, 1]; the logistic function of the networks' mean logit."""
        return self._fitted().score_all(embeddings, users)

    def _fitted(self) -> Verifier:
        if self._verifier is None:
            raise PluginError("it was asked before it was fitted or loaded")
        return self._verifier


class PublishedNCFJudge(NCFJudge):
    """``ncf-published``: one network of the published shape and training."""

    Params = PublishedVerifierParams
