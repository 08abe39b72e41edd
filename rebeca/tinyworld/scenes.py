"""The contents of a postcard: named factors, drawn from a seed, and the caption that names them.

Lengths are in pixels of the 64 x 64 postcard, y counts downwards, colours are RGB in [0, 1].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import islice

import numpy as np

from rebeca.arrays import Bools, Floats, Ints, Pixels
from rebeca.seeds import seed_of

SIZE = 64
BATCH = 256
"""Images that are looked at together."""
MODELS_SEED = 0
"""Seed of the postcards that belong to no world: models, recogniser and support are fitted to and tested on these."""
TIMES = ("dawn", "morning", "noon", "sunset", "dusk", "night")
GROUNDS = ("field", "meadow", "lake", "snow", "sand", "heath")
DAWN, MORNING, NOON, SUNSET, DUSK, NIGHT = range(len(TIMES))
FIELD, MEADOW, LAKE, SNOW, SAND, HEATH = range(len(GROUNDS))
LAND = ("wheat field", "green meadow", "blue lake", "snowy field", "sandy shore", "purple heath")
DISCS = ("", "sun", "full moon", "crescent moon")
NOTHING, SUN, FULL, CRESCENT = range(len(DISCS))
RIDGES, CLOUDS, PUFFS, STARS, TREES, HOUSES, BOATS, FLOWERS = 3, 3, 4, 16, 6, 2, 2, 24
LEAST_CAP = 6
"""Lower ridges carry no snow, pixels."""
OCTAVES = (4, 8, 16, 32)
"""Intervals of the octaves of a ridge's outline."""
HOUSE_COLOURS = ("white", "red", "yellow")
GRADE_WORDS = (("muted", "vivid"), ("soft", "crisp"), ("dark", "bright"), ("cool", "warm"))
GRADE_WORD_AT = 0.8
"""Standard deviations from which on a caption names a grade."""
COUNTS = ("", "a", "two", "three", "many", "many", "many")


@dataclass(frozen=True, slots=True, eq=False)
class Scenes:
    """Factors of n postcards; every array has n rows, and slots beyond a postcard's own count are ignored.

    Attributes:
        time: Index into :data:`TIMES`.
        ground: Index into :data:`GROUNDS`.
        horizon: y of the horizon.
        tint: Jitter of the palette, [n, 2, 3], sky and ground.
        ridges: Number of ridges, far to near.
        ridge_height: [n, RIDGES].
        ridge_noise: Knots of all octaves in [0, 1], [n, RIDGES, sum(OCTAVES) + len(OCTAVES)].
        caps: Whether ridges carry snow.
        disc: Index into :data:`DISCS`.
        disc_at: x, y and radius, [n, 3].
        clouds: Number of clouds.
        cloud_at: x, y, width and height, [n, CLOUDS, 4].
        cloud_puffs: Offsets and radii of puffs in shares of the cloud, [n, CLOUDS, PUFFS, 3].
        haze: Strength of the haze in [0, 1].
        stars: Number of stars.
        star_at: x, y and radius, [n, STARS, 3].
        trees: Number of trees.
        pines: Whether trees are pines, otherwise round.
        tree_at: x, foot and height, [n, TREES, 3].
        houses: Number of houses.
        house_colour: Index into :data:`HOUSE_COLOURS`.
        house_at: x, foot and width, [n, HOUSES, 3].
        boats: Number of boats, on lakes only.
        boat_at: x, waterline and height, [n, BOATS, 3].
        flower_at: x, y and colour choice, [n, FLOWERS, 3], on meadows only.
        bands: Phase and spacing of furrows, waves and dunes, [n, 2].
        grade: Saturation, contrast, brightness and warmth in standard deviations, [n, 4].
    """

    time: Ints
    ground: Ints
    horizon: Floats
    tint: Floats
    ridges: Ints
    ridge_height: Floats
    ridge_noise: Floats
    caps: Bools
    disc: Ints
    disc_at: Floats
    clouds: Ints
    cloud_at: Floats
    cloud_puffs: Floats
    haze: Floats
    stars: Ints
    star_at: Floats
    trees: Ints
    pines: Bools
    tree_at: Floats
    houses: Ints
    house_colour: Ints
    house_at: Floats
    boats: Ints
    boat_at: Floats
    flower_at: Floats
    bands: Floats
    grade: Floats

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: Ints | slice) -> Scenes:
        return Scenes(*(getattr(self, f.name)[rows] for f in fields(self)))


