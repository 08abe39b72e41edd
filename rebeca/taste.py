"""Simple taste models: one ridge regression a user, from embeddings to ratings.

They start the prior's user rows (few ratings teach a learned table little) and serve as a retrieval baseline.
"""

from __future__ import annotations

import numpy as np

from rebeca.arrays import Floats
from rebeca.data.interactions import Interactions

DEFAULT_RIDGE = 30.0
"""In units of unit-variance directions: a user with 30 ratings is shrunk by about one half."""


def ridge_tastes(train: Interactions, points: Floats, ridge: float = DEFAULT_RIDGE) -> Floats:
    """Each user's weights over the directions of an embedding space.

    Ratings are centred on the user's mean and on the item's mean residual, so that the weights hold what is
    personal; users without ratings get zeros.

    Args:
        train: Training ratings.
        points: float [items, dim]; directions of about unit variance.
        ridge: Penalty.

    Returns:
        float64 [num_users, dim].
    """
    residual = train.rating - train.user_mean()[train.user]
    count = np.bincount(train.item, minlength=train.num_items)
    total = np.bincount(train.item, weights=residual, minlength=train.num_items)
    residual = residual - (total / np.maximum(count, 1))[train.item]
    return ridge_by_user(train, residual, points, ridge)


def ridge_by_user(train: Interactions, target: Floats, points: Floats, ridge: float) -> Floats:
    """float64 [num_users, dim]; solves ``(X'X + ridge I) w = X'y`` over every user's own rows."""
    dim = points.shape[1]
    points = points.astype(np.float64)
    weights = np.zeros((train.num_users, dim))
    order = np.argsort(train.user, kind="stable")
    bounds = np.searchsorted(train.user[order], np.arange(train.num_users + 1))
    for user in range(train.num_users):
        rows = order[bounds[user] : bounds[user + 1]]
        if len(rows):
            x = points[train.item[rows]]
            weights[user] = np.linalg.solve(x.T @ x + ridge * np.eye(dim), x.T @ target[rows])
    return weights
