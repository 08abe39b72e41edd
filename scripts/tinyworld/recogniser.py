"""Part ``recogniser``: the network that reads what a postcard shows.

Trained on renders of a stream of its own, clean or distorted, never on anything that a model made.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, smooth_l1_loss

from rebeca.tinyworld import recogniser
from rebeca.tinyworld.contents import CLASSES, NUMBERS, contents_of
from scripts.tinyworld.clip import UNKNOWN, contents_loss
from scripts.tinyworld.data import postcards, random_rows, signed
from scripts.tinyworld.loop import Recipe, train

RECIPE = Recipe(steps=5000, batch=64, lr=2e-3, weight_decay=0.02, average=0.995, seed=41)
STREAM, POSTCARDS = "recogniser", 30_000
NUMBERS_WEIGHT = 2.0
CLEAN = 0.5
"""Share of images that are spared; of the others, some get no distortion by chance."""


def build() -> Any:
    """The network, with random weights."""
    torch.manual_seed(RECIPE.seed)
    return recogniser.build()


def run(folder: Path, report: Callable[[str], None]) -> tuple[Any, list[dict[str, float]]]:
    """Trains it."""
    data = postcards(STREAM, POSTCARDS)
    contents = contents_of(data.scenes)
    classes = torch.from_numpy(np.where(contents.known, contents.classes, UNKNOWN))
    numbers, measured = torch.from_numpy(contents.numbers).float(), torch.from_numpy(contents.measured)
    model = build().to(memory_format=torch.channels_last)

    def loss(step: int, random: torch.Generator) -> dict[str, Tensor]:
        rows = random_rows(len(data), RECIPE.batch, random)
        images = distorted(signed(data.pixels[rows]), random).contiguous(memory_format=torch.channels_last)
        logits, values = model(images).split([sum(CLASSES.values()), len(NUMBERS)], dim=1)
        shown = measured[rows]
        return {
            "contents": contents_loss(logits, classes[rows]),
            "numbers": NUMBERS_WEIGHT * smooth_l1_loss(values[shown], numbers[rows][shown]),
        }

    return model, train(recogniser.PART, model, RECIPE, loss, folder / f"{recogniser.PART}.checkpoint", report)


def distorted(images: Tensor, random: torch.Generator) -> Tensor:
    """Images [n, 3, h, w] in [-1, 1], some of them with noise, blurred, coarser, or with other colours."""
    n = len(images)

    def some(share: float) -> Tensor:
        return (torch.rand(n, generator=random) < share).view(n, 1, 1, 1)

    changed = images
    blurred = avg_pool2d(changed, 3, 1, 1, count_include_pad=False)
    share = torch.rand(n, generator=random).view(n, 1, 1, 1)
    changed = torch.where(some(0.4), changed + share * (blurred - changed), changed)
    coarse = interpolate(avg_pool2d(changed, 2), scale_factor=2.0, mode="bilinear")
    changed = torch.where(some(0.15), coarse, changed)
    gain = 1 + 0.15 * torch.randn(n, 3, 1, 1, generator=random)
    offset = 0.1 * torch.randn(n, 3, 1, 1, generator=random)
    changed = torch.where(some(0.4), changed * gain + offset, changed)
    noise = 0.08 * torch.rand(n, 1, 1, 1, generator=random) * torch.randn(changed.shape, generator=random)
    changed = torch.where(some(0.5), changed + noise, changed)
    return torch.where(some(CLEAN), images, changed.clamp(-1, 1))
