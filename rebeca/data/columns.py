"""Ratings and embeddings as a Python caller has them: plain columns, checked and brought into the package's types."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from rebeca.arrays import Floats, Ints, Plain, first_true
from rebeca.data.interactions import Interactions
from rebeca.errors import DataError, SpecError

Id = str | int
"""A user's id."""


def read_columns(
    users: Sequence[Id] | npt.NDArray[np.generic],
    items: npt.ArrayLike,
    likes: npt.ArrayLike,
    embeddings: npt.ArrayLike,
    ratings: npt.ArrayLike | None = None,
) -> tuple[tuple[Id, ...], Interactions, Floats]:
    """Checks one row per rating, and the table of embeddings.

    Args:
        users: n ids, all texts or all whole numbers.
        items: int [n]; rows of ``embeddings``, counted from 0.
        likes: bool [n], or 0 and 1.
        embeddings: float [items, dim].
        ratings: float [n] on a scale of any kind; by default 1 for a like and 0 for a dislike.

    Returns:
        The different ids in ascending order, the ratings, and the embeddings as float32.

    Raises:
        DataError: Naming the first row that does not fit.
    """
    table = finite_rows(embeddings, "embeddings")
    ids, index = _number(users)
    item, liked = np.asarray(items), np.asarray(likes)
    rating = np.asarray(liked if ratings is None else ratings, np.float64)
    lengths = {len(index), *(column.shape[0] if column.ndim == 1 else -1 for column in (item, liked, rating))}
    if len(lengths) > 1 or not ids:
        shapes = {"users": (len(index),), "items": item.shape, "likes": liked.shape, "ratings": rating.shape}
        shown = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise DataError(f"one row per rating is needed, and at least one; the shapes are {shown}")
    if item.dtype.kind not in "iu":
        raise DataError(f"items: expected whole numbers, rows of embeddings, found {item.dtype}")
    _refuse("items", item, (item < 0) | (item >= len(table)), f"is no row of embeddings, which has {len(table):,}")
    _refuse("likes", liked, ~np.isin(liked, (0, 1)), "is neither true nor false")
    _refuse("ratings", rating, ~np.isfinite(rating), "is not a finite number")
    names = tuple(str(user) for user in ids), tuple(map(str, range(len(table))))
    return ids, Interactions(index, item.astype(np.int64), rating, liked.astype(bool), *names), table


def finite_rows(embeddings: npt.ArrayLike, name: str) -> Floats:
    """float32 [n, dim].

    Raises:
        DataError: If this is no table, or a number is not finite.
    """
    with np.errstate(over="ignore"):  # named below
        table = np.asarray(embeddings, np.float32)
    if table.ndim != 2 or not table.shape[1]:
        raise DataError(f"{name}: expected one row of numbers per image, found the shape {list(table.shape)}")
    row = first_true(~np.isfinite(table).all(axis=1))
    if row is not None:
        raise DataError(f"{name}: row {row} holds a number that is not finite")
    return table


def index_of(users: Iterable[Id], known: Sequence[Id], model: str) -> Ints:
    """int64 [n]; the place of each user among those that a model knows.

    Raises:
        SpecError: Naming the first unknown user and the nearest known id.
    """
    places: dict[Id, int] = {user: place for place, user in enumerate(known)}
    asked = list(users)
    unknown = next((user for user in asked if user not in places), None)
    if unknown is not None:
        by_text = {str(user): user for user in known}
        nearest = by_text[difflib.get_close_matches(str(unknown), by_text, n=1, cutoff=0)[0]]
        shown = unknown.item() if isinstance(unknown, np.generic) else unknown
        raise SpecError(f"the {model} was not trained on the user {shown!r}", hint=f"the nearest id is {nearest!r}")
    return np.array([places[user] for user in asked], np.int64)


def plain_ids(users: Iterable[Plain]) -> tuple[Id, ...]:
    """Ids as JSON holds them."""
    return tuple(user if isinstance(user, int) else str(user) for user in users)


def _number(users: Sequence[Id] | npt.NDArray[np.generic]) -> tuple[tuple[Id, ...], Ints]:
    """The different ids in ascending order, and for each row the place of its own, int64 [n]."""
    values = [user.item() if isinstance(user, np.generic) else user for user in users]
    kinds = [type(user) for user in values]
    odd = first_true([kind not in (str, int) or kind is not kinds[0] for kind in kinds])
    if odd is not None:
        raise DataError(
            f"users: row {odd} holds {values[odd]!r}, a {kinds[odd].__name__}",
            hint="ids are all texts or all whole numbers",
        )
    ids: tuple[Id, ...] = tuple(sorted(set(values)))
    places = {user: place for place, user in enumerate(ids)}
    return ids, np.array([places[user] for user in values], np.int64)


def _refuse(name: str, column: npt.NDArray[np.generic], wrong: npt.ArrayLike, fault: str) -> None:
    row = first_true(wrong)
    if row is not None:
        raise DataError(f"{name}: row {row} holds {column[row].item()!r}, which {fault}")
