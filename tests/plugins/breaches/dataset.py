"""Broken data sets."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np

from rebeca import Dataset, DatasetSource, GroundTruth, Interactions, NoParams
from rebeca.testing import DatasetContract
from tests.plugins.breaches import answers, breach, raises

CLOCK = itertools.count()
CACHE = {}


class Right(DatasetSource[NoParams]):
    def read(self):
        user, item = (index.ravel() for index in np.indices((6, 8)))
        rating = 1.0 + (user + item) % 5
        ids = tuple(f"u{i}" for i in range(6)), tuple(f"i{i}" for i in range(8))
        pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8)
        return Dataset.in_memory("Noise", pixels, Interactions(user, item, rating, rating > 3, *ids), scale=(1.0, 5.0))


def data(**values):
    return lambda self: replace(Right.read(self), **values)


def ratings(change):
    """The data set with other ratings."""

    def read(self):
        right = Right.read(self)
        return replace(right, ratings=replace(right.ratings, **change(right.ratings)))

    return read


def catalogue(change):
    """The data set with another catalogue."""

    def read(self):
        right = Right.read(self)
        return replace(right, catalogue=replace(right.catalogue, **change(right.catalogue)))

    return read


class Source:
    def __init__(self, pixels):
        self.read = pixels


def shared(self):
    if "data" not in CACHE:
        CACHE["data"] = Right.read(self)
    CACHE["data"].ratings.rating[:] = CACHE["data"].ratings.rating % 5 + 1
    return CACHE["data"]


def doubled(columns):
    names = ("user", "item", "rating", "liked")
    return {name: np.concatenate([getattr(columns, name)] * 2) for name in names}


def ground_truth(utility):
    return GroundTruth("points", "Known.", utility, {})


def of_images(value):
    """Knows every image to be outside, and gives it this value; items have 0."""
    known = ground_truth(lambda users, items: 0.0 * (users + items))
    return replace(
        known,
        of_images=lambda images: np.full((6, len(list(images))), value),
        inside=lambda images: np.zeros(len(list(images)), bool),
    )


def littering(self):
    Path("cache.bin").write_bytes(b"")
    return Right.read(self)


def seeded(self):
    np.random.seed(3)
    return Right.read(self)


CONTRACT = DatasetContract
BREACHES = [
    breach("it_answers", "KeyError: 'out of ideas'", read=raises),
    breach("class_is_complete", "does not define read", read=DatasetSource.read),
    breach(
        "parts_fit_together",
        "returned a Interactions, expected a rebeca.Dataset",
        read=lambda self: Right.read(self).ratings,
    ),
    breach("parts_fit_together", "a rating outside its scale", read=data(scale=(1.0, 4.0))),
    breach("parts_fit_together", "item index outside 0 to 7", read=ratings(lambda r: {"item": r.item + 1})),
    breach(
        "parts_fit_together",
        "without ratings",
        read=ratings(lambda r: {name: getattr(r, name)[:0] for name in ("user", "item", "rating", "liked")}),
    ),
    breach("ids_are_unique_texts", "two users have the same id", read=ratings(lambda r: {"user_ids": ("u",) * 6})),
    breach(
        "ids_are_unique_texts", "cannot be printed", read=ratings(lambda r: {"user_ids": ("a\nb", *r.user_ids[1:])})
    ),
    breach(
        "items_are_those_of_the_catalogue",
        "ids of items differ",
        read=catalogue(lambda c: {"item_ids": c.item_ids[::-1]}),
    ),
    breach("items_are_rated_once", "rated an item twice", read=ratings(doubled)),
    breach(
        "columns_have_their_types",
        "column rating is of float32",
        read=ratings(lambda r: {"rating": r.rating.astype(np.float32)}),
    ),
    breach(
        "columns_have_their_types", "column liked is of int64", read=ratings(lambda r: {"liked": r.liked.astype(int)})
    ),
    breach("scale_has_two_ends", "the scale is", read=data(scale=(-np.inf, np.inf))),
    breach(
        "blocks_part_users_and_items", "another than that of the user's items", read=data(block_of_user=np.ones(6, int))
    ),
    breach("pixels_are_rgb", "no uint8", read=catalogue(lambda c: {"source": Source(lambda i: np.zeros((8, 8, 3)))})),
    breach(
        "pixels_stay",
        "the pixels of item 0 change",
        read=catalogue(lambda c: {"source": Source(lambda i: np.full((4, 4, 3), next(CLOCK) % 251, np.uint8))}),
    ),
    breach("captions_are_texts", "3 captions", read=catalogue(lambda c: {"captions": ("a", "b", "c")})),
    breach("terms_are_stated", "licence is ''", read=data(licence="")),
    breach("ratings_differ", "all ratings are the same", read=ratings(lambda r: {"rating": np.full(48, 3.0)})),
    breach(
        "ground_truth_answers",
        r"utility is \(6, 1\)",
        read=data(ground_truth=ground_truth(lambda users, items: users * 1.0)),
    ),
    breach(
        "ground_truth_answers", "of_images gave numbers that are not finite", read=data(ground_truth=of_images(np.nan))
    ),
    breach(
        "ground_truth_answers",
        "likes an image outside the world more than some item",
        read=data(ground_truth=of_images(1.0)),
    ),
    breach(
        "files_are_patterns",
        "item_files names '/data/ratings.csv', outside",
        item_files=answers(("/data/ratings.csv",)),
    ),
    breach("files_are_patterns", "rating_files is 'ratings.csv'", rating_files=answers("ratings.csv")),
    breach(
        "answers_are_repeatable",
        "asked again, the column rating differs",
        read=ratings(lambda r: {"rating": np.random.default_rng().permutation(r.rating)}),
    ),
    breach(
        "global_random_state_plays_no_part",
        "another global random state",
        read=ratings(lambda r: {"rating": np.random.permutation(r.rating)}),
    ),
    breach("global_random_state_is_not_seeded", "seeded the global random state", read=seeded),
    breach("inputs_are_not_modified", "reading again changed the column rating", read=shared),
    breach("writes_nowhere_else", "wrote cache.bin", read=littering),
]
