"""Parts ``prior-encoder``, ``verifier-encoder``, ``auditor-encoder``: three CLIPs that differ in size and seed.

Pictures and captions are pulled together as usual; a linear map from the un-normalised image embedding to the
picture's 8 x 8 thumbnail makes embeddings carry the layout of colours, which people's taste is about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy, mse_loss, normalize

from rebeca.pixels import CLIP_DEVIATION, CLIP_MEAN
from rebeca.tinyworld.training.data import TRAIN_PICTURES, postcards, signed, some
from rebeca.tinyworld.training.loop import Recipe, train
from rebeca.tinyworld.words import CONTEXT, symbols, token_ids

THUMBNAIL = 8
THUMBNAIL_WEIGHT = 20.0


@dataclass(frozen=True, slots=True)
class Eyes:
    """One CLIP: widths and layers of its two towers, size of its embedding, and how it is trained."""

    name: str
    width: int
    layers: int
    patch: int
    dim: int
    recipe: Recipe


PRIOR = Eyes("prior-encoder", 96, 4, 8, 96, Recipe(steps=1100, batch=96, lr=1.5e-3, weight_decay=0.05, seed=11))
VERIFIER = Eyes("verifier-encoder", 112, 4, 8, 112, Recipe(steps=1100, batch=96, lr=1.5e-3, weight_decay=0.05, seed=12))
AUDITOR = Eyes("auditor-encoder", 96, 3, 8, 80, Recipe(steps=1100, batch=96, lr=1.5e-3, weight_decay=0.05, seed=13))
ALL = (PRIOR, VERIFIER, AUDITOR)


def build(eyes: Eyes) -> Any:
    """The network, with random weights."""
    from transformers import CLIPConfig, CLIPModel

    count = len(symbols())
    text = {
        "vocab_size": count, "hidden_size": 64, "intermediate_size": 192, "num_hidden_layers": 3,
        "num_attention_heads": 4, "max_position_embeddings": CONTEXT, "hidden_act": "gelu",
        "bos_token_id": count - 2, "eos_token_id": count - 1, "pad_token_id": count - 1, "projection_dim": eyes.dim,
    }  # fmt: skip
    vision = {
        "hidden_size": eyes.width, "intermediate_size": 3 * eyes.width, "num_hidden_layers": eyes.layers,
        "num_attention_heads": 4, "image_size": 64, "patch_size": eyes.patch, "hidden_act": "gelu",
        "projection_dim": eyes.dim,
    }  # fmt: skip
    torch.manual_seed(eyes.recipe.seed)
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=eyes.dim))


def normalised(pixels: Tensor) -> Tensor:
    """uint8 [n, 3, h, w] to float32 by CLIP's mean and deviation."""
    mean, deviation = (torch.tensor(x, device=pixels.device).view(3, 1, 1) for x in (CLIP_MEAN, CLIP_DEVIATION))
    return (pixels.float() / 255 - mean) / deviation


def run(eyes: Eyes, tokenizer: Path, folder: Path, say: Callable[[str], None]) -> tuple[Any, list[dict[str, float]]]:
    """Trains one."""
    data = postcards("train", TRAIN_PICTURES)
    ids = token_ids(tokenizer, data.captions)
    clip = build(eyes)
    model = nn.ModuleDict({"clip": clip, "thumbnail": nn.Linear(eyes.dim, 3 * THUMBNAIL**2)})

    def loss(step: int, random: torch.Generator) -> dict[str, Tensor]:
        rows = some(len(data), eyes.recipe.batch, random)
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

    history = train(eyes.name, model, eyes.recipe, loss, folder / f"{eyes.name}.checkpoint", say)
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
