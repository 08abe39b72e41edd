"""Part ``detector``: the network that tells postcards from images that merely have their statistics.

Trained on renders of a stream of its own, on images that the shipped decoder generates from their embeddings and
captions, and on what is none: :data:`scripts.tinyworld.treated.OUTLIERS`, and images that are changed until they pass.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from rebeca.arrays import Pixels
from rebeca.decoders.stable_diffusion import StableDiffusion, StableDiffusionParams
from rebeca.interfaces import DecoderContext, Request
from rebeca.seeds import seed_of
from rebeca.space import LinearSpace
from rebeca.tinyworld import detector
from rebeca.tinyworld.models import load_clip, scaled
from rebeca.tinyworld.scenes import Scenes
from scripts.tinyworld import clip
from scripts.tinyworld.data import Postcards, as_images, postcards, random_rows
from scripts.tinyworld.loop import Recipe, train
from scripts.tinyworld.treated import OUTLIERS, drawings, fields, gradients, treated_honestly

RECIPE = Recipe(steps=10000, batch=64, lr=3e-3, weight_decay=0.02, average=0.998, seed=61)
STREAM, POSTCARDS = "detector", 60_000
LIMIT_POSTCARDS = 24_000
"""Other postcards, on which the limit is set."""
GENERATED = 4000
"""Images that are generated, a quarter each from embeddings at two guidances, from means of two, and from captions."""
STEPS = 8
GENERATED_SHARE = 0.3
"""Of the postcards in a batch."""
CHANGED = 24
"""Outliers of a batch that are changed until they pass, were it possible: gradients, drawings and random fields."""
CHANGES, CHANGE = 6, 8 / 127.5
"""Steps of these changes, and the size of a step per pixel."""
QUANTILE = 0.0005
"""Share of renders whose score lies below 0."""
THINGS = 3
"""Outliers are made of postcards that show so many kinds of things; rows of an empty one can be moved unnoticed."""


def build() -> Any:
    """The network, with random weights."""
    torch.manual_seed(RECIPE.seed)
    return detector.build()


def run(folder: Path, report: Callable[[str], None]) -> tuple[Any, list[dict[str, float]]]:
    """Trains it, then shifts its scores so that almost all renders have 0 or more."""
    data = postcards(STREAM, POSTCARDS)
    rng = np.random.default_rng(seed_of("tinyworld", STREAM, "treated"))
    renders = as_images(data.pixels)
    outliers = np.concatenate(list(examples(OUTLIERS, with_things(data, renders), rng).values()))
    honest, none = (torch.from_numpy(treated_honestly(images, rng)) for images in (renders, outliers))
    own = torch.from_numpy(generated(data, folder / "generated.npy", report))
    report(f"{detector.PART}: {len(honest)} renders, {len(own)} generated, {len(none)} outliers")
    free = np.random.default_rng(seed_of("tinyworld", STREAM, "changed"))
    starts = torch.from_numpy(np.concatenate([make(renders[:2000], free) for make in (gradients, drawings, fields)]))
    model = build().to(memory_format=torch.channels_last)

    def loss(step: int, random: torch.Generator) -> dict[str, Tensor]:
        few = round(RECIPE.batch * GENERATED_SHARE)
        good = torch.cat(
            [
                honest[random_rows(len(honest), RECIPE.batch - few, random)],
                own[random_rows(len(own), few, random)],
            ]
        )
        bad = mirrored(scaled(none[random_rows(len(none), RECIPE.batch - CHANGED, random)].float()), random)
        changed = changed_to_pass(model, scaled(starts[random_rows(len(starts), CHANGED, random)].float()), random)
        good_scores, bad_scores = model(mirrored(scaled(good.float()), random)), model(torch.cat([bad, changed]))
        ordinary, passing = bad_scores.split([len(bad), CHANGED])
        return {
            "postcards": softplus(-good_scores).mean(),
            "outliers": softplus(ordinary).mean() * 0.7,
            "changed": softplus(passing).mean() * 0.3,
        }

    history = train(detector.PART, model, RECIPE, loss, folder / f"{detector.PART}.checkpoint", report)
    limit = np.quantile(scores(model, as_images(postcards(f"{STREAM} limit", LIMIT_POSTCARDS).pixels)), QUANTILE)
    with torch.no_grad():
        model.head.bias -= float(limit)
    return model, history


def mirrored(images: Tensor, random: torch.Generator) -> Tensor:
    """Half of the images [n, 3, h, w], from left to right."""
    return torch.where(torch.rand(len(images), 1, 1, 1, generator=random) < 0.5, images, images.flip(3))


@torch.inference_mode()
def scores(model: Any, images: Pixels) -> np.ndarray:
    """float64 [n]."""
    parts = [model(scaled(part.float())) for part in torch.from_numpy(images).split(256)]
    return torch.cat(parts).double().numpy()


def with_things(data: Postcards, renders: Pixels) -> Pixels:
    """The postcards that show several kinds of things."""
    return renders[kinds_of_things(data.scenes) >= THINGS]


def kinds_of_things(scenes: Scenes) -> np.ndarray:
    """Int [n]; of sun or moon, clouds, mountains, trees, houses and boats."""
    counts = (scenes.disc, scenes.clouds, scenes.ridges, scenes.trees, scenes.houses, scenes.boats)
    return np.sum([count > 0 for count in counts], axis=0)


def examples(kinds: Any, images: Pixels, rng: np.random.Generator) -> dict[str, Pixels]:
    """By kind; every kind of as many images."""
    each = len(images) // len(kinds)
    return {name: make(images[i * each : (i + 1) * each], rng) for i, (name, make) in enumerate(kinds.items())}


def changed_to_pass(model: Any, images: Tensor, random: torch.Generator) -> Tensor:
    """Images [n, 3, h, w] after steps along the gradient's signs, of one random size per image."""
    changed = images
    size = CHANGE * torch.rand(len(images), 1, 1, 1, generator=random)
    for _ in range(CHANGES):
        changed = changed.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(model(changed).sum(), changed)
        changed = (changed + size * gradient.sign()).clamp(-1, 1)
    return changed.detach()


def generated(data: Postcards, file: Path, report: Callable[[str], None]) -> Pixels:
    """uint8 [n, 64, 64, 3]; made once and kept in ``file``."""
    if file.is_file():
        kept: Pixels = np.load(file)
        return kept
    each = GENERATED // 4
    with torch.inference_mode():
        wanted = clip.image_embeds(load_clip("prior-encoder"), data.pixels[: 4 * each]).numpy()
    ways = (
        (1.0, wanted[:each]),
        (2.0, wanted[each : 2 * each]),
        (4.0, wanted[2 * each : 3 * each] + wanted[3 * each :]),
        (3.0, None),
    )
    out = []
    for number, (guidance, embeddings) in enumerate(ways):
        words = [""] * each if embeddings is not None else list(data.captions[:each])
        decoder = StableDiffusion(
            StableDiffusionParams(steps=STEPS, image_guidance=guidance), DecoderContext.alone(LinearSpace())
        )
        requests = [Request(STREAM, i, seed_of("tinyworld", STREAM, number, i)) for i in range(each)]
        images = decoder.generate_pixels(requests, words, [""] * each, embeddings)
        out += [image for image in images if image is not None]
        report(f"{detector.PART}: {len(out)} images generated")
    kept = np.stack(out)
    np.save(file, kept)
    return kept
