"""The data of a run: data set, division, candidates, users. Cheap to build, without torch.

The users' ids come from the store, everything else is read only when needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import numpy as np

from benchmark.runner.addresses import DataAddresses, data_addresses
from benchmark.runner.plugins import build
from benchmark.runner.store import Store
from benchmark.task.resolved import Task
from rebeca.arrays import Bools, Ints, Pixels
from rebeca.data.catalogue import Candidates, Catalogue
from rebeca.data.dataset import Dataset, GroundTruth
from rebeca.data.remains import find_candidates, remarks, users_with_candidates
from rebeca.data.splits import Division, SplitRule, divide
from rebeca.errors import DataError, SpecError, counted
from rebeca.images import LazyPixels
from rebeca.interfaces import DatasetContext
from rebeca.scorers.copies import LEVELS, RATIOS, CopyIndex
from rebeca.seeds import digest_of, seed_of
from rebeca.spans import Part, span

DATA_FILE = "data.json"
LEAST_ITEMS_COMPARED, MOST_ITEMS_COMPARED = 100, 4_000
"""Fewer training items are so far apart that one always seems near; more items take longer than reading the data."""
BY_CHANCE = 0.01
"""Share of items that count as near-copies of others though they copy nothing."""
UNKNOWN = {
    "ground-truth": ("the data set has no ground truth", "use 'observed' with real ratings"),
    "support": (
        "the data set cannot tell which images could be its items",
        "remove what asks for it, or use a data set whose ground truth has 'inside'",
    ),
}
"""What a plug-in may need and a data set may not know: message and remedy."""


def refuse_unknown(need: str, where: str = "") -> NoReturn:
    """Raises the :class:`SpecError` of a need that the data do not meet; ``where`` begins the message."""
    message, hint = UNKNOWN[need]
    raise SpecError(f"{where}{message}", hint=hint)


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Data of a task, divided.

    Attributes:
        dataset: Ratings and items.
        division: Which ratings generators, judges and the test see.
        candidates: Which items may be shown to which user.
        users: int [m]; users that images are made for.
        fingerprint: SHA-256 of the data set's contents and of its division.
        notes: What was left out while reading, and who is left without something by the split, a sentence each.
    """

    dataset: Dataset
    division: Division
    candidates: Candidates
    users: Ints
    fingerprint: str
    notes: tuple[str, ...]

    @property
    def user_ids(self) -> tuple[str, ...]:
        """Ids of the users that images are made for."""
        return tuple(self.dataset.ratings.user_ids[int(u)] for u in self.users)

    def ground_truth(self) -> GroundTruth:
        """What a synthetic world knows.

        Raises:
            SpecError: If the data set has no ground truth.
        """
        return self.dataset.ground_truth or refuse_unknown("ground-truth")

    def support(self) -> Callable[[Iterable[Pixels]], Bools]:
        """Whether images could be items of a synthetic world.

        Raises:
            SpecError: If the data set cannot tell.
        """
        known = self.dataset.ground_truth
        return (known and known.inside) or refuse_unknown("support")

    @property
    def knows(self) -> frozenset[str]:
        """Those of :data:`UNKNOWN` that the data set does know."""
        known = self.dataset.ground_truth
        answers = {"ground-truth": known, "support": known and known.inside}
        return frozenset(need for need, answer in answers.items() if answer is not None)


def build_world(task: Task) -> World:
    with span(Part.DATA, "read and divide the data"):
        return _build_world(task)


def _build_world(task: Task) -> World:
    spec = task.file.data
    unsorted = build("data set", spec.kind, task.data, DatasetContext(task.data_path)).read()
    order = np.lexsort((unsorted.ratings.item, unsorted.ratings.user))  # row order is in no address
    dataset = replace(unsorted, ratings=unsorted.ratings.where(order))
    _check_likes(task, dataset)
    rule = SplitRule(
        spec.split.kind,
        spec.split.test,
        spec.split.validation,
        task.file.judges.ratings,
        spec.split.cold_share,
        spec.split.keep,
    )
    ratings, block, originals = dataset.ratings, dataset.catalogue.block, dataset.catalogue.originals()
    division = divide(ratings, rule, spec.like_at, block, task.file.seed, originals)
    candidates = find_candidates(ratings, division, dataset.block_of_user, block, originals)
    fingerprint = digest_of(
        {
            "data": dataset.fingerprint(),
            "like_at": spec.like_at,
            "split": spec.split.model_dump(mode="json"),
            "ratings": task.file.judges.ratings,
            "seed": task.file.seed,
        }
    )
    notes = (
        *dataset.notes,
        *remarks(ratings, division, candidates, originals),
        *near_copies_of_training_items(dataset.catalogue, division),
    )
    return World(dataset, division, candidates, _users(task, dataset, division, candidates), fingerprint, notes)


