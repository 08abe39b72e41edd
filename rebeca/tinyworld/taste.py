"""Users with a known taste: a utility that is a function of the pixels, so that it is exact for any image.

A user's utility is ``sqrt(SHARED) * common taste + sqrt(1 - SHARED) * own taste``, both linear in eight features of
the pixels. Ratings are the utility plus a habit of the user and noise, cut into five grades.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rebeca.arrays import Floats, Ints, Pixels
from rebeca.seeds import seed_of

FEATURES = (
    "brightness",
    "contrast",
    "colourfulness",
    "warmth",
    "saturation",
    "vertical gradient",
    "green share",
    "blue share",
)
CENTRE = np.array([0.4939, 0.127, 0.2481, -0.0213, 0.2691, -0.0141, 0.061, 0.4068])
SPREAD = np.array([0.1838, 0.0282, 0.1166, 0.2016, 0.1236, 0.122, 0.1207, 0.2527])
"""Mean and standard deviation of the features over 6,000 postcards, see scripts/tinyworld/facts.py."""
CORRELATION = np.array(
    [
        [1.0, 0.333, 0.481, -0.006, 0.353, -0.019, 0.043, -0.14],
        [0.333, 1.0, 0.275, -0.261, 0.225, -0.036, 0.072, 0.14],
        [0.481, 0.275, 1.0, 0.145, 0.919, 0.041, 0.153, -0.118],
        [-0.006, -0.261, 0.145, 1.0, 0.1, -0.0, -0.085, -0.827],
        [0.353, 0.225, 0.919, 0.1, 1.0, -0.002, 0.072, 0.021],
        [-0.019, -0.036, 0.041, -0.0, -0.002, 1.0, 0.351, -0.088],
        [0.043, 0.072, 0.153, -0.085, 0.072, 0.351, 1.0, -0.108],
        [-0.14, 0.14, -0.118, -0.827, 0.021, -0.088, -0.108, 1.0],
    ]
)
"""Of the features over the same postcards."""
COMMON = np.array([0.3, 0.8, 0.9, 0.0, 0.2, 0.3, 0.0, 0.0])
"""What users like on the whole, chosen by hand: colour and contrast, a little light, a bright sky."""
SHARED = 0.34
"""Share of the common taste in the variance of a utility."""
NOISE = 0.5
"""Standard deviation of a rating's noise, where the utility's is 1."""
HABIT = 0.25
"""Standard deviation of a user's lenience."""
CUTS = (-1.3, -0.5, 0.3, 1.2)
"""Ratings 2, 3, 4 and 5 begin here."""
_EDGE = 0.12
"""From this lead on over the other channels, a pixel counts fully to its colour's share."""


def features(images: Iterable[Pixels]) -> Floats:
    """float64 [n, 8]; the features of uint8 images [height, width, 3], standardised over the world's postcards."""
    return (raw_features(images) - CENTRE) / SPREAD


def raw_features(images: Iterable[Pixels]) -> Floats:
    """float64 [n, 8]; as :func:`features`, not standardised."""
    rows = [_features(image) for image in images]
    return np.array(rows, np.float64).reshape(len(rows), len(FEATURES))


def _features(image: Pixels) -> list[float]:
    """Means over the whole image, so that a decoder must keep light and colour, but not single edges."""
    rgb = image.astype(np.float64) / 255
    r, g, b = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    high, low = rgb.max(axis=2), rgb.min(axis=2)
    red_green, yellow_blue = r - g, (r + g) / 2 - b
    colourfulness = np.sqrt(red_green.var() + yellow_blue.var()) + 0.3 * np.sqrt(
        red_green.mean() ** 2 + yellow_blue.mean() ** 2
    )  # Hasler and Suesstrunk 2003
    half = len(luma) // 2
    return [
        float(luma.mean()),
        float(luma.std()),
        float(colourfulness),
        float((r - b).mean()),
        float((high - low).mean()),
        float(luma[:half].mean() - luma[half:].mean()),
        float(np.clip((g - np.maximum(r, b)) / _EDGE, 0, 1).mean()),
        float(np.clip((b - np.maximum(r, g)) / _EDGE, 0, 1).mean()),
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Tastes:
    """The tastes of all users.

    Attributes:
        weights: float64 [users, 8]; a utility is ``features @ weights.T`` and has unit variance over postcards.
        habit: float64 [users]; lenience.
        ratings: int [users]; number of items that a user rates, at most.
    """

    weights: Floats
    habit: Floats
    ratings: Ints

    def utility(self, values: Floats) -> Floats:
        """float64 [users, n]; of standardised features [n, 8]."""
        return self.weights @ values.T


def draw_tastes(count: int, seed: int) -> Tastes:
    """Draws users. Their numbers of ratings are skewed as in FLICKR-AES: many have some hundred, few over 1,000."""
    rng = np.random.default_rng(seed_of("tinyworld", seed, "people"))
    own = unit_variance(rng.normal(size=(count, len(FEATURES))))
    own = unit_variance(own - own.mean(axis=0)) if count > 1 else own  # only the common taste is shared
    weights = np.sqrt(SHARED) * unit_variance(COMMON[None, :]) + np.sqrt(1 - SHARED) * own
    ratings = np.clip(np.exp(rng.normal(np.log(380.0), 0.8, count)), 60, 1800).astype(np.int64)
    return Tastes(unit_variance(weights), rng.normal(0, HABIT, count), ratings)


def rate(utility: Floats, habit: Floats, rng: np.random.Generator) -> Floats:
    """Ratings 1 to 5, float64, of utilities of any shape; the habits of their users broadcast to it."""
    return 1.0 + np.searchsorted(CUTS, utility + habit + rng.normal(0, NOISE, utility.shape))


def draw_ratings(tastes: Tastes, utility: Floats, seed: int) -> tuple[Ints, Ints, Floats]:
    """User, item and rating 1 to 5 of every row; every user rates a random part of the items.

    Args:
        tastes: Weights and habits.
        utility: float64 [users, items].
        seed: Seed of the world.
    """
    rng = np.random.default_rng(seed_of("tinyworld", seed, "ratings"))
    items, ratings = [], []
    for user in range(len(utility)):
        items.append(np.sort(rng.permutation(utility.shape[1])[: tastes.ratings[user]], kind="stable"))
        ratings.append(rate(utility[user, items[-1]], tastes.habit[user], rng))
    users = np.repeat(np.arange(len(items)), [len(rated) for rated in items])
    return users, np.concatenate(items), np.concatenate(ratings)


def unit_variance(weights: Floats) -> Floats:
    """Weights [users, 8] scaled so that every user's utility has variance 1 over postcards."""
    variance = np.einsum("uf,fg,ug->u", weights, CORRELATION, weights)
    return weights / np.sqrt(variance)[:, None]
