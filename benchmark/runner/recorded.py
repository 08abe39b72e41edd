"""Data and judges of a record's task, on this machine."""

from __future__ import annotations

from benchmark.records.schema import TaskRecord
from benchmark.runner.addresses import Addresses, find_addresses
from benchmark.runner.checks import check_needs, check_task
from benchmark.runner.materials import Materials, prepare
from benchmark.runner.progress import Reporter
from benchmark.runner.stages import Stages
from benchmark.runner.store import Store
from benchmark.runner.world import find_data, keep_users
from benchmark.task.resolved import Task
from rebeca.errors import SpecError


def only_data_path(overrides: tuple[str, ...]) -> tuple[str, ...]:
    """Refuses ``a.b=value`` texts that change more than the folder of the data."""
    for text in overrides:
        if not text.startswith("data.path="):
            raise SpecError(f"--set {text}: only data.path can be set, since the task is that of the record")
    return overrides


def prepare_recorded(
    task: Task, record: TaskRecord, store: Store, device: str, reporter: Reporter
) -> tuple[Addresses, Materials]:
    """Reads the data, embeds all items and fits all judges of a record's task, or takes them from the store.

    Args:
        task: The task, with any of its generators.
        record: The record.
        store: The work folder, locked.
        device: Torch device.
        reporter: Prints what is done.

    Raises:
        SpecError: If the data are not those of the record.
    """
    data = find_data(task, store)
    keep_users(data, store)
    check_needs(task, data.knows)
    check_task(task)
    world = data.read()
    if (world.fingerprint, world.user_ids) != (record.data.fingerprint, record.users.id):
        raise SpecError(
            f"{task.source}: the data here are not those of the record",
            hint="name the folder of the data that were used: --set data.path=FOLDER",
        )
    addresses = find_addresses(task, device, data.users, data.addresses)
    return addresses, prepare(world, addresses, device, Stages(store, reporter))
