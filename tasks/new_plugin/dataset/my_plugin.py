"""A data set: gratings at many angles; each user likes angles near one of their own.

What to change: the parameters, and ``read`` (where items and ratings come from).
To read files instead, name them in ``ITEM_FILES``, such as ("ratings.csv", "*.png"),
and open them below ``self.context.folder``: the folder that a task names as data.path.
The command in the README is then: rebeca-bench check plugin my-plugin --set data.path=FOLDER
Raise rebeca.DataError with file, row and value where they are wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rebeca import Dataset, DatasetSource, GroundTruth, Interactions
from rebeca.arrays import Floats, Ints, Pixels
from rebeca.params import Count, NotNegative
from rebeca.seeds import substream

SCALE = (1.0, 5.0)
"""Lowest and highest rating."""
SIDE = 32
"""Height and width of an item, in pixels."""


@dataclass(frozen=True)
class MyPluginParams:
    """What a task file can set under ``data.params``.

    Attributes:
        users: Users, with tastes at equal distances.
        items: Gratings, at random angles.
        noise: Standard deviation of a rating around the user's taste.
        seed: Draws items and ratings.
    """

    users: Count = 12
    items: Count = 120
    noise: NotNegative = 0.5
    seed: int = 0


class MyPlugin(DatasetSource[MyPluginParams]):
    """Gratings at many angles; each user likes angles near one of their own."""

    Params = MyPluginParams

    def read(self) -> Dataset:
        params = self.params
        rng = np.random.default_rng(substream(params.seed, "my-plugin"))
        angles = rng.uniform(0, 180, params.items)
        tastes = np.linspace(0, 180, params.users, endpoint=False)
        table = taste(tastes[:, None], angles[None, :])  # [users, items]
        drawn = np.clip(
            np.round(table + rng.normal(0, params.noise, table.shape)), *SCALE
        )

        # One row per rating, user and item by index. The task file says what a like is
        # (data.like_at), so that liked may be anything here.
        user, item = (index.ravel() for index in np.indices(table.shape))
        users = tuple(f"user-{i:03}" for i in range(params.users))
        items = tuple(f"grating-{i:04}" for i in range(params.items))
        rating = drawn.ravel()
        ratings = Interactions(user, item, rating, rating >= 4, users, items)

        def utility(users: Ints, items: Ints) -> Floats:
            return taste(tastes[users], angles[items])

        return Dataset.in_memory(
            "Gratings",
            draw_gratings(angles),
            ratings,
            SCALE,
            licence="synthetic, free to use",
            redistribute=True,  # whether pages and records may show the items
            # Only a synthetic data set has one; leave it out for real ratings.
            ground_truth=GroundTruth(
                "rating", "The rating without noise.", utility, {}
            ),
        )


def taste(preferred: Floats, angles: Floats) -> Floats:
    """Ratings without noise: 5 at the preferred angle, 1 at right angles to it.

    Args:
        preferred: Degrees; one per user.
        angles: Degrees; broadcasts with ``preferred``.
    """
    low, high = SCALE
    return low + (high - low) * np.cos(np.radians(preferred - angles)) ** 2


def draw_gratings(angles: Floats) -> Pixels:
    """One grating per angle, uint8 RGB [n, SIDE, SIDE, 3]."""
    y, x = np.indices((SIDE, SIDE)) - SIDE / 2
    turn = np.radians(angles)[:, None, None]
    waves = np.sin((x * np.cos(turn) + y * np.sin(turn)) * 2 * np.pi / 8)
    grey = np.round(127.5 + 127.5 * waves).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=3)
