"""Part ``autoencoder``: images to 8 x 16 x 16 latents and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, l1_loss

from rebeca.tinyworld.models import build_autoencoder
from scripts.tinyworld.data import TRAIN_POSTCARDS, postcards, random_rows, signed
from scripts.tinyworld.loop import Recipe, train

RECIPE = Recipe(steps=6500, batch=16, lr=2e-3, average=0.995)
SHARPEN = Recipe(steps=3500, batch=16, lr=1.2e-3, average=0.995, seed=1)
"""A second training in which pixels count more where the image has detail; otherwise houses and boats stay blurred."""
DETAIL_WEIGHT = 6.0
DETAIL_WINDOW = 7
CROP = 32
WHOLE_EVERY = 4
"""Every fourth step sees whole images, the others crops."""
KL_WEIGHT = 1e-4


def build() -> Any:
    """The network, with random weights."""
    torch.manual_seed(RECIPE.seed)
    return build_autoencoder()


def run(folder: Path, report: Callable[[str], None]) -> tuple[Any, list[dict[str, float]]]:
    """Trains it; the scaling factor in its configuration brings latents to unit variance."""
    data = postcards("train", TRAIN_POSTCARDS)
    model = build().to(memory_format=torch.channels_last)

    def loss(step: int, random: torch.Generator, emphasis: float) -> dict[str, Tensor]:
        x = signed(data.pixels[random_rows(len(data), RECIPE.batch, random)])
        if step % WHOLE_EVERY:
            top, left = torch.randint(0, x.shape[-1] - CROP + 1, (2,), generator=random).tolist()
            x = x[:, :, top : top + CROP, left : left + CROP]
        x = x.contiguous(memory_format=torch.channels_last)
        posterior = model.encode(x).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=random)
        y = model.decode(posterior.mean + posterior.std * noise).sample
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        weight = 1 + emphasis * detail(x)
        return {
            "l1": (weight * (y - x).abs()).mean(),
            "mse": 0.5 * (weight * (y - x).square()).mean(),
            "edges": 0.5 * (l1_loss(*_across(y, x, 2)) + l1_loss(*_across(y, x, 3))),
            "kl": KL_WEIGHT * kl,
        }

    history = train(
        "autoencoder", model, RECIPE, lambda s, r: loss(s, r, 0.0), folder / "autoencoder.checkpoint", report
    )
    history += train(
        "sharpen", model, SHARPEN, lambda s, r: loss(s, r, DETAIL_WEIGHT), folder / "sharpen.checkpoint", report
    )
    sample = torch.cat([latents(model, data.pixels[i : i + 256]) for i in range(0, 2048, 256)])
    model.register_to_config(scaling_factor=round(1 / float(sample.std()), 4))
    return model, history


@torch.inference_mode()
def latents(model: Any, pixels: Tensor) -> Tensor:
    """float32 [n, 8, 16, 16]; means, unscaled."""
    mean: Tensor = model.encode(signed(pixels)).latent_dist.mode()
    return mean


def detail(x: Tensor) -> Tensor:
    """float32 [n, 1, h, w]; how far a pixel is from the mean of its surroundings."""
    half = DETAIL_WINDOW // 2
    return (x - avg_pool2d(x, DETAIL_WINDOW, 1, half, count_include_pad=False)).abs().mean(dim=1, keepdim=True)


def _across(a: Tensor, b: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    return a.diff(dim=axis), b.diff(dim=axis)
