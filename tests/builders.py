"""Small inputs that several tests build."""

import numpy as np

from rebeca.data.interactions import Interactions


def interactions(user, item, rating, users=None, items=None):
    n, m = users or max(user) + 1, items or max(item) + 1
    rating = np.asarray(rating, float)
    ids = tuple(f"u{i}" for i in range(n)), tuple(f"i{i}" for i in range(m))
    return Interactions(np.array(user), np.array(item), rating, rating >= 4, *ids)


def grid(users=20, items=40, seed=0):
    rng = np.random.default_rng(seed)
    user, item = np.divmod(np.arange(users * items), items)
    return interactions(user, item, rng.integers(1, 8, users * items))
