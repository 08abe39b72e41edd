"""Ratings and embeddings as a Python caller has them: plain columns, checked and brought into the package's types."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from rebeca.arrays import Floats, Ints, first_true
from rebeca.data.interactions import Interactions
from rebeca.errors import DataError, SpecError
from rebeca.params import shortened

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
    item, liked = as_array("items", items), as_array("likes", likes)
    _refuse("likes", liked, [not is_like(value) for value in liked.flat], "is neither true nor false")
    rating = as_array("ratings", liked if ratings is None else ratings, np.float64)
    lengths = {len(index), *(column.shape[0] if column.ndim == 1 else -1 for column in (item, liked, rating))}
    if len(lengths) > 1 or not ids:
        shapes = {"users": (len(index),), "items": item.shape, "likes": liked.shape, "ratings": rating.shape}
        shown = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise DataError(f"one row per rating is needed, and at least one; the shapes are {shown}")
    if item.dtype.kind not in "iu":
        raise DataError(f"items: expected whole numbers, rows of embeddings, found {item.dtype}")
    _refuse("items", item, (item < 0) | (item >= len(table)), f"is no row of embeddings, which has {len(table):,}")
    _refuse("ratings", rating, ~np.isfinite(rating), "is not a finite number")
    names = tuple(str(user) for user in ids), tuple(map(str, range(len(table))))
    return ids, Interactions(index, item.astype(np.int64), rating, liked.astype(bool), *names), table


def finite_rows(embeddings: npt.ArrayLike, name: str) -> Floats:
    """float32 [n, dim].

    Raises:
        DataError: If this is no table, or a number is not finite.
    """
    table = as_array(name, embeddings, np.float32)
    if table.ndim != 2 or not table.shape[1]:
        raise DataError(f"{name}: expected one row of numbers per image, found the shape {list(table.shape)}")
    row = first_true(~np.isfinite(table).all(axis=1))
    if row is not None:
        raise DataError(f"{name}: row {row} holds a number that is not finite")
    return table


def as_array(name: str, values: npt.ArrayLike, dtype: type[np.floating] | None = None) -> npt.NDArray[Any]:
    """An array of what a caller gave: lists, a column of pandas, a tensor on the CPU.

    Args:
        name: Of the argument, for messages.
        values: What was given.
        dtype: Number type to convert to; by default the values' own.

    Raises:
        DataError: If it is no array, or one of anything but numbers where ``dtype`` asks for them.
    """
    try:
        with np.errstate(over="ignore"):  # a number too large becomes infinite, which is refused by its row
            array = np.asarray(values)
            if dtype is None:
                return array
            if array.dtype.kind not in "biufO":
                raise TypeError(f"they are {array.dtype}")
            return array.astype(dtype, copy=False)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{name}: expected an array of numbers, found a {type(values).__name__} ({reason})") from error


def is_like(value: object) -> bool:
    """Whether a value is true or false, as a bool or as 1 or 0."""
    return isinstance(value, bool | np.bool | Real) and value in (0, 1)


def index_of(users: Iterable[Id], known: Sequence[Id], model: str) -> Ints:
    """int64 [n]; the place of each user among those that a model knows.

    Raises:
        SpecError: Naming the first unknown user and the nearest known id.
    """
    places = {(type(user), user): place for place, user in enumerate(known)}
    asked = _listed(users)
    unknown = [user for user in asked if type(user) not in (str, int) or (type(user), user) not in places]
    if unknown:
        by_text = {str(user): user for user in known}
        nearest = by_text[difflib.get_close_matches(str(unknown[0]), by_text, n=1, cutoff=0)[0]]
        raise SpecError(
            f"the {model} was not trained on the user {unknown[0]!r}", hint=f"the nearest id is {nearest!r}"
        )
    return np.array([places[type(user), user] for user in asked], np.int64)


def plain_ids(users: Sequence[Id]) -> tuple[Id, ...]:
    """Ids from JSON, as :func:`read_columns` returned them.

    Raises:
        ValueError: If they are not different ids of one kind in ascending order.
    """
    ids = _number(users)[0]
    if list(ids) != list(users):
        raise ValueError("its users are not in ascending order")
    return ids


def _number(users: Sequence[Id] | npt.NDArray[np.generic]) -> tuple[tuple[Id, ...], Ints]:
    """The different ids in ascending order, and for each row the place of its own, int64 [n]."""
    values = _listed(users)
    kinds = [type(user) for user in values]
    odd = first_true([kind not in (str, int) or kind is not kinds[0] for kind in kinds])
    if odd is not None:
        raise DataError(
            f"users: row {odd} holds {shortened(values[odd])}, a {kinds[odd].__name__}",
            hint="ids are all texts or all whole numbers",
        )
    ids: tuple[Id, ...] = tuple(sorted(set(values)))
    places = {user: place for place, user in enumerate(ids)}
    return ids, np.array([places[user] for user in values], np.int64)


def _refuse(name: str, column: npt.NDArray[np.generic], wrong: npt.ArrayLike, fault: str) -> None:
    row = first_true(wrong)
    if row is not None:
        raise DataError(f"{name}: row {row} holds {_plain(column.flat[row])!r}, which {fault}")


def _listed(users: Iterable[Any]) -> list[Any]:
    """Ids of Python's own types; a single text is no list of its letters."""
    if isinstance(users, str | bytes | Mapping) or not isinstance(users, Iterable):
        raise DataError(f"users: expected a list of ids, found a {type(users).__name__}", hint="write [id]")
    return [_plain(user) for user in users]


def _plain(value: Any) -> Any:
    """A number or text of numpy as Python's own."""
    return value.item() if isinstance(value, np.generic) else value
