"""LAION aesthetics as a scorer of a task; the model is in :mod:`rebeca.scorers.laion`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from benchmark.scorers.shared import PixelScorer, stand_in_fingerprint, weights_fingerprint
from rebeca.arrays import Floats, Pixels
from rebeca.errors import SpecError
from rebeca.interfaces import ScorerCard
from rebeca.published import is_published
from rebeca.references import LAION_5B
from rebeca.scorers.laion import HEADS, LAION, STAND_IN_BACKBONE, check_backbone
from rebeca.scorers.shared import TINYWORLD

READING = 2
"""Raised whenever the same file of a head could give other scores."""
REFERENCE = "Schuhmann et al. 2022, LAION-5B, arXiv 2210.08402; improved-aesthetic-predictor, linear"


@dataclass(frozen=True, slots=True)
class LaionParams:
    """Parameters of a task file.

    Attributes:
        backbone: The CLIP that the head was trained on, as a registered encoder, e.g. ``published:vit-l`` or
            ``open_clip:ViT-L-14-quickgelu/openai``; or ``tinyworld`` for the stand-in.
        weights: ``published:laion-v2``, or the file of a head, relative to the task file; its forms are in
            ``rebeca.scorers.laion_head``.
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
        return STAND_IN_BACKBONE if self.backbone == TINYWORLD else self.backbone


class LaionScorer(PixelScorer[LaionParams]):
    """``laion``: the head's number, on the scale of its raters."""

    Params = LaionParams
    references = (LAION_5B,)

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
        digest = weights_fingerprint("laion", str(params.weights), HEADS)
        check_backbone(str(params.weights), params.backbone)
        return digest if is_published(params.weights) else f"{digest}/{READING}"

    @cached_property
    def _model(self) -> LAION:
        weights = TINYWORLD if self.params.backbone == TINYWORLD else str(self.params.weights)
        return LAION(weights, backbone=self.context.encoder(self.params.encoder))

    def score_pixels(self, images: list[Pixels]) -> Floats:
        """float64 [n]."""
        return self._model.score(images)
