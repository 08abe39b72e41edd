"""What a task may declare about the files of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar, Literal

from rebeca.params import Count

if TYPE_CHECKING:
    from pydantic import ConfigDict

TABLE_SUFFIXES = (".csv", ".tsv", ".dat", ".txt", ".jsonl", ".parquet")
TABLE_ENDINGS = tuple(f"{suffix}{packed}" for suffix in TABLE_SUFFIXES for packed in ("", ".gz"))
"""How the name of a table may end."""
Decimal = Literal[".", ","]
Duplicates = Literal["refuse", "first", "last", "mean"]


@dataclass(frozen=True, slots=True)
class TableLayout:
    """How a table is laid out.

    Attributes:
        file: Name of the file in the data folder; by default the usual one.
        columns: Columns that have another name in the file, as ``{user: userId}``; without a header their numbers,
            counted from 1.
        delimiter: Between cells of a text table, one or more characters; by default a tab in ``.tsv`` and a comma
            elsewhere.
        decimal: Decimal sign of ratings.
        header: Whether the first row of a text table holds the names of its columns.
    """

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}
    file: str = ""
    columns: Mapping[str, str | int] = field(default_factory=dict)
    delimiter: str = ""
    decimal: Decimal = "."
    header: bool = True

    def __post_init__(self) -> None:
        if any(character in '\r\n"\x1f' for character in self.delimiter):
            raise ValueError(f"delimiter: {self.delimiter!r} cannot part cells")
        if not self.header and not all(isinstance(number, int) for number in self.columns.values()):
            raise ValueError(
                "columns: a table without a header has numbers for names, as {user: 1, item: 2, rating: 3}"
            )
        theirs = [self.columns.get(name, name if self.header else None) for name in ("user", "item", "rating")]
        twice = next((column for column in theirs if column is not None and theirs.count(column) > 1), None)
        if twice is not None:
            raise ValueError(f"columns: the file's column '{twice}' cannot be two of user, item and rating")
        pure = PurePath(self.file)
        if pure.is_absolute() or ".." in pure.parts:
            raise ValueError(f"file: '{self.file}' does not lie in the data folder")


@dataclass(frozen=True, slots=True)
class RatingRules:
    """Which ratings count.

    Attributes:
        duplicates: What happens where a user rated an item several times: it is refused, the first or the last rating
            counts, or their mean.
        min_ratings: Users with fewer ratings are left out.
        unlisted: What happens to a rating of an item that is not listed: it is refused, or dropped.
        missing: Numbers or texts that stand for no rating, such as -1, 99, ``NA``, or an empty text for empty cells.
    """

    duplicates: Duplicates = "refuse"
    min_ratings: Count = 1
    unlisted: Literal["refuse", "drop"] = "refuse"
    missing: tuple[float | str, ...] = ()

    @property
    def missing_numbers(self) -> tuple[float, ...]:
        """Those of the missing values that are numbers."""
        return tuple(value for value in self.missing if not isinstance(value, str))

    @property
    def missing_texts(self) -> tuple[str, ...]:
        """Those of the missing values that are texts."""
        return tuple(value for value in self.missing if isinstance(value, str))


USUAL_LAYOUT = TableLayout()
ALL_RATINGS = RatingRules()
