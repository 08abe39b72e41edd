"""Parts ``prior-encoder``, ``verifier-encoder``, ``auditor-encoder``: three CLIPs that differ in size and seed.

The contrastive loss is the usual one. A second loss predicts an 8 x 8 thumbnail from the un-normalised image embedding
by a linear map, so that embeddings carry the layout of colours, on which users' tastes depend.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy, mse_loss, normalize

from rebeca.pixels import CLIP_DEVIATION, CLIP_MEAN
from rebeca.tinyworld.models import CLIPS, build_clip
from scripts.tinyworld.data import TRAIN_POSTCARDS, postcards, random_rows, signed, token_ids
from scripts.tinyworld.loop import Recipe, train

THUMBNAIL = 8
THUMBNAIL_WEIGHT = 20.0


SEEDS = {"prior-encoder": 11, "verifier-encoder": 12, "auditor-encoder": 13}
RECIPES = {name: Recipe(steps=1100, batch=96, lr=1.5e-3, weight_decay=0.05, seed=seed) for name, seed in SEEDS.items()}


def build(name: str) -> Any:
    """The network of a part, with random weights."""
    torch.manual_seed(RECIPES[name].seed)
    return build_clip(CLIPS[name])


def normalised(pixels: Tensor) -> Tensor:
    """uint8 [n, 3, h, w] to float32 by CLIP's mean and deviation."""
    mean, deviation = (torch.tensor(x, device=pixels.device).view(3, 1, 1) for x in (CLIP_MEAN, CLIP_DEVIATION))
    return (pixels.float() / 255 - mean) / deviation


def run(name: str, tokenizer: Path, folder: Path, report: Callable[[str], None]) -> tuple[Any, list[dict[str, float]]]:
    """Trains one of them."""
    data = postcards("train", TRAIN_POSTCARDS)
    ids = token_ids(tokenizer, data.captions)
    recipe = RECIPES[name]
    clip = build(name)
    model = nn.ModuleDict({"clip": clip, "thumbnail": nn.Linear(CLIPS[name].dim, 3 * THUMBNAIL**2)})

    def loss(step: int, random: torch.Generator) -> dict[str, Tensor]:
        rows = random_rows(len(data), recipe.batch, random)
        pixels = data.pixels[rows]
        image, text = image_embeds(clip, pixels), text_embeds(clip, ids[rows])
        scale = clip.logit_scale.exp().clamp(max=100)
        logits = scale * normalize(image, dim=-1) @ normalize(text, dim=-1).T
        own = torch.arange(len(rows))
        small = adaptive_avg_pool2d(signed(pixels), THUMBNAIL).flatten(1)
        return {
            "contrast": (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2,
            "thumbnail": THUMBNAIL_WEIGHT * mse_loss(model["thumbnail"](image), small),
        }

    history = train(name, model, recipe, loss, folder / f"{name}.checkpoint", report)
    return clip, history


def image_embeds(clip: Any, pixels: Tensor) -> Tensor:
    """float32 [n, dim]; un-normalised."""
    pooled = clip.vision_model(pixel_values=normalised(pixels)).pooler_output
    out: Tensor = clip.visual_projection(pooled)
    return out


def text_embeds(clip: Any, ids: Tensor) -> Tensor:
    """float32 [n, dim]; un-normalised."""
    out: Tensor = clip.text_projection(clip.text_model(input_ids=ids).pooler_output)
    return out
