"""Sprites: two shapes in two colours, four tastes, known probabilities of a like.

The world of the published synthetic experiment, drawn anew (the original uses dSprites): a heart or a square, red or
blue, somewhere on a black 64 x 64 image at any angle. A user's taste is one shape and one colour; an image is
liked with probability .95, .10 or .01 when two, one or none of them match.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Le

from rebeca.arrays import Bools, Floats, Ints, Pixels
from rebeca.data.catalogue import ArraySource, Catalogue
from rebeca.data.dataset import Dataset, GroundTruth
from rebeca.data.interactions import Interactions
from rebeca.params import Count
from rebeca.seeds import seed_of

SIZE = 64
RADIUS = 12.0
"""Half the width of a sprite, pixels."""
OVERSAMPLE = 2
LIKE_PROBABILITY = (0.01, 0.10, 0.95)
"""For 0, 1 and 2 matching attributes."""
COLOURS = np.array([[255, 0, 0], [0, 0, 255]], np.float32)
SHAPES = ("heart", "square")
COLOUR_NAMES = ("red", "blue")
COMBINATIONS = 4


@dataclass(frozen=True, slots=True)
class SpritesParams:
    """Size of the world.

    Attributes:
        sprites: Items per combination of shape and colour, at most 10,000.
        users_per_taste: Users per taste, at most 1,000; 1 as published.
        seed: Draws items and likes.
    """

    sprites: Annotated[Count, Le(10_000)] = 1000
    users_per_taste: Annotated[Count, Le(1_000)] = 10
    seed: int = 0


def exact_values() -> dict[str, float]:
    """What an exact sampler of p(image | liked) reaches: share of matching combinations, and expected precision.

    One combination matches a user's taste, two match half of it, one does not match; all are equally frequent.
    """
    none, half, both = LIKE_PROBABILITY
    weights = np.array([none, 2 * half, both])
    shares = weights / weights.sum()
    return {"top-utility": float(shares[2]), "ground-truth": float(shares @ np.array(LIKE_PROBABILITY))}


def make_sprites(params: SpritesParams) -> Dataset:
    """Draws items and ratings (1 like, 0 no like): every user rates every item."""
    combination = np.repeat(np.arange(COMBINATIONS), params.sprites)
    pixels = render(combination, np.random.default_rng(seed_of("sprites", params.seed, "pictures")))
    num_users = COMBINATIONS * params.users_per_taste
    taste = np.arange(num_users) % COMBINATIONS
    probability = like_probability(taste[:, None], combination[None, :])
    liked = np.random.default_rng(seed_of("sprites", params.seed, "likes")).random(probability.shape) < probability
    user, item = np.divmod(np.arange(probability.size), len(combination))
    user_ids = tuple(f"{_name(int(t))}-{u // COMBINATIONS}" for u, t in enumerate(taste))
    item_ids = tuple(f"{_name(int(c))}-{i % params.sprites:05d}" for i, c in enumerate(combination))
    ratings = Interactions(
        user.astype(np.int32),
        item.astype(np.int32),
        liked.ravel().astype(np.float64),
        liked.ravel(),
        user_ids,
        item_ids,
    )
    return Dataset(
        title="Sprites",
        licence="drawn by this project, Apache-2.0",
        redistribute=True,
        catalogue=Catalogue(item_ids, ArraySource(pixels), np.zeros(len(combination), np.int64)),
        ratings=ratings,
        block_of_user=np.zeros(num_users, np.int64),
        scale=(0.0, 1.0),
        ground_truth=GroundTruth(
            unit="probability",
            meaning="Probability with which this user likes this sprite, known by construction.",
            utility=lambda users, items: like_probability(taste[users], combination[items]),
            exact=exact_values(),
        ),
    )


def like_probability(taste: Ints, combination: Ints) -> Floats:
    """float64; of tastes and combinations (0 to 3: shape * 2 + colour), index arrays that broadcast."""
    matches = (taste // 2 == combination // 2).astype(int) + (taste % 2 == combination % 2)
    return np.asarray(LIKE_PROBABILITY)[matches]


def render(combination: Ints, rng: np.random.Generator) -> Pixels:
    """uint8 [n, 64, 64, 3]; one sprite per image at a random place and angle, drawn at twice the size and averaged."""
    n = len(combination)
    margin = RADIUS * np.sqrt(2) + 1
    centre = rng.uniform(margin, SIZE - margin, (n, 2)).astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi, n).astype(np.float32)
    grid = (np.arange(SIZE * OVERSAMPLE, dtype=np.float32) + 0.5) / OVERSAMPLE
    out = np.empty((n, SIZE, SIZE, 3), np.uint8)
    for start in range(0, n, 256):
        rows = slice(start, start + 256)
        y = (grid[None, :, None] - centre[rows, 1, None, None]) / RADIUS
        x = (grid[None, None, :] - centre[rows, 0, None, None]) / RADIUS
        cos, sin = np.cos(angle[rows])[:, None, None], np.sin(angle[rows])[:, None, None]
        u, v = cos * x + sin * y, cos * y - sin * x
        heart = _heart(u, v)
        square = np.maximum(np.abs(u), np.abs(v)) <= 1
        inside = np.where((combination[rows] // 2 == 0)[:, None, None], heart, square)
        cover = inside.reshape(len(inside), SIZE, OVERSAMPLE, SIZE, OVERSAMPLE).mean(axis=(2, 4), dtype=np.float32)
        out[rows] = np.rint(cover[..., None] * COLOURS[combination[rows] % 2][:, None, None, :])
    return out


def _heart(u: Floats, v: Floats) -> Bools:
    """The implicit heart (x^2 + y^2 - 1)^3 < x^2 y^3, pointing down, scaled to the square's extent."""
    x, y = u * 1.2, -v * 1.2 + 0.1
    xx, yy = x * x, y * y
    disc = xx + yy - 1
    return disc * disc * disc <= xx * yy * y


def _name(combination: int) -> str:
    return f"{COLOUR_NAMES[combination % 2]}-{SHAPES[combination // 2]}"
