"""The data of a task: ids of its users from the store, everything else read only when needed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from benchmark.runner.addresses import DataAddresses, data_addresses
from benchmark.runner.store import Store
from benchmark.runner.world import World, build_world
from benchmark.task.resolve import Task

FILE = "users.json"


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
        return TaskData(task, addresses, tuple(json.loads((folder / FILE).read_text(encoding="utf-8"))))
    world = build_world(task)
    return TaskData(task, addresses, world.user_ids, world)


def keep_users(data: TaskData, store: Store) -> None:
    """Writes the ids of users into the store, so that the next run need not read the data for them."""

    def write(folder: Path) -> None:
        (folder / FILE).write_text(json.dumps(data.users), encoding="utf-8")

    store.make(data.addresses.users, write)
