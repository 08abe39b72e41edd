"""LAION aesthetics as a scorer; the head is in :mod:`rebeca.scorers.laion`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from benchmark.scorers.shared import TINYWORLD, PixelScorer, stand_in_fingerprint, weights_fingerprint, weights_path
from rebeca.arrays import Floats, Pixels
from rebeca.errors import SpecError
from rebeca.interfaces import Encoder, ScorerCard
from rebeca.published import find, is_published, published
from rebeca.scorers.laion import CLIPS, KNOWN, KnownHead

if TYPE_CHECKING:
    from rebeca.scorers.laion import LaionHead

READING = 2
"""Raised whenever the same file of a head could give other scores."""
REFERENCE = "Schuhmann et al. 2022, LAION-5B, arXiv 2210.08402; improved-aesthetic-predictor, linear"


@dataclass(frozen=True, slots=True)
class LaionParams:
    """Parameters of a task file.

    Attributes:
        backbone: The CLIP that the head was trained on, as a registered encoder, e.g. ``published:vit-l`` or
            ``open_clip:ViT-L-14-quickgelu/openai``; or ``tinyworld`` for the stand-in.
        weights: ``published:laion-v2``, or the file of a head in one of the forms of ``rebeca.scorers.laion``, relative
            to the task file.
    """

    backbone: str = "open_clip:ViT-L-14-quickgelu/openai"
    weights: str | None = None
    FILES: ClassVar[tuple[str, ...]] = ("weights",)

    def __post_init__(self) -> None:
        if self.backbone != TINYWORLD and self.weights is None:
            raise SpecError(
                "scorer 'laion': weights is not set",
                hint="weights: published:laion-v2, or the path of the head as .pth or safetensors",
            )

    @property
    def encoder(self) -> str:
        return "tinyworld:auditor-encoder" if self.backbone == TINYWORLD else self.backbone


class LaionScorer(PixelScorer[LaionParams]):
    """``laion``: the head's number, on the scale of its raters."""

    Params = LaionParams

    @classmethod
    def card(cls, params: LaionParams) -> ScorerCard:
        if params.backbone == TINYWORLD:
            return ScorerCard(
                "LAION stand-in", "rating 1 to 5", True,
                "Mean rating of twenty synthetic raters, by a linear model; the miniature's stand-in.", REFERENCE,
                role="aesthetic",
            )  # fmt: skip
        meaning = "Mean aesthetic rating, predicted by a small model on embeddings of CLIP."
        name = "LAION aesthetics v2" if is_published(params.weights) else "Aesthetic rating"
        return ScorerCard(name, "rating 1 to 10", True, meaning, REFERENCE, role="aesthetic")

    @classmethod
    def encoders(cls, params: LaionParams) -> tuple[str, ...]:
        return (params.encoder,)

    @classmethod
    def fingerprint(cls, params: LaionParams) -> str:
        if params.backbone == TINYWORLD:
            return stand_in_fingerprint("laion")
        digest = weights_fingerprint("laion", str(params.weights), "weights: published:laion-v2")
        known = _known_head(str(params.weights), digest)
        if known is not None and not known.takes(params.backbone):
            raise SpecError(
                f"scorer 'laion': the head {known.name} belongs to OpenAI's CLIP {known.clip}, the backbone is"
                f" {params.backbone}",
                hint=f"backbone: {' or '.join(CLIPS[known.clip])}",
            )
        return digest if is_published(params.weights) else f"{digest}/{READING}"

    @cached_property
    def _encoder(self) -> Encoder[Any]:
        return self.context.encoder(self.params.encoder)

    @cached_property
    def _head(self) -> LaionHead:
        from rebeca.scorers.laion import read_head

        if self.params.backbone == TINYWORLD:
            from rebeca.tinyworld.models import layouts

            return read_head(layouts() / "laion" / "head.safetensors")
        return read_head(weights_path(str(self.params.weights)))

    def score_pixels(self, images: list[Pixels]) -> Floats:
        """float64 [n].

        Raises:
            SpecError: If head and encoder do not fit.
        """
        embeddings = self._encoder.encode(images)
        if embeddings.shape[1] != self._head.dim:
            raise SpecError(
                f"scorer 'laion': a head of {self._head.dim} numbers on embeddings of {embeddings.shape[1]}",
                hint="the head and the encoder belong together",
            )
        return self._head.score(embeddings)


def _known_head(weights: str, digest: str) -> KnownHead | None:
    """The published head that weights are; None for other files and for random weights."""
    if is_published(weights):
        digest = str(published(weights).files[0].sha256) if find(weights).origin == "published" else ""
    return KNOWN.get(digest)
