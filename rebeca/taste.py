"""Simple taste models: one ridge regression per user, from embeddings to ratings.

They start the rows of the prior's user table and serve as a retrieval baseline. With about 100 ratings per user a
table that starts at random learns little, because the loss hardly differs between users.
"""

from __future__ import annotations

import numpy as np

from rebeca.arrays import Floats, Ints
from rebeca.data.interactions import Interactions, rows_by_group
from rebeca.population import personal_ratings

DEFAULT_RIDGE = 30.0
"""In units of unit-variance directions: a user with 30 ratings is shrunk by about one half."""


def ridge_tastes(train: Interactions, points: Floats, ridge: float = DEFAULT_RIDGE) -> Floats:
    """Each user's weights over the directions of an embedding space.

    They are fitted to :func:`rebeca.population.personal_ratings`, so that they hold what is personal; users without
    ratings get zeros.

    Args:
        train: Training ratings.
        points: float [items, dim]; directions of about unit variance.
        ridge: Penalty.

    Returns:
        float64 [num_users, dim].
    """
    points = points.astype(np.float64)
    return ridge_by_group(train.user, train.num_users, train.item, points, personal_ratings(train, points), ridge)


def ridge_by_group(group: Ints, num_groups: int, item: Ints, points: Floats, target: Floats, ridge: float) -> Floats:
    """float64 [num_groups, dim]; solves ``(X'X + ridge I) w = X'y`` over the rows of each group, 0 without rows.

    Args:
        group: int [n]; group of each row.
        num_groups: Number of groups.
        item: int [n]; each row of X is one of ``points``.
        points: float64 [items, dim].
        target: float64 [n]; y.
        ridge: Penalty.
    """
    penalty = ridge * np.eye(points.shape[1])
    weights = np.zeros((num_groups, points.shape[1]))
    for index, rows in enumerate(rows_by_group(group, num_groups)):
        if len(rows):
            x = points[item[rows]]
            weights[index] = np.linalg.solve(x.T @ x + penalty, x.T @ target[rows])
    return weights


def taste_rows(train: Interactions, points: Floats, width: int, ridge: float, seed: int) -> Floats:
    """float32 [num_users, width]; each user's taste, rotated into ``width`` numbers of about unit variance.

    Args:
        train: Training ratings of the generators' own part.
        points: float [items, dim]; the catalogue in the prior's space, brought to unit variance here.
        width: Width of the user table.
        ridge: Penalty of the regression.
        seed: Seed of the rotation.
    """
    deviation = points[np.unique(train.item)].std(axis=0)
    tastes = ridge_tastes(train, points / np.where(deviation > 0, deviation, 1.0), ridge)
    spread = float(tastes.std()) or 1.0
    dim = tastes.shape[1]
    size = max(dim, width)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
    return (tastes / spread @ rotation[:dim, :width] * np.sqrt(size / dim)).astype(np.float32)
