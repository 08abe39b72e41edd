"""HPSv2 as a scorer of a task; the model is in :mod:`rebeca.scorers.hpsv2`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

from benchmark.scorers.shared import PixelScorer, stand_in_fingerprint, weights_fingerprint
from rebeca.arrays import Floats, Pixels
from rebeca.errors import SpecError
from rebeca.interfaces import ScorerCard
from rebeca.params import Count
from rebeca.published import PREFIX, is_published, known_file, published
from rebeca.references import HPSV2
from rebeca.scorers.hpsv2 import PACKAGE, VERSIONS, HPSv2, check_package
from rebeca.scorers.shared import TINYWORLD

REFERENCE = "Wu et al. 2023, Human Preference Score v2, arXiv 2306.09341"


@dataclass(frozen=True, slots=True)
class HPSv2Params:
    """Parameters of a task file; scores of other prompts or versions cannot be compared.

    Attributes:
        backbone: open_clip's name of the model, or ``tinyworld`` for the stand-in.
        weights: ``published:hpsv2.0`` or ``published:hpsv2.1``, or a checkpoint file with a ``state_dict``, relative to
            the task file; the stand-in's come with the package.
        prompt: The one prompt under which all images are scored.
        version: Shown on the leaderboard; must be that of the published weights, also where they lie in a file of
            another name.
        engine: ``batched``, or ``hpsv2-package`` to let the package score, one by one.
        batch: Images per batch; halved where memory is short.
        dtype: Of the network: ``float32``, ``float16``, or ``auto``: half precision on a GPU. The final product of unit
            vectors is always single: in half, scores come in steps of 2.4e-4.
    """

    backbone: str = "ViT-H-14"
    weights: str | None = None
    prompt: str = ""
    version: str = "v2.0"
    engine: Literal["batched", "hpsv2-package"] = "batched"
    batch: Count = 64
    dtype: Literal["float32", "float16", "auto"] = "float32"
    FILES: ClassVar[tuple[str, ...]] = ("weights",)

    def __post_init__(self) -> None:
        if self.backbone != TINYWORLD and self.weights is None:
            raise SpecError(
                "scorer 'hpsv2': weights is not set", hint=f"weights: {PREFIX}hpsv2.0, or the path of a file"
            )
        if is_published(self.weights):
            actual = f"v{published(str(self.weights)).name.removeprefix('hpsv')}"
            if actual != self.version:
                raise SpecError(
                    f"scorer 'hpsv2': weights {self.weights} are {actual}, version says {self.version}",
                    hint="scores of different versions cannot be compared: make them agree",
                )
        if self.engine == PACKAGE:
            check_package(self.backbone)


class HPSv2Scorer(PixelScorer[HPSv2Params]):
    """``hpsv2``: cosine of image and prompt in a space tuned on choices of human raters."""

    Params = HPSv2Params
    references = (HPSV2,)

    @classmethod
    def card(cls, params: HPSv2Params) -> ScorerCard:
        if params.backbone == TINYWORLD:
            return ScorerCard(
                "HPSv2 stand-in", "cosine", True,
                "Cosine with a model that learned which of two postcards synthetic raters choose; the miniature's"
                " stand-in.",
                REFERENCE, role="aesthetic",
            )  # fmt: skip
        meaning = f"Human preference, predicted by a model of choices under the prompt '{params.prompt}'."
        return ScorerCard(f"HPSv2 {params.version}", "cosine", True, meaning, REFERENCE, role="aesthetic")

    @classmethod
    def fingerprint(cls, params: HPSv2Params) -> str:
        if params.backbone == TINYWORLD:
            return stand_in_fingerprint("hps")
        digest = weights_fingerprint("hpsv2", str(params.weights), VERSIONS)
        if (known := known_file(digest)) is not None and known != f"hpsv{params.version.removeprefix('v')}":
            raise SpecError(
                f"scorer 'hpsv2': {params.weights} is the published file of {known}, version says {params.version}",
                hint="scores of different versions cannot be compared: make them agree",
            )
        return digest

    @property
    def batch(self) -> int:
        return self.params.batch

    @cached_property
    def _model(self) -> HPSv2:
        p = self.params
        return HPSv2(
            TINYWORLD if p.backbone == TINYWORLD else str(p.weights),
            backbone=p.backbone,
            device=self.context.device,
            dtype=p.dtype,
            engine=p.engine,
            batch=p.batch,
        )

    def score_pixels(self, images: list[Pixels]) -> Floats:
        """float32 [n]; cosines in [-1, 1]."""
        return self._model.score(images, self.params.prompt)
