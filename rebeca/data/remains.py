"""What a division leaves to whom: the candidates of every user, and who is left without something."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rebeca.arrays import Ints
from rebeca.data.catalogue import Candidates
from rebeca.data.interactions import Interactions, rows_by_group
from rebeca.data.splits import Division
from rebeca.errors import counted


def find_candidates(
    ratings: Interactions, division: Division, block_of_user: Ints, block_of_item: Ints, originals: Ints
) -> Candidates:
    """Which items may be shown to whom; none that has the same pixels as an item that the user rated in training.

    Args:
        ratings: All ratings.
        division: How they are divided.
        block_of_user: int [users].
        block_of_item: int [items].
        originals: int [items]; of every item the first one with the same pixels.
    """
    blocks = int(max(block_of_item.max(), block_of_user.max())) + 1
    if division.test_items.any():
        of_block = np.stack([division.test_items & (block_of_item == b) for b in range(blocks)])
        return Candidates(ratings.user_ids, of_block, block_of_user)
    of_block = np.stack([block_of_item == b for b in range(blocks)])
    seen = [part.joined() for part in (division.generators, division.verifier, division.auditor)]
    user, item = (np.concatenate([getattr(rows, name) for rows in seen]) for name in ("user", "item"))
    rated = [np.unique(item[rows]) for rows in rows_by_group(user, ratings.num_users)]
    if len(np.unique(originals)) < len(originals):
        rated = [np.flatnonzero(np.isin(originals, originals[items])) for items in rated]
    return Candidates(ratings.user_ids, of_block, block_of_user, tuple(rated))


def users_with_candidates(candidates: Candidates) -> Ints:
    """Int [m]; the users for whom at least one item is a candidate, ascending."""
    return np.array([user for user in range(len(candidates.user_ids)) if len(candidates.of(user))], np.int64)


def remarks(ratings: Interactions, division: Division, candidates: Candidates, originals: Ints) -> Iterator[str]:
    """Who and what is left without something, a sentence each; nothing where nothing is.

    Args:
        ratings: All ratings.
        division: How they are divided.
        candidates: Which items may be shown to whom.
        originals: int [items]; of every item the first one with the same pixels.
    """
    equal = len(originals) - len(np.unique(originals))
    if equal:
        has = "has" if equal == 1 else "have"
        yield (
            f"{counted(equal, 'item')} {has} the same pixels as another one;"
            " equal items are on one side of the split, and no candidate equals a training item"
        )
    training = division.generators.joined()
    users = ratings.num_users
    for number, what in (
        (users - len(np.unique(training.user)), "a training rating"),
        (users - len(np.unique(training.user[training.liked])), "a like among the training ratings"),
        (users - len(np.unique(division.test.user)), "a held-out rating"),
        (users - len(users_with_candidates(candidates)), "a candidate item; no images are made for them"),
    ):
        if number:
            yield f"{number:,} of {counted(users, 'user')} without {what}"
    unrated = ratings.num_items - len(np.unique(ratings.item))
    if unrated:
        yield f"{unrated:,} of {counted(ratings.num_items, 'item')} without a rating"
