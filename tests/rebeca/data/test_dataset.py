"""Blocks of users who rated the same items."""

import numpy as np

from rebeca.data.dataset import find_blocks
from rebeca.data.folder import read_folder
from tests.builders import interactions

SCALE = (1.0, 7.0)


def test_blocks_are_found_from_the_ratings():
    ratings = interactions([0, 0, 1, 2, 2], [0, 1, 1, 2, 3], [1] * 5, items=5)
    users, items = find_blocks(ratings)
    assert users.tolist() == [0, 0, 1]
    assert items[:4].tolist() == [0, 0, 1, 1]
    assert items[4] not in (0, 1)


def test_oasis_has_four_blocks(shared):
    data = read_folder(shared / "data" / "oasis", SCALE)
    assert (data.ratings.num_users, data.ratings.num_items, len(data.ratings)) == (757, 414, 79_606)
    assert sorted(np.bincount(data.block_of_user).tolist()) == [104, 140, 145, 368]
    assert sorted(np.bincount(data.catalogue.block).tolist()) == [98, 98, 108, 110]
