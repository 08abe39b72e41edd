"""Copies records, and optionally their weights, to a folder of published records."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmark.disk import absent_beside, is_vacant, replace_folder
from benchmark.records.attestation import copy_statements
from benchmark.records.files import COMPARISON, TASK_FOLDER, read_comparison
from benchmark.runner.addresses import Addresses
from benchmark.runner.store import Store
from benchmark.task.resolved import Task
from rebeca.errors import SpecError, StoreError, first_few
from rebeca.published import find, names_in


def weights_folder(records: Path) -> Path:
    return records.with_name(f"{records.name}-weights")


def publish(task: Task, addresses: Addresses, store: Store, records: Path, target: Path, with_weights: bool) -> Path:
    """Copies the records of a run, which replace earlier ones of the task as a whole.

    Args:
        task: The task.
        addresses: Of everything that the records rest on.
        store: The work folder.
        records: The records in it.
        target: Folder of records of several tasks.
        with_weights: Copy embeddings, judges and fits as well; otherwise those of earlier records are deleted.

    Returns:
        The folder of the copied records.

    Raises:
        SpecError: If the task is modified, its weights are random, its images may not be redistributed (with
            weights), or another task lies there.
    """
    place = check_publish(task, target)
    if with_weights and not read_comparison(records).data.redistribute:
        raise SpecError("weights hold embeddings of images that may not be redistributed", hint="publish without them")
    fresh = absent_beside(place)
    shutil.copytree(records, fresh)
    copy_statements(place, fresh)
    replace_folder(fresh, place)
    weights = weights_folder(place)
    if not with_weights:
        shutil.rmtree(weights, ignore_errors=True)  # they would belong to other records
        return place
    fresh = absent_beside(weights)
    for address in addresses.learned():
        folder = store.find(address)
        if folder is not None:  # a generator that failed has learned nothing
            shutil.copytree(folder, fresh / folder.relative_to(store.root))
    replace_folder(fresh, weights)
    return place


def check_publish(task: Task, target: Path) -> Path:
    """The folder of a task's published records; refuses a task that is not published.

    Raises:
        SpecError: If the task is modified, its weights are random, or another task or rows that were handed in lie
            there.
        StoreError: If something else lies there.
    """
    if task.modified:
        raise SpecError("a modified task is not published", hint="run it without --set, --only and --limit-users")
    check_weights(task)
    place = target / task.file.id / f"v{task.file.version}"
    earlier = read_comparison(place) if (place / TASK_FOLDER / COMPARISON).is_file() else None
    if earlier is not None and earlier.task.hash != task.hash():
        raise SpecError(
            f"{place} holds another task with the same id and version",
            hint="raise the task's version, or change its id",
        )
    if earlier is not None and earlier.submitted:
        raise SpecError(
            f"{place} holds rows that were handed in ({first_few([entry.id for entry in earlier.submitted])}), which"
            " would be lost",
            hint="publish to another folder, and merge the bundles with it: rebeca-bench results merge",
        )
    if earlier is None and not is_vacant(place):
        raise StoreError(f"{place} holds no records, so none replace it", hint="choose another folder with --publish")
    return place


def check_weights(task: Task) -> None:
    """Refuses a task whose published weights are random ones here.

    Raises:
        SpecError: Naming them.
    """
    random = sorted(name for name in names_in(task.to_json()) if find(name).origin == "random")
    if random:
        raise SpecError(
            f"the run used random weights ({', '.join(random)}), which measure nothing", hint="fetch the published ones"
        )
