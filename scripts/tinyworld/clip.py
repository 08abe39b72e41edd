"""Parts ``prior-encoder``, ``verifier-encoder``, ``auditor-encoder``: three CLIPs that differ in size and seed.

The contrastive loss is the usual one. Two linear maps of the un-normalised image embedding predict more, so that
embeddings carry what users' tastes depend on: an 8 x 8 thumbnail, for the layout of colours, and what the postcard
shows. Without the second, embeddings lose the houses.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy, mse_loss, normalize

from rebeca.pixels import CLIP_DEVIATION, CLIP_MEAN
from rebeca.tinyworld.contents import CLASSES, contents_of
from rebeca.tinyworld.models import CLIPS, build_clip
from scripts.tinyworld.data import TRAIN_POSTCARDS, postcards, random_rows, signed, token_ids
from scripts.tinyworld.loop import Recipe, train

THUMBNAIL = 8
THUMBNAIL_WEIGHT = 20.0
CONTENTS_WEIGHT = 0.25
UNKNOWN = -1
"""Class of a content that a postcard does not have."""

SEEDS = {"prior-encoder": 11, "verifier-encoder": 12, "auditor-encoder": 13}
RECIPES = {name: Recipe(steps=2500, batch=96, lr=1.5e-3, weight_decay=0.05, seed=seed) for name, seed in SEEDS.items()}


def build(name: str) -> Any:
    """The network of a part, with random weights."""
    torch.manual_seed(RECIPES[name].seed)
    return build_clip(CLIPS[name])


def run(name: str, tokenizer: Path, folder: Path, report: Callable[[str], None]) -> tuple[Any, list[dict[str, float]]]:
    """Trains one of them."""
    data = postcards("train", TRAIN_POSTCARDS)
    ids = token_ids(tokenizer, data.captions)
    recipe = RECIPES[name]
    clip = build(name)
    dim = CLIPS[name].dim
    model = nn.ModuleDict(
        {
            "clip": clip,
            "thumbnail": nn.Linear(dim, 3 * THUMBNAIL**2),
            "contents": nn.Linear(dim, sum(CLASSES.values())),
        }
    )
    contents = contents_of(data.scenes)
    classes = torch.from_numpy(np.where(contents.known, contents.classes, UNKNOWN))

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
            "contents": CONTENTS_WEIGHT * contents_loss(model["contents"](image), classes[rows]),
        }

    history = train(name, model, recipe, loss, folder / f"{name}.checkpoint", report)
    return clip, history


def contents_loss(logits: Tensor, classes: Tensor) -> Tensor:
    """Sum over contents of the mean cross-entropy.

    Args:
        logits: float32 [n, sum of classes], one content after another.
        classes: int64 [n, contents]; :data:`UNKNOWN` is left out.
    """
    parts = logits.split(list(CLASSES.values()), dim=1)
    terms = [cross_entropy(part, classes[:, i], ignore_index=UNKNOWN) for i, part in enumerate(parts)]
    return torch.stack(terms).sum()


def image_embeds(clip: Any, pixels: Tensor) -> Tensor:
    """float32 [n, dim] of uint8 [n, 3, h, w]; un-normalised."""
    return embeds_of(clip, pixels.float() / 255)


def embeds_of(clip: Any, images: Tensor) -> Tensor:
    """float32 [n, dim] of float32 [n, 3, h, w] in [0, 1]; un-normalised."""
    mean, deviation = (torch.tensor(x, device=images.device).view(3, 1, 1) for x in (CLIP_MEAN, CLIP_DEVIATION))
    pooled = clip.vision_model(pixel_values=(images - mean) / deviation).pooler_output
    out: Tensor = clip.visual_projection(pooled)
    return out


def text_embeds(clip: Any, ids: Tensor) -> Tensor:
    """float32 [n, dim]; un-normalised."""
    out: Tensor = clip.text_projection(clip.text_model(input_ids=ids).pooler_output)
    return out
