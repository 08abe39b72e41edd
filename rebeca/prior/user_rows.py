"""Where a user's row of the prior's user table starts.

``learned`` draws rows from N(0, 1), as published. ``taste`` starts them from a ridge regression on the user's own
training ratings, turned into the table's width by a fixed random rotation and brought to unit variance; with about
100 ratings per user a learned table learns little, because the loss hardly differs between users.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from rebeca.arrays import Floats
from rebeca.data.interactions import Interactions
from rebeca.taste import ridge_tastes

UserRows = Literal["learned", "taste"]


def taste_rows(train: Interactions, points: Floats, width: int, ridge: float, seed: int) -> Floats:
    """float32 [num_users, width]; rows of about unit variance.

    Args:
        train: Training ratings of the generators' own part.
        points: float [items, dim]; the catalogue in the prior's space, brought to unit variance here.
        width: Width of the user table.
        ridge: Penalty of the regression.
        seed: Seed of the rotation.
    """
    deviation = points[np.unique(train.item)].std(axis=0)
    scaled = points / np.where(deviation > 0, deviation, 1.0)
    tastes = ridge_tastes(train, scaled, ridge)
    spread = float(tastes.std()) or 1.0
    dim = tastes.shape[1]
    size = max(dim, width)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
    return (tastes / spread @ rotation[:dim, :width] * np.sqrt(size / dim)).astype(np.float32)
