"""Data sets: ratings and items, read from files or drawn."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from rebeca.errors import SpecError
from rebeca.interfaces.plugin import Plugin

if TYPE_CHECKING:
    from rebeca.data.dataset import Dataset

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class DatasetContext:
    """What a data set's source is given.

    Attributes:
        path: The folder that the task names with ``data.path``, absolute, or None.

    Example:
        >>> from pathlib import Path
        >>> from rebeca import DatasetContext
        >>> DatasetContext(Path("photos")).folder.name
        'photos'
    """

    path: Path | None = None

    @property
    def folder(self) -> Path:
        """The folder.

        Raises:
            SpecError: If the task names none.
        """
        if self.path is None:
            raise SpecError(
                "data.path is not set", hint="name the folder in the task file, or with --set data.path=FOLDER"
            )
        return self.path


@dataclass(frozen=True, slots=True)
class CaptionFile:
    """A file with captions among other things.

    Attributes:
        name: Relative to the folder that ``data.path`` names.
        captions: Digest of the captions.
        others: Digest of everything else that is read from it.

    Example:
        A plug-in returns it from ``caption_file``:

        >>> from hashlib import sha256
        >>> from rebeca import CaptionFile
        >>> rows = {"cat.png": "a cat", "dog.png": "a dog"}
        >>> files, captions = (sha256(" ".join(texts).encode()).hexdigest() for texts in (rows, rows.values()))
        >>> CaptionFile("items.csv", captions, others=files).captions[:8]
        'f9e2b1a4'
    """

    name: str
    captions: str
    others: str


class DatasetSource(Plugin[P, DatasetContext]):
    """Reads or draws a data set.

    Example:
        >>> import numpy as np
        >>> from rebeca import Catalogue, Dataset, DatasetContext, DatasetSource, Interactions, NoParams
        >>> class GreyLevels(DatasetSource[NoParams]):
        ...     def read(self):
        ...         users, items = (tuple(f"{kind}{i}" for i in range(12)) for kind in "ui")
        ...         user, item = (index.ravel() for index in np.indices((12, 12)))
        ...         rating = 1.0 + (user + item) % 5
        ...         ratings = Interactions(user, item, rating, rating > 3, users, items)
        ...         grey = np.arange(12, dtype=np.uint8)[:, None, None, None] * np.full((1, 8, 8, 3), 20, np.uint8)
        ...         return Dataset.in_memory("Grey levels", grey, ratings, scale=(1.0, 5.0))
        >>> len(GreyLevels(NoParams(), DatasetContext()).read().catalogue)
        12

    Attributes:
        ITEM_FILES: Names or patterns, relative to the folder that ``data.path`` names, of the files that :meth:`read`
            reads. After a change of one of them everything that depends on the data is computed again; other files may
            change.
        RATING_FILES: Those that hold nothing but ratings; a change leaves the items' embeddings as they are.
    """

    ITEM_FILES: ClassVar[tuple[str, ...]] = ("*",)
    RATING_FILES: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def item_files(cls, params: P) -> tuple[str, ...]:
        """``ITEM_FILES`` where the parameters name further ones."""
        return cls.ITEM_FILES

    @classmethod
    def rating_files(cls, params: P) -> tuple[str, ...]:
        """``RATING_FILES`` where the parameters name further ones."""
        return cls.RATING_FILES

    @classmethod
    def caption_file(cls, params: P, folder: Path) -> CaptionFile | None:
        """The file with captions, if there is one and its captions can be told from the rest.

        After a change of captions alone only generators are fitted again whose ``reads_captions`` says so.
        """
        return None

    @abc.abstractmethod
    def read(self) -> Dataset:
        """The data set.

        Raises:
            DataError: Naming file, row and value of the first problem.
        """
