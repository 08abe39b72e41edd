"""The data of a run: data set, division, candidates, users. Cheap to build, without torch.

The users' ids come from the store, everything else is read only when needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmark.runner.addresses import DataAddresses, data_addresses
from benchmark.runner.plugins import build
from benchmark.runner.store import Store
from benchmark.task.resolve import Task
from rebeca.arrays import Bools, Ints, Pixels
from rebeca.data.catalogue import Candidates
from rebeca.data.dataset import Dataset, GroundTruth
from rebeca.data.remains import find_candidates, remarks, users_with_candidates
from rebeca.data.splits import Division, SplitRule, divide
from rebeca.errors import DataError, SpecError
from rebeca.interfaces import DatasetContext
from rebeca.seeds import digest_of, seed_of

USERS_FILE = "users.json"


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
        if self.dataset.ground_truth is None:
            raise SpecError("the data set has no ground truth", hint="use 'observed' with real ratings")
        return self.dataset.ground_truth

    def support(self) -> Callable[[Iterable[Pixels]], Bools]:
        """Whether images could be items of a synthetic world.

        Raises:
            SpecError: If the data set cannot tell.
        """
        known = self.dataset.ground_truth
        if known is None or known.inside is None:
            raise SpecError(
                "the data set cannot tell which images could be its items",
                hint="remove what asks for it, or use a data set whose ground truth has 'inside'",
            )
        return known.inside


def build_world(task: Task) -> World:
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
    notes = (*dataset.notes, *remarks(ratings, division, candidates, originals))
    return World(dataset, division, candidates, _users(task, dataset, division, candidates), fingerprint, notes)


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
        world: The data, where they were read.
    """

    task: Task
    addresses: DataAddresses
    users: tuple[str, ...]
    world: World | None = None

    def read(self) -> World:
        return self.world or build_world(self.task)


def find_data(task: Task, store: Store) -> TaskData:
    """Takes the ids of users from the store, or reads the data.

    Raises:
        DataError: If the data are not valid.
    """
    addresses = data_addresses(task)
    folder = store.find(addresses.users)
    if folder is not None:
        return TaskData(task, addresses, tuple(json.loads((folder / USERS_FILE).read_text(encoding="utf-8"))))
    world = build_world(task)
    return TaskData(task, addresses, world.user_ids, world)


def keep_users(data: TaskData, store: Store) -> None:
    """Writes the ids of users into the store, so that the next run need not read the data for them."""

    def write(folder: Path) -> None:
        (folder / USERS_FILE).write_text(json.dumps(data.users), encoding="utf-8")

    store.make(data.addresses.users, write)
