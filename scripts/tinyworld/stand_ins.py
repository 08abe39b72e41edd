"""Parts ``hps`` and ``laion``: stand-ins for two scorers of what users like on the whole.

Both learn the common taste from synthetic raters and nothing about single users: ``hps`` from choices between two
postcards of one place (Bradley and Terry 1952), ``laion`` from the mean of twenty users' ratings.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from rebeca.arrays import Floats, Ints
from rebeca.seeds import seed_of
from rebeca.tinyworld.scenes import LAND, MODELS_SEED, TIMES, Scenes
from rebeca.tinyworld.taste import draw_tastes, rate, see
from scripts.tinyworld.clip import image_embeds, text_embeds
from scripts.tinyworld.data import TRAIN_POSTCARDS, postcards, token_ids
from scripts.tinyworld.loop import Recipe, train

HPS_RECIPE = Recipe(steps=400, batch=48, lr=3e-4, weight_decay=0.05, seed=31)
CHOICE_STEEPNESS = 2.0
"""Log-odds of preferring a postcard whose common utility is a standard deviation higher."""
NEUTRAL_PROMPT = ""
RATERS = 20
RATED_POSTCARDS = 6000
RIDGE = 1.0


def places(scenes: Scenes) -> tuple[str, ...]:
    """The part of every caption that names place and time."""
    return tuple(f"a {LAND[int(g)]} at {TIMES[int(t)]}" for g, t in zip(scenes.ground, scenes.time, strict=True))


def common(pixels: Tensor) -> Floats:
    """float64 [n]; the common taste alone, of uint8 [n, 3, h, w]; its variance is 1."""
    seen = see(pixels.permute(0, 2, 3, 1).numpy())
    return draw_tastes(1, MODELS_SEED, seen).common(seen)


def pairs(scenes: Scenes, count: int, rng: np.random.Generator) -> Ints:
    """Int [count, 2]; two postcards of the same ground and time."""
    place = scenes.ground * len(TIMES) + scenes.time
    order = np.argsort(place, kind="stable")
    bounds = np.searchsorted(place[order], np.arange(len(TIMES) * len(LAND) + 1))
    first = rng.integers(0, len(scenes), count)
    low, high = bounds[place[first]], bounds[place[first] + 1]
    return np.stack([first, order[rng.integers(low, high)]], axis=1)


def choices(utility: Floats, chosen: Ints, rng: np.random.Generator) -> Ints:
    """Int [n]; 0 where the rater takes the first of a pair, else 1."""
    difference = utility[chosen[:, 0]] - utility[chosen[:, 1]]
    return (rng.random(len(chosen)) > 1 / (1 + np.exp(-CHOICE_STEEPNESS * difference))).astype(np.int64)


def run_hps(
    clip: Any, tokenizer: Path, folder: Path, report: Callable[[str], None]
) -> tuple[Any, list[dict[str, float]]]:
    """Tunes a copy of a CLIP on choices; half of them with the place's name as the prompt, half with none."""
    data = postcards("train", TRAIN_POSTCARDS)
    utility = common(data.pixels)
    ids, none = token_ids(tokenizer, places(data.scenes)), token_ids(tokenizer, (NEUTRAL_PROMPT,))
    model = copy.deepcopy(clip)

    def loss(step: int, random: torch.Generator) -> dict[str, Tensor]:
        rng = np.random.default_rng(seed_of("tinyworld", HPS_RECIPE.seed, "choices", step))
        chosen = pairs(data.scenes, HPS_RECIPE.batch, rng)
        taken = torch.from_numpy(choices(utility, chosen, rng))
        image = normalize(image_embeds(model, data.pixels[chosen.reshape(-1)]), dim=-1).view(len(chosen), 2, -1)
        words = torch.where(torch.rand(len(chosen), 1, generator=random) < 0.5, ids[chosen[:, 0]], none)
        text = normalize(text_embeds(model, words), dim=-1)
        logits = model.logit_scale.exp() * torch.einsum("npd,nd->np", image, text)
        return {"choice": cross_entropy(logits, taken)}

    history = train("hps", model, HPS_RECIPE, loss, folder / "hps.checkpoint", report)
    return model, history


def run_laion(clip: Any) -> tuple[Tensor, Tensor]:
    """Weight [1, dim] and bias [1] of a linear head on normalised embeddings, by ridge regression."""
    data = postcards("train", TRAIN_POSTCARDS)
    pixels = data.pixels[:RATED_POSTCARDS]
    target = mean_ratings(pixels, np.random.default_rng(seed_of("tinyworld", MODELS_SEED, "mean ratings")))
    x = unit_embeds(clip, pixels).double().numpy()
    centre = x.mean(axis=0)
    weight = np.linalg.solve((x - centre).T @ (x - centre) + RIDGE * np.eye(x.shape[1]), (x - centre).T @ target)
    bias = target.mean() - centre @ weight
    return torch.from_numpy(weight[None]).float(), torch.tensor([bias]).float()


def mean_ratings(pixels: Tensor, rng: np.random.Generator) -> Floats:
    """float64 [n]; the mean over raters, who rate every postcard of uint8 [n, 3, h, w]."""
    seen = see(pixels.permute(0, 2, 3, 1).numpy())
    tastes = draw_tastes(RATERS, MODELS_SEED, seen)
    return rate(tastes.utility(seen), tastes.leniency[:, None], rng).mean(axis=0)


@torch.inference_mode()
def unit_embeds(clip: Any, pixels: Tensor) -> Tensor:
    """float32 [n, dim]; normalised image embeddings."""
    return torch.cat([normalize(image_embeds(clip, pixels[i : i + 250]), dim=-1) for i in range(0, len(pixels), 250)])
