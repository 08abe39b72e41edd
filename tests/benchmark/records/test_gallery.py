"""What a record shows of a user's taste."""

import numpy as np

from benchmark.records.gallery import examples_of
from rebeca.data.interactions import Interactions


class Digests:
    def digest(self, item):
        return f"{item:064d}"


def test_equal_ratings_are_not_shown_in_the_order_of_the_catalogue():
    """A catalogue sorted by kind (as that of sprites) would show images of its first kind alone."""
    n = 200
    ratings = Interactions(
        np.zeros(n, np.int64), np.arange(n), np.repeat([1.0, 0.0], n // 2), np.repeat([True, False], n // 2),
        ("ann",), tuple(f"item-{i}" for i in range(n)),
    )  # fmt: skip
    shown = examples_of(ratings, Digests(), 0)
    liked, disliked = ([example.item for example in examples] for examples in (shown.liked, shown.disliked))
    assert len(liked) == 6 and len(disliked) == 3
    assert max(liked) < 100 <= min(disliked)
    assert max(liked) - min(liked) > 30
    again = examples_of(ratings.where(np.random.default_rng(0).permutation(n)), Digests(), 0)
    assert again == shown


def test_higher_ratings_come_first():
    ratings = Interactions(
        np.zeros(9, np.int64), np.arange(9), np.arange(9.0), np.arange(9) > 3, ("ann",), tuple("abcdefghi")
    )
    shown = examples_of(ratings, Digests(), 0)
    assert [example.item for example in shown.liked] == [8, 7, 6, 5, 4]
    assert [example.item for example in shown.disliked] == [0, 1, 2]
