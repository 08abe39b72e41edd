"""The contract of data sets."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest

import numpy as np

from rebeca.data.cells import check_id
from rebeca.data.dataset import Dataset, user_blocks
from rebeca.guards import refuse_if
from rebeca.interfaces import CaptionFile, DatasetContext, DatasetSource
from rebeca.testing.compare import Answers
from rebeca.testing.contract import Contract, check
from rebeca.testing.world import World


class DatasetContract(Contract):
    """What a data set must keep. Inherit it in a test, and set ``plugin``.

    Example:
        >>> import numpy as np
        >>> from rebeca import Dataset, DatasetSource, Interactions, NoParams
        >>> from rebeca.testing import DatasetContract, run_contract
        >>> class GreyLevels(DatasetSource[NoParams]):
        ...     def read(self):
        ...         users, items = (tuple(f"{kind}{i}" for i in range(12)) for kind in "ui")
        ...         user, item = (index.ravel() for index in np.indices((12, 12)))
        ...         rating = 1.0 + (user + item) % 5
        ...         ratings = Interactions(user, item, rating, rating > 3, users, items)
        ...         grey = np.arange(12, dtype=np.uint8)[:, None, None, None] * np.full((1, 8, 8, 3), 20, np.uint8)
        ...         return Dataset.in_memory("Grey levels", grey, ratings, scale=(1.0, 5.0))
        >>> class TestGreyLevels(DatasetContract):
        ...     plugin = GreyLevels
        >>> [result.name for result in run_contract(TestGreyLevels) if result.broken]
        []

    Attributes:
        path: The folder that a task would name with ``data.path``, for data sets that read files.
    """

    kind = "data set"
    base = DatasetSource
    path: ClassVar[Path | None] = None

    def context(self, world: World | None = None) -> Any:
        """What the harness gives: the folder."""
        return DatasetContext(None if self.path is None else Path(self.path).absolute())

    def build(self, context: Any = None) -> Any:
        """As of every contract; a data set needs no world."""
        return super().build(self.context() if context is None else context)

    def declared(self) -> Answers:
        """The answers of all class methods."""
        names = ("item_files", "rating_files")
        return {**super().declared(), **{name: getattr(self.plugin, name)(self.settings) for name in names}}

    def asked(self, plugin: Any) -> Answers:
        """The data set."""
        return described(plugin.read())

    @property
    def dataset(self) -> Dataset:
        """The data set, read once."""
        dataset: Dataset = self.once("dataset", lambda: self.build().read())
        return dataset

    @check("do not write into the arrays of a data set once it was returned")
    def test_inputs_are_not_modified(self) -> None:
        """Reading again leaves the files, and a data set that was read before, as they are."""
        before, files = described(self.dataset), self._files()
        self.exercise()
        refuse_if(self._files() != files, "reading changed the files of the folder")
        changed = [name for name, value in described(self.dataset).items() if not np.array_equal(value, before[name])]
        refuse_if(changed, f"reading again changed {changed[0] if changed else ''}")

    def _files(self) -> dict[str, tuple[int, int]]:
        paths = [] if self.path is None else sorted(Path(self.path).rglob("*"))
        return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in paths}

    # --- checks

    @check("return a rebeca.Dataset whose parts have the same users and items")
    def test_parts_fit_together(self) -> None:
        """Ratings, items and blocks fit together, and ratings lie on the scale."""
        self.build().read()

    @check("use names that can be printed; every user and item needs one of its own")
    def test_ids_are_unique_texts(self) -> None:
        """Ids of users and items are unique texts that can be printed."""
        ratings = self.dataset.ratings
        for kind, ids in (("user", ratings.user_ids), ("item", ratings.item_ids)):
            refuse_if(not all(isinstance(text, str) for text in ids), f"an id of a {kind} is no text")
            faults = [f"the id of a {kind} {fault}" for text in ids if (fault := check_id(text))]
            refuse_if(faults, faults[0] if faults else "")
            refuse_if(len(set(ids)) < len(ids), f"two {kind}s have the same id")

    @check("give the catalogue and the ratings the same ids in the same order")
    def test_items_are_those_of_the_catalogue(self) -> None:
        """The catalogue lists the items of the ratings in the same order."""
        refuse_if(self.dataset.catalogue.item_ids != self.dataset.ratings.item_ids, "ids of items differ")

    @check("keep one rating per user and item: the first, the last or their mean")
    def test_items_are_rated_once(self) -> None:
        """A user rates an item once."""
        ratings = self.dataset.ratings
        pairs = ratings.user.astype(np.int64) * ratings.num_items + ratings.item
        refuse_if(len(np.unique(pairs)) < len(pairs), "a user rated an item twice")

    @check("use integer indices, float64 ratings and bool likes")
    def test_columns_have_their_types(self) -> None:
        """Columns of the ratings have their types."""
        for name, kind, words in (("user", "i", "integers"), ("item", "i", "integers"), ("liked", "b", "bool")):
            dtype = np.asarray(getattr(self.dataset.ratings, name)).dtype
            refuse_if(dtype.kind != kind, f"the column {name} is of {dtype}, expected {words}")
        dtype = np.asarray(self.dataset.ratings.rating).dtype
        refuse_if(dtype != np.float64, f"the column rating is of {dtype}, expected float64")

    @check("name the lowest and the highest possible rating, in this order")
    def test_scale_has_two_ends(self) -> None:
        """The scale has two ends, the lower one first."""
        scale = self.dataset.scale
        refuse_if(not (len(scale) == 2 and np.isfinite(scale).all() and scale[0] < scale[1]), f"the scale is {scale}")

    @check("leave blocks to rebeca.data.dataset.find_blocks, as Dataset.in_memory does")
    def test_blocks_part_users_and_items(self) -> None:
        """Users rate items of their own block only."""
        dataset = self.dataset
        blocks = user_blocks(dataset.ratings, dataset.catalogue.block)
        rated = np.unique(dataset.ratings.user)
        differ = np.flatnonzero(blocks[rated] != np.asarray(dataset.block_of_user)[rated])
        refuse_if(len(differ), "a user's block is another than that of the user's items")

    @check("return uint8 RGB [height, width, 3] from the source's read(index), for every item")
    def test_pixels_are_rgb(self) -> None:
        """The pixels of all items can be read, and are uint8 RGB."""
        catalogue = self.dataset.catalogue
        for index in range(len(catalogue)):
            pixels = catalogue.source.read(index)
            refuse_if(pixels.size == 0, f"item {index} has no pixels")

    @check("let the source's read(index) give the same pixels whenever it is asked")
    def test_pixels_stay(self) -> None:
        """The pixels of an item are the same whenever they are read."""
        source = self.dataset.catalogue.source
        for index in range(len(self.dataset.catalogue)):
            first = source.read(index).copy()
            refuse_if(not np.array_equal(first, source.read(index)), f"the pixels of item {index} change")

    @check("give one caption per item, or none at all")
    def test_captions_are_texts(self) -> None:
        """There is a caption for every item, or none."""
        captions = self.dataset.catalogue.captions
        refuse_if(captions and len(captions) != len(self.dataset.catalogue), f"{len(captions)} captions of other items")
        refuse_if(not all(isinstance(text, str) for text in captions), "a caption is no text")

    @check("fill in title and licence; say redistribute=True only if items may be shown on pages")
    def test_terms_are_stated(self) -> None:
        """Title, licence and whether items may be shown are stated."""
        dataset = self.dataset
        for name in ("title", "licence"):
            value = getattr(dataset, name)
            refuse_if(not isinstance(value, str) or not value.strip(), f"{name} is {value!r}")
        refuse_if(not isinstance(dataset.redistribute, bool), f"redistribute is {dataset.redistribute!r}")

    @check("some must like what others do not; check the rating scale")
    def test_ratings_differ(self) -> None:
        """Ratings are not all the same."""
        refuse_if(np.ptp(self.dataset.ratings.rating) == 0, "all ratings are the same")

    @check(
        "return arrays: utility(users, items) broadcasts, of_images(images) is [all users, n], inside(images) bool;"
        " images outside have the lowest utility"
    )
    def test_ground_truth_answers(self) -> None:
        """What a synthetic world knows has the shapes that scorers expect."""
        dataset = self.dataset
        known = dataset.ground_truth
        if known is None:
            raise SkipTest("it knows no ground truth")
        users, items = np.arange(dataset.ratings.num_users), np.arange(len(dataset.catalogue))
        utility = np.asarray(known.utility(users[:, None], items[None, :]))
        shape = (len(users), len(items))
        refuse_if(
            utility.shape != shape or not np.isfinite(utility).all(), f"utility is {utility.shape}, or not finite"
        )
        some = [dataset.catalogue.pixels(i) for i in range(min(3, len(items)))]
        some.append(np.random.default_rng(0).integers(0, 256, some[0].shape, dtype=np.uint8))
        inside = np.ones(len(some), bool)
        if known.inside is not None:
            inside = np.asarray(known.inside(some))
            fine = inside.shape == (len(some),) and inside.dtype == bool
            refuse_if(not fine, f"inside gave {inside.dtype} {list(inside.shape)}, expected bool [{len(some)}]")
        if known.of_images is not None:
            shape, values = (len(users), len(some)), np.asarray(known.of_images(some))
            refuse_if(values.shape != shape, f"of_images gave {list(values.shape)}, expected {list(shape)}")
            refuse_if(not np.isfinite(values).all(), "of_images gave numbers that are not finite")
            liked = (values[:, ~inside] > utility.min(axis=1, keepdims=True)).any()
            refuse_if(liked, "of_images likes an image outside the world more than some item")

    @check("return tuples of names or patterns relative to the folder, such as ('items.csv', 'images/*')")
    def test_files_are_patterns(self) -> None:
        """Files are named relative to the folder."""
        for name in ("item_files", "rating_files"):
            patterns = self.ask.answer(lambda name=name: getattr(self.plugin, name)(self.settings), name, Collection)  # type: ignore[misc]
            fine = not isinstance(patterns, str) and all(isinstance(text, str) for text in patterns)
            refuse_if(not fine, f"{name} is {patterns!r}")
            outside = [text for text in patterns if Path(text).is_absolute() or ".." in Path(text).parts]
            refuse_if(outside, f"{name} names {outside[0] if outside else ''!r}, outside of the folder")

    @check("return a CaptionFile of a file in the folder, or None")
    def test_caption_file_is_described(self) -> None:
        """The file with captions is described, if there is one."""
        if self.path is None:
            raise SkipTest("it reads no folder")
        described_file = self.plugin.caption_file(self.settings, Path(self.path))
        refuse_if(
            not (described_file is None or isinstance(described_file, CaptionFile)), "caption_file is no CaptionFile"
        )
        if described_file is not None:
            refuse_if(not (Path(self.path) / described_file.name).is_file(), f"there is no {described_file.name}")


def described(dataset: Dataset) -> dict[str, Any]:
    """Everything that a task could depend on, by name."""
    ratings = dataset.ratings
    columns = {name: np.asarray(getattr(ratings, name)).copy() for name in ("user", "item", "rating")}
    return {
        **{f"the column {name}": values for name, values in columns.items()},
        "a user's id": ratings.user_ids,
        "an item": dataset.catalogue.fingerprint(),
        "a block": np.asarray(dataset.block_of_user).copy(),
    }