def near_copies_of_training_items(catalogue: Catalogue, division: Division) -> Iterator[str]:
    """A sentence where more held-out items than by chance look like altered copies of training items.

    Limits are fixed: calibrated ones would allow for items that are alike. Where ratings are held out instead of items,
    or there are too few or too many items, nothing is compared.
    """
    held_out, training = np.flatnonzero(~division.training_items), np.flatnonzero(division.training_items)
    if not len(held_out) or len(training) < LEAST_ITEMS_COMPARED or len(catalogue) > MOST_ITEMS_COMPARED:
        return
    index = CopyIndex(LazyPixels(catalogue.pixels, training.tolist()))
    nearest = index.nearest(LazyPixels(catalogue.pixels, held_out.tolist()))
    copies = np.count_nonzero((nearest.ratio <= RATIOS[0]) | (nearest.levels <= LEVELS[0]))
    if copies > max(1, BY_CHANCE * len(held_out)):
        yield (
            f"{copies:,} of {counted(len(held_out), 'held-out item')} look like altered copies of training items, so"
            " that models may have seen them"
        )


def _check_likes(task: Task, dataset: Dataset) -> None:
    """Refuses a threshold of likes that lies outside the scale, or that no rating reaches."""
    like_at, (low, high), highest = task.file.data.like_at, dataset.scale, dataset.ratings.rating.max()
    if isinstance(like_at, str):
        return
    where = f"{task.source}: data.like_at: {like_at:g}"
    if not low <= like_at <= high:
        raise SpecError(f"{where} lies outside the rating scale, {low:g} to {high:g}", hint="choose a rating in it")
    if like_at > highest:
        raise SpecError(f"{where} leaves everyone without a like", hint=f"the highest rating is {highest:g}")


def _users(task: Task, dataset: Dataset, division: Division, candidates: Candidates) -> Ints:
    users = users_with_candidates(candidates)
    training = division.generators.joined().ratings_per_user()
    if not training[users].any():
        raise DataError(
            "no user has both a training rating and a candidate item",
            hint="lower data.split.test where it takes all ratings of a user, raise it where it holds out no item,"
            " or leave users with few ratings out with data.params.min_ratings",
        )
    if task.file.users.segment != "all":
        users = users[division.cold[users] == (task.file.users.segment == "cold")]
        if not len(users):
            raise SpecError(f"users.segment: no user is {task.file.users.segment}", hint="use split.kind: cold-users")
    limit = task.file.users.limit
    if limit is not None and limit < len(users):
        ids = dataset.ratings.user_ids
        users = np.array(sorted(sorted(users.tolist(), key=lambda u: seed_of("limit-users", ids[u]))[:limit]))
    return users


@dataclass(frozen=True, slots=True, eq=False)
class TaskData:
    """The data of a task, read or not.

    Attributes:
        task: The task.
        addresses: Identifies the data.
        users: Ids of the users that images are made for.
        knows: What the data set knows, see :attr:`World.knows`.
        world: The data, where they were read.
    """

    task: Task
    addresses: DataAddresses
    users: tuple[str, ...]
    knows: frozenset[str]
    world: World | None = None

    def read(self) -> World:
        return self.world or build_world(self.task)


def find_data(task: Task, store: Store) -> TaskData:
    """Takes the ids of users and what the data know from the store, or reads the data.

    Raises:
        DataError: If the data are not valid.
    """
    addresses = data_addresses(task)
    folder = store.find(addresses.users)
    if folder is not None:
        kept = json.loads((folder / DATA_FILE).read_text(encoding="utf-8"))
        return TaskData(task, addresses, tuple(kept["users"]), frozenset(kept["knows"]))
    world = build_world(task)
    return TaskData(task, addresses, world.user_ids, world.knows, world)


def keep_users(data: TaskData, store: Store) -> None:
    """Writes the ids of users and what the data know into the store, so that the next run need not read the data."""

    def write(folder: Path) -> None:
        kept = {"users": data.users, "knows": sorted(data.knows)}
        (folder / DATA_FILE).write_text(json.dumps(kept), encoding="utf-8")

    store.make(data.addresses.users, write)
