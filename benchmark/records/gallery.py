"""How people rated in training, for records: a histogram of everybody, and some pictures of the galleries' people."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.runner.images import png
from benchmark.runner.world import World
from rebeca.arrays import Bools, Floats, Ints
from rebeca.data.catalogue import Catalogue
from rebeca.data.interactions import Interactions
from rebeca.data.splits import Division
from rebeca.seeds import digest_of

LIKED, DISLIKED = 6, 3
MOST_LEVELS = 11
"""Ratings with more values than this are counted in ranges."""
RANGES = 10


def taste_of(world: World, shown: set[str]) -> dict[str, Any]:
    """What a task's record says of its people's taste; held-out ratings play no part.

    Args:
        world: Data, divided.
        shown: Ids of the people whose pictures are shown.
    """
    rows = training_ratings(world.dataset.ratings, world.division)
    labels, level = _levels(rows.rating, world.dataset.scale)
    counts = np.zeros((rows.num_users, len(labels)), np.int64)
    np.add.at(counts, (rows.user, level), 1)
    own = [(int(u), world.dataset.ratings.user_ids[int(u)]) for u in world.users]
    return {
        "levels": labels,
        "counts": counts[world.users].tolist(),
        "shown": [_examples(rows, world.dataset.catalogue, u, name) for u, name in own if name in shown],
    }


def write_examples(folder: Path, taste: dict[str, Any], catalogue: Catalogue) -> None:
    """Writes the pictures that a taste shows, named by their digests."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in examples(taste):
        path = folder / f"{one['digest']}.png"
        if not path.exists():
            path.write_bytes(png(catalogue.pixels(one["item"])))


def examples(taste: dict[str, Any]) -> list[dict[str, Any]]:
    """All pictures that a taste shows."""
    return [one for person in taste["shown"] for one in (*person["liked"], *person["disliked"])]


def training_ratings(ratings: Interactions, division: Division) -> Interactions:
    """Every rating that somebody learned from, once; those kept for validation and test are left out."""
    rated = np.zeros((ratings.num_users, ratings.num_items), np.int8)
    for party in (division.generators, division.verifier, division.auditor):
        rated[party.train.user, party.train.item] = 1 + party.train.liked
    label = rated[ratings.user, ratings.item]
    kept: Bools = label > 0
    found = ratings.where(kept)
    return Interactions(found.user, found.item, found.rating, label[kept] == 2, found.user_ids, found.item_ids)


def _levels(rating: Floats, scale: tuple[float, float]) -> tuple[list[str], Ints]:
    values, level = np.unique(rating, return_inverse=True)
    if len(values) <= MOST_LEVELS:
        return [f"{value:g}" for value in values], level
    edges = np.linspace(*scale, RANGES + 1)
    level = np.clip(np.searchsorted(edges, rating, side="right") - 1, 0, RANGES - 1)
    return [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)], level


def _examples(rows: Interactions, catalogue: Catalogue, user: int, name: str) -> dict[str, Any]:
    own = rows.where(rows.user == user)
    # equal ratings in an order of their own: catalogues are often sorted by kind

    mixed = np.array([digest_of(rows.item_ids[item]) for item in own.item.tolist()])

    def chosen(order: Ints, these: Bools, most: int) -> list[dict[str, Any]]:
        return [
            {"item": int(own.item[i]), "digest": catalogue.digest(int(own.item[i])), "rating": float(own.rating[i])}
            for i in order[these[order]][:most]
        ]

    return {
        "user": name,
        "liked": chosen(np.lexsort((mixed, -own.rating)), own.liked, LIKED),
        "disliked": chosen(np.lexsort((mixed, own.rating)), ~own.liked, DISLIKED),
    }
