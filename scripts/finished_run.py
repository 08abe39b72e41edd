"""The materials and images of a finished run, taken from its work folder; what is missing there is made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmark.runner.addresses import find_addresses
from benchmark.runner.freeze import Freezer
from benchmark.runner.generate import generate_images
from benchmark.runner.materials import Materials, prepare
from benchmark.runner.progress import Reporter
from benchmark.runner.scoring import ImageVectors, scored_images
from benchmark.runner.stages import Stages
from benchmark.runner.store import Store
from benchmark.runner.world import find_data
from benchmark.task.resolved import Task
from rebeca.interfaces import ScoredImages


def finished_run(task: Task, work: Path) -> tuple[Materials, Mapping[str, ScoredImages]]:
    """Materials, and the images of every generator by id.

    Args:
        task: The task that was run there.
        work: The work folder.
    """
    store = Store(work, lambda message: None)
    stages = Stages(store, Reporter(quiet=True))
    data = find_data(task, store)
    addresses = find_addresses(task, "cpu", data.users, data.addresses)
    materials = prepare(data.read(), addresses, "cpu", stages)
    images, _ = generate_images(task, addresses, materials, stages, Freezer(store.root, task))
    vectors = ImageVectors(materials.encoders)
    return materials, {each.spec.id: scored_images(each, materials, vectors) for each in images}
