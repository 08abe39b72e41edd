"""What a postcard shows, as classes and numbers: what the recogniser reads from pixels. Tastes use a part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rebeca.arrays import Bools, Floats, Ints
from rebeca.tinyworld.scenes import (
    BOATS,
    CLOUDS,
    DISCS,
    GROUNDS,
    HOUSE_COLOURS,
    HOUSES,
    LEAST_CAP,
    RIDGES,
    TREES,
    Scenes,
)

CLASSES: Mapping[str, int] = {
    "ground": len(GROUNDS),
    "disc": len(DISCS),
    "clouds": CLOUDS + 1,
    "ridges": RIDGES + 1,
    "caps": 2,
    "trees": TREES + 1,
    "pines": 2,
    "houses": HOUSES + 1,
    "house colour": len(HOUSE_COLOURS),
    "boats": BOATS + 1,
}
"""Number of classes of every content; the class of what can be counted is its number."""
NUMBERS: Mapping[str, tuple[float, float]] = {
    "horizon": (35.0, 3.0),
    "disc x": (32.0, 13.0),
    "disc y": (17.0, 8.0),
    "tree height": (13.0, 3.0),
    "house width": (10.0, 2.5),
}
"""Centre and spread of every number in pixels, y from above; of the tallest tree and of the widest house."""


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """What n postcards show.

    Attributes:
        classes: int64 [n, 10], in the order of :data:`CLASSES`.
        known: bool [n, 10]; False where a class has no meaning, such as the colour of no house.
        numbers: float64 [n, 5], in the order of :data:`NUMBERS`, in spreads from the centre.
        measured: bool [n, 5]; False where there is nothing to measure.
    """

    classes: Ints
    known: Bools
    numbers: Floats
    measured: Bools


def contents_of(scenes: Scenes) -> Contents:
    """What is drawn, hidden or not."""
    n = len(scenes)
    slots = np.arange(RIDGES) < scenes.ridges[:, None]
    capped = scenes.caps & (slots & (scenes.ridge_height > LEAST_CAP)).any(axis=1)
    always = np.ones(n, bool)
    mountains, disc, trees, houses = scenes.ridges > 0, scenes.disc > 0, scenes.trees > 0, scenes.houses > 0
    classes = {
        "ground": (scenes.ground, always),
        "disc": (scenes.disc, always),
        "clouds": (scenes.clouds, always),
        "ridges": (scenes.ridges, always),
        "caps": (capped.astype(np.int64), mountains),
        "trees": (scenes.trees, always),
        "pines": (scenes.pines.astype(np.int64), trees),
        "houses": (scenes.houses, always),
        "house colour": (scenes.house_colour, houses),
        "boats": (scenes.boats, always),
    }
    numbers = {
        "horizon": (scenes.horizon, always),
        "disc x": (scenes.disc_at[:, 0], disc),
        "disc y": (scenes.disc_at[:, 1], disc),
        "tree height": (_largest(scenes.tree_at, scenes.trees), trees),
        "house width": (_largest(scenes.house_at, scenes.houses), houses),
    }
    scaled = [(numbers[name][0] - centre) / spread for name, (centre, spread) in NUMBERS.items()]
    return Contents(
        classes=np.stack([classes[name][0] for name in CLASSES], axis=1).astype(np.int64),
        known=np.stack([classes[name][1] for name in CLASSES], axis=1),
        numbers=np.stack(scaled, axis=1),
        measured=np.stack([numbers[name][1] for name in NUMBERS], axis=1),
    )


def _largest(places: Floats, count: Ints) -> Floats:
    """float64 [n]; the largest size among the slots that are used, 0 where none is."""
    used = np.arange(places.shape[1]) < count[:, None]
    largest: Floats = np.where(used, places[:, :, 2], 0.0).max(axis=1)
    return largest
