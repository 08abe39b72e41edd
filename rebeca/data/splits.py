"""Ratings are divided once: for generators, for judges, and for tests.

Four kinds of test part:

- ``per-user`` (published): of every user ``test`` ratings, then ``validation`` ratings, drawn without replacement.
- ``per-user-exact``: the same, whatever share of a user's ratings it takes (``per-user`` gives validation a quarter
  of a user's ratings at most).
- ``held-out-items``: in every block a share of the items, with all their ratings.
- ``cold-users``: as ``per-user``, but a share of the users keep only ``keep`` training ratings.

What remains is used by generators, verifier and auditor alike (``shared``; as published, generators and verifier
learn from the same ratings) or divided in 40 / 30 / 30 (``disjoint``). Draws of ratings are seeded by user and
those of items by block, so that leaving one user out changes no other user's part; which users are cold is one draw.

Items with the same pixels are one image under several ids, and no image lies on two sides. A user's ratings of one
image count as one and go to one part together. If one of equal items is held out, all of them are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rebeca.arrays import Bools, Ints
from rebeca.data.interactions import Interactions, like, rows_by_group
from rebeca.errors import DataError
from rebeca.params import Count, NotNegative, Positive, Share
from rebeca.seeds import seed_of

DIVISION = 2
"""Raised whenever the same ratings and items could be divided in another way; in the addresses of data from files."""
SHARES = (0.4, 0.3, 0.3)
LARGEST_VALIDATION_SHARE = 0.25
"""A part gives at most this share of a user's rows to validation, so that few ratings still train something."""


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How to divide; see the module's description.

    Attributes:
        kind: ``per-user``, ``per-user-exact``, ``held-out-items`` or ``cold-users``.
        test: Ratings per user, or the share of a block's items.
        validation: Ratings per user, or the share of the remaining items.
        ratings: ``shared`` or ``disjoint``.
        cold_share: Share of users that are cold.
        keep: Training ratings that a cold user keeps.
    """

    kind: Literal["per-user", "per-user-exact", "held-out-items", "cold-users"] = "per-user"
    test: Positive = 10
    validation: NotNegative = 10
    ratings: Literal["shared", "disjoint"] = "disjoint"
    cold_share: Share = 0.2
    keep: Count = 5


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Training and validation ratings for one purpose.

    Attributes:
        train: Ratings to learn from.
        validation: Ratings for early stopping and for choices.

    Example:
        >>> import numpy as np
        >>> from rebeca import Interactions, Part
        >>> rating = np.array([5.0, 1.0, 4.0])
        >>> ratings = Interactions(np.zeros(3, int), np.arange(3), rating, rating > 3, ("ann",), ("cat", "dog", "owl"))
        >>> part = Part(train=ratings.where([0, 1]), validation=ratings.where([2]))
        >>> part.train.liked.tolist(), len(part.joined())
        ([True, False], 3)
    """

    train: Interactions
    validation: Interactions

    def thinned(self, share: float, seed: int) -> Part:
        """A share of each user's ratings, at least one of each kind; smaller shares are parts of larger ones."""
        return Part(thinned(self.train, share, seed), thinned(self.validation, share, seed))

    def joined(self) -> Interactions:
        """Both, training ratings first."""
        a, b = self.train, self.validation
        return replace(
            a,
            user=np.concatenate([a.user, b.user]),
            item=np.concatenate([a.item, b.item]),
            rating=np.concatenate([a.rating, b.rating]),
            liked=np.concatenate([a.liked, b.liked]),
        )


def thinned(rows: Interactions, share: float, seed: int) -> Interactions:
    """A share of each user's rows, at least one; smaller shares are parts of larger ones."""
    if share == 1:
        return rows
    order = np.lexsort((np.random.default_rng(seed).random(len(rows)), rows.user))
    counts = rows.ratings_per_user()
    place = np.empty(len(rows), np.int64)
    place[order] = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows.where(place < np.ceil(share * counts[rows.user]))


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """The result.

    Attributes:
        generators: What generators learn from.
        verifier: What the verifier learns from.
        auditor: What the auditor learns from.
        test: Held-out ratings, for scorers and generators that declare it.
        training_items: bool [items]; items that models may look at during fits.
        validation_items: bool [items]; with ``held-out-items``, the items held back for choices.
        test_items: bool [items]; with ``held-out-items``, the held-out items.
        cold: bool [users]; the users with few training ratings by design.
    """

    generators: Part
    verifier: Part
    auditor: Part
    test: Interactions
    training_items: Bools
    validation_items: Bools
    test_items: Bools
    cold: Bools


