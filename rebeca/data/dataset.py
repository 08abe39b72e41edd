"""A data set: ratings, items, blocks, and what may be done with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rebeca.arrays import Bools, Floats, Ints, Pixels, first_true
from rebeca.data.catalogue import ArraySource, Candidates, Catalogue, FolderSource, PixelSource
from rebeca.data.interactions import Interactions
from rebeca.errors import DataError
from rebeca.seeds import digest_of


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """What a synthetic world knows about its users' taste.

    Attributes:
        unit: Unit of the utility, e.g. ``probability``.
        meaning: One sentence for pages.
        utility: ``utility(users, items) -> float``; for index arrays that broadcast.
        exact: Named values that an exact sampler of p(item | liked) would reach, for reports.
        of_images: ``of_images(images) -> float [all users, n]``; None where only items have a known utility.
        inside: ``inside(images) -> bool [n]``; whether an image could be an item of this world. Images outside have the
            lowest utility. None where the world cannot tell.

    Example:
        >>> import numpy as np
        >>> from rebeca import GroundTruth
        >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
        >>> known = GroundTruth("probability", "Drawn with the items.", lambda u, i: probabilities[u, i], exact={})
        >>> known.utility(np.array([0, 1]), np.array([0, 0])).tolist()
        [0.9, 0.2]
    """

    unit: str
    meaning: str
    utility: Callable[[Ints, Ints], Floats]
    exact: Mapping[str, float]
    of_images: Callable[[Iterable[Pixels]], Floats] | None = None
    inside: Callable[[Iterable[Pixels]], Bools] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Everything that a task needs to know about its data.

    Attributes:
        title: Name for pages.
        licence: Terms, in one line.
        redistribute: Whether items may be copied into records and pages.
        catalogue: Items.
        ratings: All ratings; ``liked`` is set by the split.
        block_of_user: int [users]; blocks share neither users nor items.
        scale: Lowest and highest possible rating.
        ground_truth: The known taste, in synthetic worlds.
        notes: What was left out while reading, a sentence each.

    Example:
        >>> import numpy as np
        >>> from rebeca import Dataset, Interactions
        >>> rating = np.array([5.0, 1.0, 4.0])
        >>> ratings = Interactions(
        ...     np.array([0, 0, 1]), np.array([0, 1, 2]), rating, rating > 3, ("ann", "bob"), ("cat", "dog", "owl")
        ... )
        >>> dataset = Dataset.in_memory("Animals", np.zeros((3, 8, 8, 3), np.uint8), ratings, scale=(1.0, 5.0))
        >>> len(dataset.catalogue), dataset.block_of_user.tolist()  # ann and bob share no item
        (3, [0, 1])
    """

    title: str
    licence: str
    redistribute: bool
    catalogue: Catalogue
    ratings: Interactions
    block_of_user: Ints
    scale: tuple[float, float]
    ground_truth: GroundTruth | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def in_memory(
        cls,
        title: str,
        pixels: Pixels,
        ratings: Interactions,
        scale: tuple[float, float],
        *,
        licence: str = "not declared",
        redistribute: bool = False,
        ground_truth: GroundTruth | None = None,
        captions: Sequence[str] = (),
    ) -> Dataset:
        """A data set of items in memory; blocks are the connected components of the ratings.

        Args:
            title: Name for pages.
            pixels: uint8 RGB [items, height, width, 3].
            ratings: All ratings; ``liked`` is set by the split.
            scale: Lowest and highest possible rating.
            licence: Terms, in one line.
            redistribute: Whether items may be copied into records and pages.
            ground_truth: The known taste, in synthetic worlds.
            captions: One per item, or none.

        Raises:
            ValueError: If images, or captions, and items differ in number.
        """
        catalogue, block_of_user = _catalogue(ArraySource(pixels), len(pixels), ratings, captions)
        return cls(title, licence, redistribute, catalogue, ratings, block_of_user, scale, ground_truth)

    @classmethod
    def from_files(
        cls,
        title: str,
        folder: Path,
        files: Sequence[str],
        ratings: Interactions,
        scale: tuple[float, float],
        *,
        licence: str = "not declared",
        redistribute: bool = False,
        ground_truth: GroundTruth | None = None,
        captions: Sequence[str] = (),
    ) -> Dataset:
        """A data set of image files, which are decoded when they are needed; otherwise as :meth:`in_memory`.

        Args:
            title: Name for pages.
            folder: Where the files are.
            files: The image of each item, relative to ``folder``.
            ratings: All ratings; ``liked`` is set by the split.
            scale: Lowest and highest possible rating.
            licence: Terms, in one line.
            redistribute: Whether items may be copied into records and pages.
            ground_truth: The known taste, in synthetic worlds.
            captions: One per item, or none.

        Raises:
            ValueError: If images, or captions, and items differ in number. An image that cannot be read raises
                DataError when it is asked for.

        Example:
            >>> from pathlib import Path
            >>> import numpy as np
            >>> from PIL import Image
            >>> from rebeca import Dataset, Interactions
            >>> for name in ("cat.png", "dog.png"):
            ...     Image.new("RGB", (8, 8), "red").save(name)
            >>> rating = np.array([5.0, 1.0])
            >>> ratings = Interactions(np.array([0, 0]), np.array([0, 1]), rating, rating > 3, ("ann",), ("cat", "dog"))
            >>> dataset = Dataset.from_files("Pets", Path(), ("cat.png", "dog.png"), ratings, scale=(1.0, 5.0))
            >>> dataset.catalogue.pixels(1)[0, 0].tolist()
            [255, 0, 0]
        """
        source = FolderSource(folder, tuple(files))
        catalogue, block_of_user = _catalogue(source, len(files), ratings, captions)
        return cls(title, licence, redistribute, catalogue, ratings, block_of_user, scale, ground_truth)

    def all_candidates(self) -> Candidates:
        """Every item of a user's block."""
        of_item = self.catalogue.block
        of_block = np.arange(of_item.max(initial=0) + 1)[:, None] == of_item
        return Candidates(self.ratings.user_ids, of_block, self.block_of_user)

    def fingerprint(self) -> str:
        """Changes with any item or rating."""
        r = self.ratings
        rows = np.lexsort((r.item, r.user))
        table = [r.user[rows].tolist(), r.item[rows].tolist(), r.rating[rows].tolist()]
        return digest_of([self.catalogue.fingerprint(), r.user_ids, table, list(self.scale)])


