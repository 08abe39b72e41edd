"""People with a known taste: a utility that is a function of the pixels, so that any picture's truth is exact.

A person's utility is ``sqrt(SHARED) * common taste + sqrt(1 - SHARED) * own taste``, both linear in eight features of
the pixels. Ratings are the utility plus a habit of the person and noise, cut into five grades.
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
"""Mean and standard deviation of the features over 6,000 postcards, see rebeca/tinyworld/facts.py."""
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
"""What people like on the whole, by hand: colour and contrast, a little light, a bright sky."""
SHARED = 0.34
"""Share of the common taste in the variance of a utility."""
NOISE = 0.5
"""Standard deviation of a rating's noise, in those of the utility."""
HABIT = 0.25
"""Standard deviation of a person's lenience."""
CUTS = (-1.3, -0.5, 0.3, 1.2)
"""Ratings 2, 3, 4 and 5 begin here."""
_EDGE = 0.12
"""A colour leads with certainty from this lead on."""


def features(pictures: Iterable[Pixels]) -> Floats:
    """float64 [n, 8]; the features of uint8 pictures [height, width, 3], standardised over the world's postcards."""
    return np.asarray((raw_features(pictures) - CENTRE) / SPREAD)


def raw_features(pictures: Iterable[Pixels]) -> Floats:
    """float64 [n, 8]; as :func:`features`, not standardised."""
    rows = [_features(picture) for picture in pictures]
    return np.array(rows, np.float64).reshape(len(rows), len(FEATURES))


def _features(picture: Pixels) -> list[float]:
    """Means over whole pictures: what a decoder must keep is light and colour, not single edges."""
    rgb = picture.astype(np.float64) / 255
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
class People:
    """Everybody's taste.

    Attributes:
        weights: float64 [users, 8]; a utility is ``features @ weights.T`` and has unit variance over postcards.
        habit: float64 [users]; lenience.
        ratings: int [users]; how many pictures a person rates, at most.
    """

    weights: Floats
    habit: Floats
    ratings: Ints

    def utility(self, values: Floats) -> Floats:
        """float64 [users, n]; of standardised features [n, 8]."""
        return np.asarray(self.weights @ values.T)


def draw_people(count: int, seed: int) -> People:
    """Draws people; how much they rate is as skewed as in FLICKR-AES: many some hundred, a few very much."""
    rng = np.random.default_rng(seed_of("tinyworld", seed, "people"))
    own = _unit_variance(rng.normal(size=(count, len(FEATURES))))
    own = _unit_variance(own - own.mean(axis=0)) if count > 1 else own  # what is common is the common taste alone
    weights = np.sqrt(SHARED) * _unit_variance(COMMON[None, :]) + np.sqrt(1 - SHARED) * own
    ratings = np.clip(np.exp(rng.normal(np.log(380.0), 0.8, count)), 60, 1800).astype(np.int64)
    return People(_unit_variance(weights), rng.normal(0, HABIT, count), ratings)


def common_utility(values: Floats) -> Floats:
    """float64 [n]; the common taste alone, at unit variance, of standardised features [n, 8]."""
    return np.asarray(values @ _unit_variance(COMMON[None, :])[0])


def rate(people: People, utility: Floats, rng: np.random.Generator) -> Floats:
    """Ratings 1 to 5, float64 [users, n], of utilities [users, n]."""
    heard = utility + people.habit[:, None] + rng.normal(0, NOISE, utility.shape)
    return 1.0 + np.searchsorted(CUTS, heard)


def draw_ratings(people: People, utility: Floats, seed: int) -> tuple[Ints, Ints, Floats]:
    """Who rated what and how: user, item and rating 1 to 5 of every row; every person rates a random part.

    Args:
        people: Tastes and habits.
        utility: float64 [users, items].
        seed: Seed of the world.
    """
    rng = np.random.default_rng(seed_of("tinyworld", seed, "ratings"))
    users, items, ratings = [], [], []
    for user in range(len(utility)):
        seen = np.sort(rng.permutation(utility.shape[1])[: people.ratings[user]], kind="stable")
        heard = utility[user, seen] + people.habit[user] + rng.normal(0, NOISE, len(seen))
        users.append(np.full(len(seen), user))
        items.append(seen)
        ratings.append(1.0 + np.searchsorted(CUTS, heard))
    return np.concatenate(users), np.concatenate(items), np.concatenate(ratings)


def _unit_variance(weights: Floats) -> Floats:
    variance = np.einsum("uf,fg,ug->u", weights, CORRELATION, weights)
    return np.asarray(weights / np.sqrt(variance)[:, None])
