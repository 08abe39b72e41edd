"""Ratings out of a table: which of them count, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rebeca.arrays import Bools, Floats, Ints
from rebeca.data.cells import Check, check_id, check_number, number_text, numbers
from rebeca.data.interactions import Interactions
from rebeca.data.options import ALL_RATINGS, Duplicates, RatingRules
from rebeca.data.tables import Faults, Table
from rebeca.errors import DataError, counted, first_few

"""Of those not in the list, in a message."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Counts of what the rules left out.

    Attributes:
        missing: Ratings that stand for none.
        unlisted: Ratings of items not in the list.
        unlisted_items: Those items, in the order of the file.
        duplicates: Ratings beyond the first of one item by one user.
        users: Users with too few ratings.
        of_users: Their ratings.
        without: Users none of whose ratings counts.
    """

    missing: int = 0
    unlisted: int = 0
    unlisted_items: tuple[str, ...] = ()
    duplicates: int = 0
    users: int = 0
    of_users: int = 0
    without: int = 0

    def sentences(self, rules: RatingRules) -> Iterator[str]:
        """What was left out, in words; nothing where nothing was."""
        if self.missing:
            yield f"left out: {counted(self.missing, 'rating')} with a value that stands for none"
        if self.unlisted:
            yield f"left out: {_unlisted(self.unlisted, self.unlisted_items)} not in the list"
        if self.duplicates:
            counts = "their mean counts" if rules.duplicates == "mean" else f"the {rules.duplicates} one counts"
            yield f"left out: {counted(self.duplicates, 'rating')} of an item that the user rated before; {counts}"
        if self.users:
            few = f"fewer than {counted(rules.min_ratings, 'rating')}"
            yield f"left out: {counted(self.users, 'user')} with {few}, {counted(self.of_users, 'rating')} in all"
        if self.without:
            yield f"left out: {counted(self.without, 'user')} none of whose ratings counts"


def _unlisted(ratings: int, items: tuple[str, ...]) -> str:
    return f"{counted(ratings, 'rating')} of {counted(len(items), 'item')} ({first_few(list(map(repr, items)))})"


def rating_checks(decimal: str) -> dict[str, Check]:
    """What is checked of the columns of a table of ratings."""
    return {"user": check_id, "item": check_id, "rating": check_number(decimal)}


def read_ratings(
    table: Table,
    item_ids: tuple[str, ...],
    scale: tuple[float, float],
    rules: RatingRules = ALL_RATINGS,
    decimal: str = ".",
) -> tuple[Interactions, LeftOut]:
    """Ratings out of the columns ``user``, ``item`` and ``rating``; with ``liked`` all False.

    The order of the rows matters only where ``first`` or ``last`` of several ratings counts.

    Args:
        table: What :func:`~rebeca.data.tables.read_table` gave.
        item_ids: Every item that is listed.
        scale: Lowest and highest possible rating.
        rules: Which ratings count.
        decimal: Decimal sign of the ratings.

    Raises:
        DataError: Naming the first rows that are off the scale, repeated, or of an item that is not listed; or if no
            rating is left.
    """
    rating, item = numbers(table.columns["rating"], decimal), _places(table.columns["item"], item_ids)
    names = _in_natural_order(table.columns["user"])
    user = _places(table.columns["user"], names)

    faults = Faults(table.path)
    stands_for_none = np.isin(rating, rules.missing_numbers)
    _check_scale(faults, table, rating, ~stands_for_none, scale)
    unlisted = (item < 0) & ~stands_for_none
    unlisted_items = tuple(dict.fromkeys(table.columns["item"][row] for row in np.flatnonzero(unlisted)))
    if rules.unlisted == "refuse":
        _check_listed(faults, table, unlisted, unlisted_items)
    kept = np.flatnonzero((item >= 0) & ~stands_for_none)
    order = kept[np.lexsort((kept, item[kept], user[kept]))]
    repeats = np.zeros(len(order), bool)
    repeats[1:] = (np.diff(user[order]) == 0) & (np.diff(item[order]) == 0)
    if rules.duplicates == "refuse":
        _check_once(faults, table, np.sort(order[repeats], kind="stable"))
    faults.check()

    rows, values = _one_each(order, repeats, rating, rules.duplicates)
    counts = np.bincount(user[rows], minlength=len(names))
    enough = counts[user[rows]] >= rules.min_ratings
    few, of_few = int(((counts > 0) & (counts < rules.min_ratings)).sum()), int((~enough).sum())
    none = int(stands_for_none.sum()) + sum(table.absent.values())
    without = int((counts == 0).sum())
    left_out = LeftOut(none, int(unlisted.sum()), unlisted_items, int(repeats.sum()), few, of_few, without)
    rows, values = rows[enough], values[enough]
    if not len(rows):
        why = "; ".join(left_out.sentences(rules))
        if unlisted_items:
            why += f"; the list has {first_few(list(map(repr, item_ids)))}"
        raise DataError(f"{table.path}: no ratings{' are left' if why else ''}", hint=why)
    users, numbered = np.unique(user[rows], return_inverse=True)
    user_ids, liked = tuple(names[index] for index in users), np.zeros(len(rows), bool)
    return Interactions(numbered.astype(np.int32), item[rows], values, liked, user_ids, item_ids), left_out


def _places(cells: Sequence[str], names: Sequence[str]) -> Ints:
    """int32 [n]; place of each cell among the names, -1 where it is none of them."""
    places = {name: place for place, name in enumerate(names)}
    return np.array([places.get(cell, -1) for cell in cells], np.int32)


def _in_natural_order(cells: Sequence[str]) -> list[str]:
    """Ids, each once: numbers by value, then words."""
    return sorted(set(cells), key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))


def _check_scale(faults: Faults, table: Table, rating: Floats, counts: Bools, scale: tuple[float, float]) -> None:
    outside = np.flatnonzero(counts & ((rating < scale[0]) | (rating > scale[1])))
    faults.add_all(
        table.rows[outside],
        lambda number: (
            f"rating {table.columns['rating'][outside[number]]} is outside the declared scale"
            f" {number_text(scale[0])} to {number_text(scale[1])}"
        ),
        "correct the ratings or the declared scale, or name values that stand for no rating with missing: [...]",
    )


def _check_listed(faults: Faults, table: Table, unlisted: Bools, items: tuple[str, ...]) -> None:
    if not items:
        return
    faults.add(
        int(table.rows[np.flatnonzero(unlisted)[0]]),
        f"item '{items[0]}' is not listed; that concerns {_unlisted(int(unlisted.sum()), items)}",
        "list the items, or leave these ratings out with unlisted: drop",
    )


def _check_once(faults: Faults, table: Table, repeated: Ints) -> None:
    user, item = table.columns["user"], table.columns["item"]
    faults.add_all(
        table.rows[repeated],
        lambda number: f"user '{user[repeated[number]]}' rated item '{item[repeated[number]]}' twice",
        "keep one rating per user and item, or say which one counts with duplicates: first, last or mean",
    )


def _one_each(order: Ints, repeats: Bools, rating: Floats, duplicates: Duplicates) -> tuple[Ints, Floats]:
    """One row, and its rating, per user and item; ``order`` is sorted by user, item and row."""
    if not len(order):
        return order, rating[order]
    starts = np.flatnonzero(~repeats)
    if duplicates == "mean":
        sums = np.add.reduceat(rating[order], starts)
        return order[starts], sums / np.diff(np.append(starts, len(order)))
    if duplicates == "last":
        starts = np.append(starts[1:], len(order)) - 1
    return order[starts], rating[order[starts]]
