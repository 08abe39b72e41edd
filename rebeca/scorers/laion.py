"""LAION aesthetics: a linear head on normalised CLIP embeddings, trained on human ratings of beauty.

Source: Schuhmann et al. 2022, LAION-5B, arXiv 2210.08402; improved-aesthetic-predictor, linear.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rebeca.arrays import Floats, unit_rows
from rebeca.errors import DataError, MissingDependency
from rebeca.weights import reading

LAYER = re.compile(r"layers\.(\d+)\.(?:weight|bias)")


@dataclass(frozen=True, slots=True, eq=False)
class LaionHead:
    """The head, folded into one linear map.

    Attributes:
        weight: float64 [dim].
        bias: Added to the product.
    """

    weight: Floats
    bias: float

    def score(self, embeddings: Floats) -> Floats:
        """float64 [n] on the scale of the raters, 1 to 10 for the published head.

        Args:
            embeddings: float [n, dim] of the head's own CLIP; brought to unit length here.
        """
        return unit_rows(embeddings).astype(np.float64) @ self.weight + self.bias


def read_head(path: Path) -> LaionHead:
    """Reads a head: ``layers.N.weight`` and ``layers.N.bias`` without activations in between, folded into one.

    Raises:
        MissingDependency: If the file is missing.
        DataError: If it does not hold a chain of linear layers to one number.
    """
    if not path.is_file():
        raise MissingDependency(f"scorer 'laion': {path} is not there", hint="see docs/reference/task-file.md")
    tensors = _tensors(path)
    names = sorted({int(match[1]) for name in tensors if (match := LAYER.fullmatch(name))})
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
    return LaionHead(weight[0], float(bias[0]))


def _layer(tensors: Mapping[str, Floats], number: int, path: Path) -> tuple[Floats, Floats]:
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
