"""The postcards that models are trained on: drawn once per process, never those of a world's catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTokenizer

from rebeca.arrays import Pixels
from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import MODELS_SEED, Scenes, captions, draw_scenes

TRAIN_POSTCARDS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Postcards:
    """Postcards with captions.

    Attributes:
        pixels: uint8 [n, 3, 64, 64].
        captions: n captions.
        scenes: Their factors.
    """

    pixels: Tensor
    captions: tuple[str, ...]
    scenes: Scenes

    def __len__(self) -> int:
        return len(self.captions)


@cache
def postcards(stream: str, count: int) -> Postcards:
    """Postcards of a stream, such as ``train`` or ``test``; different streams share none."""
    scenes = draw_scenes(count, MODELS_SEED, stream)
    pixels = torch.from_numpy(render(scenes)).permute(0, 3, 1, 2).contiguous()
    return Postcards(pixels, captions(scenes), scenes)


def as_images(pixels: Tensor) -> Pixels:
    """uint8 [n, h, w, 3] of uint8 [n, 3, h, w]."""
    return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).numpy())


def signed(pixels: Tensor) -> Tensor:
    """uint8 [..] to float32 in [-1, 1]."""
    return pixels.float() / 127.5 - 1


def random_rows(count: int, batch: int, random: torch.Generator) -> Tensor:
    """Row numbers of a batch, with replacement."""
    return torch.randint(0, count, (batch,), generator=random)


def token_ids(folder: Path, texts: tuple[str, ...]) -> Any:
    """int64 [n, 32]; texts by the tokenizer in ``folder``, cut and padded."""
    tokenizer = CLIPTokenizer.from_pretrained(str(folder))
    return tokenizer(list(texts), padding="max_length", truncation=True, return_tensors="pt").input_ids
