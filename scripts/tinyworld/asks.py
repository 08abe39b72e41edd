"""``python -m scripts.tinyworld.asks``: whether the worlds ask for content, or colours alone suffice.

For every world it prints how much of the ground truth colours explain, and the mean percentile of images without
content: postcards whose things were removed or scrambled, means of several, and two-colour gradients chosen by what
colours the user rated well.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from rebeca.arrays import Floats, Ints, Pixels
from rebeca.seeds import seed_of
from rebeca.tinyworld.colours import colours
from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import Scenes, draw_scenes
from rebeca.tinyworld.support import inside
from rebeca.tinyworld.taste import draw_tastes, see
from rebeca.tinyworld.world import TinyworldParams, make_tinyworld, percentile
from scripts.tinyworld.treated import OUTLIERS, as_pixels

WORLDS = (2, 3, 4)
GRADIENTS = 4000
BEST, MIXED = 4, 5
SCRAMBLED = (
    "blocks shuffled",
    "blocks shuffled in their row",
    "rows or columns rolled",
    "thumbnails of 4 to 12 pixels",
)
STRENGTH = 10.0
"""Of the ridge regressions."""


def asked(seed: int) -> dict[str, float]:
    """All figures of one world, by name."""
    params = TinyworldParams(seed=seed)
    world = make_tinyworld(params)
    assert world.ground_truth is not None and world.ground_truth.of_images is not None
    percentiles, users = world.ground_truth.of_images, np.arange(params.users)
    known = world.ground_truth.utility(users[:, None], np.arange(params.items)[None, :])
    scenes = draw_scenes(params.items, seed, "catalogue")
    pixels = render(scenes)
    values = colours(pixels)
    ideals = draw_scenes(params.users, seed, "ideals")
    ranked = np.argsort(-known, axis=1, kind="stable")
    best = ranked[:, :BEST]
    rng = np.random.default_rng(seed_of("tinyworld", seed, "scrambled"))
    scrambled = {name: percentiles(OUTLIERS[name](pixels, rng)) for name in SCRAMBLED}
    mixed = as_pixels(np.stack([pixels[rows].mean(axis=0) for rows in ranked[:, :MIXED]]))
    bare = recoloured(render(_bare(scenes)), pixels)
    gradients = two_colours(seed)
    learned = np.stack([_liking(world.ratings, user, values, colours(gradients)) for user in range(params.users)])
    chosen = np.argsort(-learned, axis=1, kind="stable")[:, :BEST]
    seen = see(pixels)
    tastes = draw_tastes(params.users, seed, seen)
    utility = tastes.utility(seen)
    utility = np.where(inside(pixels), utility, utility.min(axis=1, keepdims=True))  # as in the world
    unbounded = percentile(np.sort(utility, axis=1), tastes.utility(see(gradients)))
    return {
        "variance of the ground truth that colours explain": float(np.mean([_explained(values, row) for row in known])),
        "the user's four best items": _mean(known, best),
        "these, things removed, colours kept": _mean(percentiles(bare), best),
        **{f"these, {name}": _mean(values, best) for name, values in scrambled.items()},
        "the mean of the user's five best items": float(percentiles(mixed).diagonal().mean()),
        "the user's ideal postcard": float(percentiles(render(ideals)).diagonal().mean()),
        "this, things removed, colours kept": float(
            percentiles(recoloured(render(_bare(ideals)), render(ideals))).diagonal().mean()
        ),
        "share of gradients inside the world": float(inside(gradients).mean()),
        "the four best gradients": _mean(percentiles(gradients), chosen),
        "the four best gradients, if they were inside": _mean(unbounded, chosen),
    }


def recoloured(images: Pixels, models: Pixels) -> Pixels:
    """uint8 [n, h, w, 3]; images with the mean and the spread that each channel of their models has."""
    values, wanted = images.astype(np.float64), models.astype(np.float64)
    mean, spread = values.mean(axis=(1, 2), keepdims=True), values.std(axis=(1, 2), keepdims=True)
    scaled = (values - mean) / np.maximum(spread, 1) * wanted.std(axis=(1, 2), keepdims=True)
    return np.rint(np.clip(scaled + wanted.mean(axis=(1, 2), keepdims=True), 0, 255)).astype(np.uint8)


def two_colours(seed: int) -> Pixels:
    """Gradients of any two colours in any direction, uint8 [4000, 64, 64, 3]."""
    rng = np.random.default_rng(seed_of("tinyworld", seed, "gradients"))
    ends = rng.integers(0, 256, (GRADIENTS, 2, 3)).astype(np.float64)
    angle = rng.uniform(0, 2 * np.pi, GRADIENTS)
    y, x = (np.mgrid[0:64, 0:64] + 0.5) / 64 - 0.5
    shares = np.cos(angle)[:, None, None] * x + np.sin(angle)[:, None, None] * y
    shares = np.clip(shares + 0.5, 0, 1)[..., None]
    first, second = ends[:, 0, None, None, :], ends[:, 1, None, None, :]
    return np.rint(first + (second - first) * shares).astype(np.uint8)


def _bare(scenes: Scenes) -> Scenes:
    none = np.zeros(len(scenes), np.int64)
    return replace(scenes, disc=none, clouds=none, ridges=none, trees=none, houses=none, boats=none)


def _liking(ratings: Any, user: int, values: Floats, others: Floats) -> Floats:
    """float64 [n]; ratings of other images by a quadratic in colours, learned from all ratings of a user."""
    own = ratings.user == user
    model = make_pipeline(PolynomialFeatures(2), StandardScaler(), Ridge(STRENGTH))
    predicted: Floats = model.fit(values[ratings.item[own]], ratings.rating[own]).predict(others)
    return predicted


def _explained(values: Floats, known: Floats) -> float:
    """Share of the variance over items that a ridge regression explains, on items that it was not fitted to."""
    predicted = cross_val_predict(Ridge(STRENGTH), values, known, cv=5)
    return 1 - float(((known - predicted) ** 2).sum() / ((known - known.mean()) ** 2).sum())


def _mean(known: Floats, chosen: Ints) -> float:
    return float(np.take_along_axis(known, chosen, axis=1).mean())


def main() -> None:
    """Prints a table, a column per world."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, nargs="+", default=WORLDS)
    worlds = parser.parse_args().worlds
    figures = [asked(seed) for seed in worlds]
    sys.stdout.write("".join(f"{seed:8d}" for seed in worlds) + "  world\n")
    for name in figures[0]:
        sys.stdout.write("".join(f"{row[name]:8.3f}" for row in figures) + f"  {name}\n")


if __name__ == "__main__":
    main()
