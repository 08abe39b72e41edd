"""How pages and scripts about many users are cut, so that no file that a page loads grows with their number.

A task with few users has one page of users and one script per generator. Of a task with many, each file holds as many
users as its limit of bytes allows, whatever their names.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import escape

LOADED = 500_000
"""Bytes of the largest file that a page may load."""
ROWS = 380_000
"""Bytes of a page of users that its table may take; personas, figures and links take the rest."""
ROW_WITHOUT_NAME = 1_300
"""Bytes of a table row, with eleven levels of ratings."""
MOST_ROWS = 250
SCRIPT = 400_000
"""Bytes of a script that users' values or names may take."""
PER_VALUE = 13
"""Bytes of a value with five digits and its comma."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some consecutive users.

    Attributes:
        number: From 1.
        users: Their indices.
    """

    number: int
    users: range

    @property
    def page(self) -> str:
        """File of this part of the list of users; the first has the name that it has where it is the only one."""
        return "users.html" if self.number == 1 else f"users-{self.number}.html"

    @property
    def numbers(self) -> str:
        """``251–500``, counted from 1."""
        return f"{self.users[0] + 1:,}–{self.users[-1] + 1:,}"


def cut(sizes: Sequence[int], most: int, most_users: int | None = None) -> list[Part]:
    """Consecutive users in parts of ``most`` bytes and ``most_users`` users; a user of more bytes has a part alone.

    Args:
        sizes: Bytes that each user takes.
        most: Bytes of a part.
        most_users: Users of a part, if limited.

    Returns:
        At least one part if there are users.
    """
    ends = list(_ends(sizes, most, most_users or len(sizes)))
    return [Part(k, range(*ends)) for k, ends in enumerate(itertools.pairwise([0, *ends]), start=1)]


def _ends(sizes: Sequence[int], most: int, most_users: int) -> Iterator[int]:
    first, total = 0, 0
    for user, size in enumerate(sizes):
        if user > first and (total + size > most or user - first == most_users):
            yield user
            first, total = user, 0
        total += size
    if len(sizes):
        yield len(sizes)


def pages_of_users(users: Sequence[str], most: int = ROWS) -> list[Part]:
    """The parts of the list of users, a page each."""
    return cut([ROW_WITHOUT_NAME + len(escape(user).encode()) for user in users], most, MOST_ROWS)


def parts_of_values(users: int, columns: int, most: int = SCRIPT) -> list[Part]:
    """The parts of a generator's values: one per user and column."""
    return cut([PER_VALUE * columns] * users, most)