def divide(
    ratings: Interactions,
    rule: SplitRule,
    like_at: float | str,
    block_of_item: Ints,
    seed: int,
    originals: Ints | None = None,
) -> Division:
    """Divides ratings by ``rule`` and labels them by ``like_at``.

    Args:
        ratings: All ratings.
        rule: How.
        like_at: See :func:`rebeca.data.interactions.like`; medians come from the training rows.
        block_of_item: int [items].
        seed: The task's seed; equal seeds divide equally.
        originals: int [items]; of every item the first one with the same pixels, see
            :meth:`~rebeca.data.catalogue.Catalogue.originals`. By default all items differ.

    Raises:
        DataError: If nothing is left to train on or to test with.
    """
    cold = _cold_users(rule, ratings.num_users, seed)
    image = np.arange(len(block_of_item)) if originals is None else originals
    test_items, validation_items = _held_out_items(rule, block_of_item, seed, image)
    drawn = _Drawn(test_items[ratings.item], validation_items[ratings.item], image[ratings.item])
    for user, rows in enumerate(rows_by_group(ratings.user, ratings.num_users)):
        drawn.divide(rule, _shuffled(rows, seed, "rows", ratings.user_ids[user]), bool(cold[user]))
    parts_of_rows = (drawn.test, drawn.validation, drawn.dropped, drawn.part)
    test, validation, dropped, part = (rows[drawn.leader] for rows in parts_of_rows)
    usable = ~(test | dropped)
    if not (usable & ~validation).any():
        raise DataError("the split leaves no training ratings", hint="lower split.test or split.validation")
    if not test.any():
        raise DataError("the split leaves no test ratings", hint="raise split.test")
    labelled = like(ratings, like_at, ratings.where(usable))

    def learner(index: int) -> Part:
        own = usable if rule.ratings == "shared" else usable & (part == index)
        return Part(labelled.where(own & ~validation), labelled.where(own & validation))

    training_items = ~(test_items | validation_items)
    parts = learner(0), learner(1), learner(2)
    return Division(*parts, labelled.where(test), training_items, validation_items, test_items, cold)


def _cold_users(rule: SplitRule, num_users: int, seed: int) -> Bools:
    cold = np.zeros(num_users, bool)
    if rule.kind == "cold-users":
        cold[_shuffled(np.arange(num_users), seed, "cold")[: round(rule.cold_share * num_users)]] = True
    return cold


class _Drawn:
    """Where every row goes.

    Args:
        test: bool [n]; rows of items that are held out.
        validation: bool [n]; likewise.
        image: int [n]; rows with the same number are of the same pixels.
    """

    def __init__(self, test: Bools, validation: Bools, image: Ints) -> None:
        self.test, self.validation = test, validation
        self._image = image
        self.dropped = np.zeros(len(image), bool)
        self.part = np.zeros(len(image), np.int8)
        self.leader = np.empty(len(image), np.int64)
        """The row whose part a row shares, since both are of one image."""

    def divide(self, rule: SplitRule, rows: Ints, cold: bool) -> None:
        """Divides the shuffled rows of one user."""
        shuffled, self.leader[rows] = _each_image_once(rows, self._image[rows])
        if rule.kind != "held-out-items":
            self.test[shuffled[: int(rule.test)]] = True
            shuffled = shuffled[int(rule.test) :]
            if cold:
                self.dropped[shuffled[rule.keep :]] = True
                shuffled = shuffled[: rule.keep]
        else:
            shuffled = shuffled[~self.test[shuffled]]
        bounds = np.round(np.cumsum(SHARES if rule.ratings == "disjoint" else (1.0,)) * len(shuffled)).astype(int)
        for index, rows_of_part in enumerate(np.split(shuffled, bounds[:-1])):
            self.part[rows_of_part] = index
            if rule.kind != "held-out-items":
                share = 1.0 if rule.kind == "per-user-exact" else LARGEST_VALIDATION_SHARE
                validation = min(int(rule.validation), int(share * len(rows_of_part)))
                self.validation[rows_of_part[:validation]] = True


def _each_image_once(rows: Ints, image: Ints) -> tuple[Ints, Ints]:
    """Those of the rows, int [n], whose image no earlier row has, and for every row the first with its image."""
    _, first, same = np.unique(image, return_index=True, return_inverse=True)
    return rows[np.sort(first, kind="stable")], rows[first[same]]


def _held_out_items(rule: SplitRule, block_of_item: Ints, seed: int, image: Ints) -> tuple[Bools, Bools]:
    """Bool [items] each; held out for tests and for validation, none but with ``held-out-items``."""
    test = np.zeros(len(block_of_item), bool)
    validation = np.zeros(len(block_of_item), bool)
    for block in np.unique(block_of_item) if rule.kind == "held-out-items" else ():
        items = _shuffled(np.flatnonzero(block_of_item == block), seed, "items", int(block))
        num_test = round(rule.test * len(items))
        num_validation = round(rule.validation * (len(items) - num_test))
        test[items[:num_test]] = True
        validation[items[num_test : num_test + num_validation]] = True
    test, validation = (np.isin(image, image[held_out]) for held_out in (test, validation))
    return test, validation & ~test


def _shuffled(values: Ints, seed: int, *name: object) -> Ints:
    return np.random.default_rng(seed_of(seed, "split", *name)).permutation(values)
