"""How well personal tastes are recovered where few users rate each item: a simulation.

    python -m scripts.sparse_ratings [--seeds 0 1 2]

Each user's rating of an item is the user's lenience, plus what all like (of the item's embedding, and of the item
alone), plus a personal taste, linear in the embedding, plus noise. Prints the correlation between the estimated and
the true personal tastes, for three ways to take out what is not personal.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from rebeca.arrays import Floats
from rebeca.data.interactions import Interactions
from rebeca.population import personal_ratings
from rebeca.taste import DEFAULT_RIDGE, ridge_by_group

USERS = 210
RATINGS = (80, 95)
"""Least and most per user."""
RATERS = (1, 2, 3, 5, 100)
"""Raters per item."""
DIMS = 24
TASTE = 0.3
"""Standard deviation of a user's weight of a direction."""
COMMON, OWN = 1.0, 0.3
"""Standard deviation of what all like: of the embedding, and of the item alone."""


def draw(raters: int, seed: int, users: int = USERS) -> tuple[Interactions, Floats, Floats]:
    """Ratings, embeddings [items, dim], and the personal tastes [users, dim], which sum to zero over users."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), rng.integers(RATINGS[0], RATINGS[1] + 1, users))
    items = max(round(len(user) / raters), RATINGS[1] + 1)
    item = np.concatenate([rng.permutation(items) for _ in range(-(-len(user) // items))])[: len(user)]
    for number in range(users):
        own = np.flatnonzero(user == number)
        twice = np.setdiff1d(own, own[np.unique(item[own], return_index=True)[1]])
        item[twice] = rng.choice(np.setdiff1d(np.arange(items), item[own]), len(twice), replace=False)
    embeddings, tastes = rng.normal(size=(items, DIMS)), TASTE * rng.normal(size=(users, DIMS))
    liked = COMMON * embeddings @ rng.normal(size=DIMS) / np.sqrt(DIMS) + OWN * rng.normal(size=items)
    rating = liked[item] + (embeddings[item] * tastes[user]).sum(axis=1)
    rating += rng.normal(size=users)[user] + rng.normal(size=len(user))
    ids = tuple(f"user-{u}" for u in range(users)), tuple(f"item-{i}" for i in range(items))
    return Interactions(user, item, rating, rating > 0, *ids), embeddings, tastes - tastes.mean(axis=0)


def less_item_means(ratings: Interactions) -> Floats:
    """float64 [n]; less the means of user and item, both with the own rating, as before."""
    residual = ratings.rating - ratings.user_mean()[ratings.user]
    mean = np.bincount(ratings.item, residual) / np.maximum(np.bincount(ratings.item), 1)
    return residual - mean[ratings.item]


def recovered(ratings: Interactions, embeddings: Floats, tastes: Floats, personal: Floats) -> float:
    """Correlation between true tastes and those that a ridge regression finds; 0 where it finds none."""
    own = ridge_by_group(ratings.user, ratings.num_users, ratings.item, embeddings, personal, DEFAULT_RIDGE)
    return float(np.corrcoef(own.ravel(), tastes.ravel())[0, 1]) if np.ptp(own) > 1e-9 else 0.0


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    sys.stdout.write("raters per item   user mean only   item mean   others, shrunken (lowest seed)\n")
    for raters in RATERS:
        table = []
        for seed in seeds:
            ratings, embeddings, tastes = draw(raters, seed)
            ways = (
                ratings.rating - ratings.user_mean()[ratings.user],
                less_item_means(ratings),
                personal_ratings(ratings, embeddings),
            )
            table.append([recovered(ratings, embeddings, tastes, way) for way in ways])
        nothing, before, now = np.mean(table, axis=0)
        lowest = min(row[-1] for row in table)
        sys.stdout.write(f"{raters:15d}   {nothing:14.3f}   {before:9.3f}   {now:16.3f} ({lowest:.3f})\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