def as_postcards(images: Iterable[Pixels]) -> Iterator[Pixels]:
    """uint8 [at most 256, 64, 64, 3]; images in batches, brought to the only size in which users see them.

    Args:
        images: uint8 [height, width, 3], of any sizes.

    Raises:
        ValueError: If an image is no array, or has another type or number of channels.
    """
    given = iter(images)
    while batch := [_as_postcard(image) for image in islice(given, BATCH)]:
        yield np.stack(batch)


def _as_postcard(image: Pixels) -> Pixels:
    if not _is_uint8(image) or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"an image is {_described(image)}, expected uint8 [height, width, 3]")
    if image.shape[:2] == (SIZE, SIZE):
        return image
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def require_postcards(postcards: Pixels) -> None:
    """Refuses what is not of the postcards' size.

    Raises:
        ValueError: If it is no uint8 array [n, 64, 64, 3].
    """
    if not _is_uint8(postcards) or postcards.shape[1:] != (SIZE, SIZE, 3):
        raise ValueError(f"postcards are {_described(postcards)}, expected uint8 [n, {SIZE}, {SIZE}, 3]")


def _is_uint8(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.uint8


def _described(value: object) -> str:
    """Type and shape of an array; of anything else the type."""
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else f"of type {type(value).__name__}"


def draw_scenes(count: int, seed: int, stream: str) -> Scenes:
    """Draws scenes.

    Args:
        count: How many.
        seed: Seed of the world or of the models.
        stream: What the scenes are for; streams of one seed share nothing.
    """
    rng, n = np.random.default_rng(seed_of("tinyworld", seed, stream)), count
    time, ground = rng.integers(0, len(TIMES), n), rng.integers(0, len(GROUNDS), n)
    horizon = rng.uniform(30, 40, n)
    ridges = rng.choice(RIDGES + 1, n, p=[0.25, 0.25, 0.3, 0.2])
    disc, disc_at = _discs(rng, time, horizon)
    stars = np.where((time == NIGHT) & (rng.random(n) < 0.85), rng.integers(7, STARS + 1, n), 0)
    water = ground == LAKE
    trees = rng.choice(TREES + 1, n, p=[0.3, 0.2, 0.15, 0.15, 0.08, 0.06, 0.06])
    houses = rng.choice(HOUSES + 1, n, p=[0.55, 0.3, 0.15])
    boats = np.where(water, rng.choice(BOATS + 1, n, p=[0.25, 0.5, 0.25]), 0)
    return Scenes(
        time=time,
        ground=ground,
        horizon=horizon,
        tint=rng.normal(0, 0.035, (n, 2, 3)),
        ridges=ridges,
        ridge_height=rng.uniform(7, 20, (n, RIDGES)) * np.array([1.0, 0.75, 0.5]),
        ridge_noise=rng.random((n, RIDGES, sum(OCTAVES) + len(OCTAVES))),
        caps=rng.random(n) < 0.45,
        disc=disc,
        disc_at=disc_at,
        clouds=rng.choice(CLOUDS + 1, n, p=[0.45, 0.2, 0.2, 0.15]),
        cloud_at=_uniform(rng, (n, CLOUDS), (4, 60), (6, 22), (14, 26), (5, 8)),
        cloud_puffs=rng.random((n, CLOUDS, PUFFS, 3)),
        haze=np.where(rng.random(n) < 0.3, rng.uniform(0.45, 0.8, n), rng.uniform(0, 0.15, n)),
        stars=stars,
        star_at=_uniform(rng, (n, STARS), (2, 62), (2, 28), (0.8, 1.3)),
        trees=trees,
        pines=rng.random(n) < 0.5,
        tree_at=_standing(rng, n, TREES, horizon, water, (13, 22)),
        houses=houses,
        house_colour=rng.integers(0, len(HOUSE_COLOURS), n),
        house_at=_standing(rng, n, HOUSES, horizon, water, (11, 16), apart=True),
        boats=boats,
        boat_at=_floating(rng, n, horizon),
        flower_at=_uniform(rng, (n, FLOWERS), (1, 63), (0, 1), (0, 1)),
        bands=np.stack([rng.random(n), rng.uniform(2.2, 4.0, n)], axis=1),
        grade=np.clip(rng.normal(0, 1, (n, 4)), -2, 2),
    )


def _uniform(rng: np.random.Generator, size: tuple[int, int], *ranges: tuple[float, float]) -> Floats:
    """[n, slots, ranges]; one range after another."""
    return np.stack([rng.uniform(low, high, size) for low, high in ranges], axis=2)


def _discs(rng: np.random.Generator, time: Ints, horizon: Floats) -> tuple[Ints, Floats]:
    n = len(time)
    moonlit = (time == DUSK) | (time == NIGHT)
    moon = np.where(rng.random(n) < 0.5, FULL, CRESCENT)
    disc = np.where(rng.random(n) < 0.75, np.where(moonlit, moon, SUN), NOTHING)
    low = (time == DAWN) | (time == SUNSET)
    height = np.where(low, horizon - rng.uniform(3, 12, n), rng.uniform(8, 18, n))
    return disc, np.stack([rng.uniform(9, 55, n), height, rng.uniform(4.0, 6.5, n)], axis=1)


def _standing(
    rng: np.random.Generator,
    n: int,
    slots: int,
    horizon: Floats,
    water: Bools,
    size: tuple[float, float],
    *,
    apart: bool = False,
) -> Floats:
    """x, foot and size of things that stand on the ground, far to near; at a lake they stand on its far shore."""
    depth = np.sort(rng.random((n, slots)), axis=1, kind="stable")
    depth = np.where(water[:, None], 0.06, depth)
    foot = horizon[:, None] + 1.5 + depth * (60.0 - horizon[:, None] - 1.5)
    scale = np.where(water[:, None], 0.62, 0.55 + 0.45 * depth)
    x = rng.uniform(6, 58, (n, slots))
    if apart:
        left = rng.random(n) < 0.5
        x = np.where(
            np.arange(slots) % 2 == left[:, None], rng.uniform(9, 27, (n, slots)), rng.uniform(37, 55, (n, slots))
        )
    return np.stack([x, foot, rng.uniform(*size, (n, slots)) * scale], axis=2)


def _floating(rng: np.random.Generator, n: int, horizon: Floats) -> Floats:
    depth = np.sort(rng.uniform(0.3, 0.9, (n, BOATS)), axis=1, kind="stable")
    foot = horizon[:, None] + depth * (61.0 - horizon[:, None])
    left = rng.random(n) < 0.5
    x = np.where(
        np.arange(BOATS) % 2 == left[:, None], rng.uniform(10, 28, (n, BOATS)), rng.uniform(36, 54, (n, BOATS))
    )
    return np.stack([x, foot, rng.uniform(14, 20, (n, BOATS)) * (0.6 + 0.4 * depth)], axis=2)


def captions(scenes: Scenes) -> tuple[str, ...]:
    """One caption per scene, of things that can be seen on it; at most 29 words."""
    return tuple(_caption(scenes.take(slice(i, i + 1))) for i in range(len(scenes)))


def _caption(scene: Scenes) -> str:
    grades = [
        words[int(value > 0)]
        for value, words in zip(scene.grade[0], GRADE_WORDS, strict=True)
        if abs(value) >= GRADE_WORD_AT
    ]
    disc, houses, trees = int(scene.disc[0]), int(scene.houses[0]), int(scene.trees[0])
    house = HOUSE_COLOURS[int(scene.house_colour[0])] + (" house" if houses == 1 else " houses")
    tree = ("pine" if scene.pines[0] else "tree") + ("" if trees == 1 else "s")
    shown = (
        (scene.ridges[0], "snowy mountains" if scene.caps[0] else "mountains"),
        (disc, f"{'the' if disc == SUN else 'a'} {DISCS[disc]}"),
        (scene.stars[0], "stars"),
        (scene.clouds[0], "a cloud" if scene.clouds[0] == 1 else "clouds"),
        (scene.haze[0] > 0.4, "mist"),
        (houses, f"{COUNTS[houses]} {house}"),
        (trees, f"{COUNTS[trees]} {tree}"),
        (scene.boats[0], "a boat" if scene.boats[0] == 1 else "two boats"),
    )
    things = [words for present, words in shown if present]
    place = f"{LAND[int(scene.ground[0])]} at {TIMES[int(scene.time[0])]}"
    return " ".join(["a", *grades[:3], place, *(["with", " ".join(things)] if things else [])])
