"""LAION aesthetics: a linear head on normalised CLIP embeddings, taught by people's ratings of beauty."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from benchmark.scorers.context import ScorerContext
from benchmark.scorers.pixels import PixelScorer
from rebeca.arrays import Floats, Pixels, unit_rows
from rebeca.errors import DataError, MissingDependency, SpecError
from rebeca.interfaces import Encoder, ScorerCard
from rebeca.published import is_published, locate
from rebeca.weights import reading

REFERENCE = "Schuhmann et al. 2022, LAION-5B, arXiv 2210.08402; improved-aesthetic-predictor, linear"
TINYWORLD = "tinyworld"
LAYER = re.compile(r"layers\.(\d+)\.(?:weight|bias)")


@dataclass(frozen=True, slots=True)
class LaionParams:
    """Parameters of a task file.

    Attributes:
        backbone: A registered encoder, e.g. ``published:vit-l`` or ``open_clip:ViT-L-14-quickgelu/openai``, or
            ``tinyworld`` for the stand-in.
        weights: ``published:laion-v2``, or the head's file, relative to the task file: ``layers.N.weight`` and
            ``layers.N.bias``, without activations in between.
    """

    backbone: str = "open_clip:ViT-L-14-quickgelu/openai"
    weights: str | None = None
    FILES: ClassVar[tuple[str, ...]] = ("weights",)


class LaionScorer(PixelScorer):
    """``laion``: the head's number, on the scale of its teachers' ratings."""

    Params = LaionParams

    def __init__(self, context: ScorerContext) -> None:
        self.params: LaionParams = context.spec
        self.device = context.device
        self._stand_in = self.params.backbone == TINYWORLD
        if not self._stand_in and self.params.weights is None:
            raise SpecError(
                "scorer 'laion': weights is not set",
                hint="weights: published:laion-v2, or the path of the head as .pth or safetensors",
            )
        name = "LAION stand-in" if self._stand_in else "LAION aesthetics v2"
        unit = "rating 1 to 5" if self._stand_in else "rating 1 to 10"
        meaning = (
            "Mean rating of twenty made-up people, by a linear model; the miniature's stand-in."
            if self._stand_in
            else "Mean rating of beauty that people would give, by a linear model."
        )
        self.card = ScorerCard(name, unit, True, meaning, REFERENCE, role="aesthetic")

    @property
    def fingerprint(self) -> str:
        """Encoder and head."""
        weight, bias = self._head
        head = hashlib.sha256(weight.tobytes() + np.float64(bias).tobytes()).hexdigest()
        return f"laion/1/{self._encoder.fingerprint}/{head}"

    @cached_property
    def _encoder(self) -> Encoder:
        from benchmark.runner.world import make_encoder
        from benchmark.task.file import EncoderSpec

        name = "tinyworld:auditor-encoder" if self._stand_in else self.params.backbone
        return make_encoder(EncoderSpec(use=name), self.device, Path())

    @cached_property
    def _head(self) -> tuple[Floats, float]:
        if self._stand_in:
            from rebeca.tinyworld.models import layouts

            return read_head(layouts() / "laion" / "head.safetensors")
        weights = str(self.params.weights)
        return read_head(locate(weights) if is_published(weights) else Path(weights))

    def score_pixels(self, pictures: list[Pixels]) -> Floats:
        """float64 [n]."""
        weight, bias = self._head
        embeddings = self._encoder.encode(pictures)
        if embeddings.shape[1] != len(weight):
            raise SpecError(
                f"scorer 'laion': a head of {len(weight)} numbers on embeddings of {embeddings.shape[1]}",
                hint="the head and the encoder belong together",
            )
        return np.asarray(unit_rows(embeddings).astype(np.float64) @ weight + bias)


def read_head(path: Path) -> tuple[Floats, float]:
    """Folds the linear layers of a head into one: weight float64 [dim] and bias.

    Raises:
        MissingDependency: If the file is not there.
        DataError: If it does not hold a chain of linear layers to one number.
    """
    if not path.is_file():
        raise MissingDependency(f"scorer 'laion': {path} is not there", hint="see docs/reference/task-file.md")
    tensors = _tensors(path)
    names = sorted({int(found[1]) for name in tensors if (found := LAYER.fullmatch(name))})
    if not names:
        raise DataError(f"{path}: no 'layers.N.weight' in it")
    weight, bias = _layer(tensors, names[0], path)
    for number in names[1:]:
        above, shift = _layer(tensors, number, path)
        if above.shape[1] != weight.shape[0]:
            raise DataError(f"{path}: layer {number} does not fit on the one below it")
        weight, bias = above @ weight, above @ bias + shift
    if weight.shape[0] != 1:
        raise DataError(f"{path}: the head ends in {weight.shape[0]} numbers, expected 1")
    return weight[0], float(bias[0])


def _layer(tensors: dict[str, Floats], number: int, path: Path) -> tuple[Floats, Floats]:
    """Weight [out, in] and bias [out]."""
    try:
        weight, bias = tensors[f"layers.{number}.weight"], tensors[f"layers.{number}.bias"]
    except KeyError as error:
        raise DataError(f"{path}: {error.args[0]} is not in it") from error
    if weight.ndim != 2 or bias.shape != weight.shape[:1]:
        raise DataError(f"{path}: layer {number} is no linear layer, with shapes {weight.shape} and {bias.shape}")
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise DataError(f"{path}: layer {number} holds numbers that are not finite")
    return weight, bias


def _tensors(path: Path) -> dict[str, Floats]:
    """float64 arrays of a safetensors file or of a torch file without code."""
    import torch
    from safetensors.torch import load_file

    with reading(f"{path}: cannot be read as weights", DataError):
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise DataError(f"{path}: holds a {type(state).__name__}, expected tensors by name")
    return {name: value.double().numpy() for name, value in state.items() if isinstance(value, torch.Tensor)}