def _catalogue(
    source: PixelSource, images: int, ratings: Interactions, captions: Sequence[str]
) -> tuple[Catalogue, Ints]:
    """The items, and the block of each user, int [users]."""
    for what, count in ("pixels", images), ("captions", len(captions) or images):
        if count != ratings.num_items:
            raise ValueError(f"{what} of {count} items, ratings of {ratings.num_items}")
    block_of_user, block_of_item = find_blocks(ratings)
    return Catalogue(ratings.item_ids, source, block_of_item, tuple(captions)), block_of_user


def no_data() -> Dataset:
    """Without users and items, for plug-ins that need none, outside of any task."""
    nobody = np.zeros(0, np.int64)
    ratings = Interactions(nobody, nobody, np.zeros(0), np.zeros(0, bool), (), ())
    catalogue = Catalogue((), ArraySource(np.zeros((0, 1, 1, 3), np.uint8)), nobody)
    return Dataset("no data", "not declared", False, catalogue, ratings, nobody, (0.0, 1.0))


def find_blocks(ratings: Interactions) -> tuple[Ints, Ints]:
    """Connected components of the graph of users and items, numbered by first user.

    Returns:
        int [users] and int [items]. An item that nobody rated belongs to a block of its own.
    """
    from scipy.sparse import coo_matrix  # takes a tenth of a second
    from scipy.sparse.csgraph import connected_components

    size = ratings.num_users + ratings.num_items
    edges = coo_matrix((np.ones(len(ratings)), (ratings.user, ratings.item + ratings.num_users)), shape=(size, size))
    _, component = connected_components(edges, directed=False)
    _, first, numbered = np.unique(component, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first, kind="stable"), kind="stable")[numbered]
    return order[: ratings.num_users], order[ratings.num_users :]


def user_blocks(ratings: Interactions, block_of_item: Ints) -> Ints:
    """Int [users]; the block of every user's items.

    Raises:
        DataError: If a user rated items of two blocks.
    """
    blocks = np.full(ratings.num_users, -1)
    blocks[ratings.user] = block_of_item[ratings.item]
    row = first_true(blocks[ratings.user] != block_of_item[ratings.item])
    if row is not None:
        user, item = ratings.user_ids[int(ratings.user[row])], ratings.item_ids[int(ratings.item[row])]
        raise DataError(
            f"user '{user}' rated items of two blocks ('{item}' is in another one)",
            hint="leave the column 'block' out: blocks are then computed from the ratings",
        )
    return blocks
