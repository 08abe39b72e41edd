"""Matrix factorisation by alternating least squares (Koren, Bell and Volinsky 2009), with biases taken out first."""

from __future__ import annotations

import numpy as np

from rebeca.arrays import Floats, Ints
from rebeca.data.interactions import Interactions

SWEEPS = 15
PENALTY = 5.0
BIAS_PENALTY = 5.0


def factorise(train: Interactions, factors: int, seed: int) -> Floats:
    """float64 [users, items]; predicted rating of everything by everybody.

    Items and users without ratings get their bias and the mean alone.
    """
    rng = np.random.default_rng(seed)
    mean = float(train.rating.mean())
    user_bias = _shrunk_mean(train.user, train.rating - mean, train.num_users)
    item_bias = _shrunk_mean(train.item, train.rating - mean - user_bias[train.user], train.num_items)
    residual = train.rating - mean - user_bias[train.user] - item_bias[train.item]
    users = np.zeros((train.num_users, factors))
    items = rng.normal(0, 0.1, (train.num_items, factors))
    for _ in range(SWEEPS):
        _solve(users, items, train.user, train.item, residual)
        _solve(items, users, train.item, train.user, residual)
    return mean + user_bias[:, None] + item_bias[None, :] + users @ items.T


def _shrunk_mean(index: Ints, values: Floats, size: int) -> Floats:
    total = np.bincount(index, weights=values, minlength=size)
    return np.asarray(total / (np.bincount(index, minlength=size) + BIAS_PENALTY))


def _solve(target: Floats, other: Floats, rows: Ints, columns: Ints, values: Floats) -> None:
    """Ridge regression of every row of ``target`` on the factors of the columns that it has values for."""
    order = np.argsort(rows, kind="stable")
    bounds = np.searchsorted(rows[order], np.arange(len(target) + 1))
    identity = PENALTY * np.eye(other.shape[1])
    for row in range(len(target)):
        own = order[bounds[row] : bounds[row + 1]]
        x = other[columns[own]]
        target[row] = np.linalg.solve(x.T @ x + identity, x.T @ values[own]) if len(own) else 0.0
