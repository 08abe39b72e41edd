"""User-by-item ratings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from rebeca.arrays import Bools, Floats, Ints
from rebeca.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """Ratings as parallel columns; rows of a subset keep the user and item index of the whole.

    Attributes:
        user: int32 [n]; index into ``user_ids``.
        item: int32 [n]; index into ``item_ids``.
        rating: float64 [n]; on the data set's own scale.
        liked: bool [n]; the rating as a yes or no (see :func:`like`).
        user_ids: Ids of all users, also of those without a row here.
        item_ids: Ids of all items.

    Example:
        >>> import numpy as np
        >>> from rebeca import Interactions
        >>> user, item, rating = np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([5.0, 1.0, 4.0])
        >>> ratings = Interactions(user, item, rating, rating > 3, ("ann", "bob"), ("cat", "dog"))
        >>> len(ratings), ratings.num_users, ratings.num_items
        (3, 2, 2)
        >>> ratings.matrix()
        array([[ 5.,  1.],
               [nan,  4.]])
    """

    user: Ints
    item: Ints
    rating: Floats
    liked: Bools
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.user)

    @property
    def num_users(self) -> int:
        """Users of the data set, with or without rows here."""
        return len(self.user_ids)

    @property
    def num_items(self) -> int:
        """Items of the data set, with or without rows here."""
        return len(self.item_ids)

    def where(self, rows: Bools | Ints) -> Self:
        """The rows where a mask, bool [n], is true; or rows by number, in that order.

        Example:
            >>> import numpy as np
            >>> from rebeca import Interactions
            >>> rating = np.array([5.0, 1.0])
            >>> ratings = Interactions(np.array([0, 0]), np.array([0, 1]), rating, rating > 3, ("ann",), ("cat", "dog"))
            >>> ratings.where(ratings.liked).item.tolist()
            [0]
        """
        return replace(
            self, user=self.user[rows], item=self.item[rows], rating=self.rating[rows], liked=self.liked[rows]
        )

    def ratings_per_user(self) -> Ints:
        """int64 [num_users]; rows of each user, 0 for users without any.

        Example:
            >>> import numpy as np
            >>> from rebeca import Interactions
            >>> rating = np.array([5.0, 1.0])
            >>> users, items = ("ann", "bob"), ("cat", "dog")
            >>> ratings = Interactions(np.array([0, 0]), np.array([0, 1]), rating, rating > 3, users, items)
            >>> ratings.ratings_per_user().tolist()
            [2, 0]
        """
        return np.bincount(self.user, minlength=self.num_users)

    def rows_of(self, user: int) -> Ints:
        """Int [m]; row numbers of a user, ascending."""
        return np.flatnonzero(self.user == user)

    def user_mean(self) -> Floats:
        """float64 [num_users]; mean rating, NaN without rows."""
        return _group_mean(self.user, self.rating, self.num_users)

    def item_mean(self) -> Floats:
        """float64 [num_items]; mean rating, NaN without rows."""
        return _group_mean(self.item, self.rating, self.num_items)

    def matrix(self) -> Floats:
        """float64 [num_users, num_items]; ratings, NaN where there is none."""
        full = np.full((self.num_users, self.num_items), np.nan)
        full[self.user, self.item] = self.rating
        return full


def _group_mean(index: Ints, values: Floats, size: int) -> Floats:
    count = np.bincount(index, minlength=size)
    return np.divide(np.bincount(index, values, size), count, out=np.full(size, np.nan), where=count > 0)


def rows_by_group(group: Ints, num_groups: int) -> list[Ints]:
    """Row numbers of every group, ascending, from the group of each row, int [n] in [0, ``num_groups``)."""
    order = np.argsort(group, kind="stable")
    return np.split(order, np.cumsum(np.bincount(group, minlength=num_groups))[:-1])


def like(ratings: Interactions, like_at: float | str, reference: Interactions | None = None) -> Interactions:
    """Turns ratings into likes.

    Args:
        ratings: The rows to label.
        like_at: A rating from which on an item is liked, or ``user-median``: liked when above the user's
            own median.
        reference: Rows from which the medians are taken (training ratings, so that nothing leaks); by default
            ``ratings`` itself.

    Raises:
        DataError: If a user has rows here but none in ``reference``, with ``user-median``.
    """
    if like_at != "user-median":
        return replace(ratings, liked=ratings.rating >= float(like_at))
    base = ratings if reference is None else reference
    medians = np.full(ratings.num_users, np.nan)
    for user in np.unique(base.user):
        medians[user] = np.median(base.rating[base.rows_of(int(user))])
    threshold = medians[ratings.user]
    without = np.unique(ratings.user[np.isnan(threshold)]).tolist()
    if without:
        raise DataError(
            f"like_at: user-median needs training ratings of every user; {len(without):,} of {ratings.num_users:,}"
            f" have none, the first is '{ratings.user_ids[without[0]]}'",
            hint="leave users with few ratings out (min_ratings), lower split.test, or give a number for like_at",
        )
    return replace(ratings, liked=ratings.rating > threshold)
