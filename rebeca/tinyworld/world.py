"""Tinyworld as a data set: a catalogue of postcards, users with a known taste, and ratings, all from one seed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np
from annotated_types import Le

from rebeca.arrays import Floats, Pixels
from rebeca.data.catalogue import ArraySource, Catalogue
from rebeca.data.dataset import Dataset, GroundTruth
from rebeca.data.interactions import Interactions
from rebeca.params import Count, make_params
from rebeca.ties import TIE, size_of
from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import as_postcards, captions, draw_scenes
from rebeca.tinyworld.support import inside
from rebeca.tinyworld.taste import draw_ratings, draw_tastes, see

SCALE = (1.0, 5.0)


@dataclass(frozen=True, slots=True)
class TinyworldParams:
    """Size of the world.

    Attributes:
        items: Postcards of the catalogue, at most 50,000.
        users: Users, at most 5,000.
        seed: Draws postcards, users and ratings; choices are made on 1, and 2 to 4 are reported.
    """

    items: Annotated[Count, Le(50_000)] = 2000
    users: Annotated[Count, Le(5_000)] = 100
    seed: int = 1


def make_tinyworld(params: TinyworldParams) -> Dataset:
    """Draws the world, which takes half a minute: users look at every postcard.

    Raises:
        ParamError: If a parameter is out of its range, also where the parameters were not read from a task file.
    """
    params = make_params(TinyworldParams, asdict(params), "tinyworld")
    scenes = draw_scenes(params.items, params.seed, "catalogue")
    pixels = render(scenes)
    seen = see(pixels)
    tastes = draw_tastes(params.users, params.seed, seen)
    utility = tastes.utility(seen)
    possible = inside(pixels)  # a few postcards are not: what holds for images holds for them
    utility = np.where(possible, utility, utility.min(axis=1, keepdims=True))
    user, item, rating = draw_ratings(tastes, utility, params.seed)
    ratings = Interactions(
        user.astype(np.int32),
        item.astype(np.int32),
        rating,
        np.zeros(len(rating), bool),
        tuple(f"person-{u:03d}" for u in range(params.users)),
        tuple(f"postcard-{i:04d}" for i in range(params.items)),
    )
    ladder = np.sort(utility, axis=1, kind="stable")
    known = np.where(possible, percentile(ladder, utility), 0.0)

    def of_images(images: Iterable[Pixels]) -> Floats:
        empty = np.empty((params.users, 0))
        return np.concatenate([empty, *(worth(batch) for batch in as_postcards(images))], axis=1)

    def worth(postcards: Pixels) -> Floats:
        return np.where(inside(postcards), percentile(ladder, tastes.utility(see(postcards))), 0.0)

    return Dataset(
        title="Tinyworld",
        licence="drawn by this project, Apache-2.0",
        redistribute=True,
        catalogue=Catalogue(
            ratings.item_ids, ArraySource(pixels), np.zeros(params.items, np.int64), captions=captions(scenes)
        ),
        ratings=ratings,
        block_of_user=np.zeros(params.users, np.int64),
        scale=SCALE,
        ground_truth=GroundTruth(
            unit="percentile 0 to 1",
            meaning="Share of this world's postcards that this user truly likes less, known by construction; ties count"
            " one half. An image that could be no postcard of this world has 0.",
            utility=lambda users, items: known[users, items],
            exact={},
            of_images=of_images,
            inside=inside,
        ),
    )


def percentile(ladder: Floats, utility: Floats) -> Floats:
    """float64 [users, n]; mid-rank of utilities among a user's sorted utilities ``ladder`` [users, items], 0 to 1.

    Utilities within :data:`rebeca.ties.TIE` are tied, since a batch of another size may round differently.

    Raises:
        ValueError: If a utility is NaN, which would be sorted above all others.
    """
    if np.isnan(ladder).any() or np.isnan(utility).any():
        raise ValueError("a utility is NaN: it has no percentile")
    tie = TIE * size_of(ladder)
    below_and_up_to = [
        row.searchsorted(own - tie, "left") + row.searchsorted(own + tie, "right")
        for row, own in zip(ladder, utility, strict=True)
    ]
    return np.stack(below_and_up_to) / (2.0 * ladder.shape[1])
