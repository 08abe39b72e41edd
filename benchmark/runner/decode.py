"""Decode: the images of a generator, in work units of a few whole users."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmark.records.costs import images_stage
from benchmark.runner.addresses import Addresses, FitAddress, GeneratorAddress, WorkUnit
from benchmark.runner.fits import Decoders, fit_generator, generator_context
from benchmark.runner.freeze import Freezer
from benchmark.runner.images import ImageRow, read_embeddings, read_unit, write_batch, write_unit
from benchmark.runner.materials import Materials
from benchmark.runner.plugins import build
from benchmark.runner.store import Stages, Store
from benchmark.task.resolved import ResolvedGenerator, Task
from rebeca.arrays import Floats, Ints
from rebeca.interfaces import Generator, Request
from rebeca.parallel import spread


@dataclass(frozen=True, slots=True, eq=False)
class GeneratorImages:
    """All images of a generator.

    Attributes:
        spec: The generator.
        folders: One per work unit.
        order: int [images]; where each image lies among those of all folders.
        rows: One per request, failures included, in the order of users and replicates.
        decoded: Number of images that this process generated.
    """

    spec: ResolvedGenerator
    folders: tuple[Path, ...]
    order: Ints
    rows: tuple[ImageRow, ...]
    decoded: int

    def image_files(self) -> dict[str, Path]:
        """The file of every generated image, by digest."""
        return {path.stem: path for folder in self.folders for path in folder.glob("*.png")}

    def embeddings(self) -> Floats:
        """float32 [images, dim]; what the images were decoded from, NaN where the generator gave no embedding."""
        return read_embeddings(self.folders)[self.order]


def fit_and_decode(
    task: Task, spec: ResolvedGenerator, addresses: Addresses, materials: Materials, stages: Stages, freezer: Freezer
) -> GeneratorImages:
    """Fits a generator and decodes its images, as far as either is missing in the store.

    Raises:
        PluginError: If the generator fails or breaks its contract.
    """
    address = addresses.generators[spec.id]
    folder_of = fit_generator(task, spec, addresses, address.fits, materials, stages)
    store, title = stages.store, images_stage(spec.id)
    missing = [unit for unit in address.units if store.find(unit.address) is None]
    if missing:
        decoders, ready = Decoders(task, spec, materials, store.root), dict[int, Generator[Any]]()
        total, done = sum(unit.images for unit in missing), 0
        with TemporaryDirectory(prefix="rebeca-") as workdir, stages.reporter.stage(title) as shown:

            def report(count: int) -> None:
                shown(done + count, total, "images")

            def seconds_to_decode(unit: WorkUnit) -> float:
                fit = unit.fit.number
                if fit not in ready:
                    ready.clear()  # before the next one is built: one fits into the memory of a device
                    folder = Path(workdir, f"{fit}-{os.getpid()}")
                    folder.mkdir()
                    ready[fit] = load_generator(
                        task, spec, address, unit.fit, folder_of[fit], materials, decoders, folder
                    )
                started, requests = time.perf_counter(), requests_of(task, spec, unit.users, unit.replicates)
                write = partial(_write, ready[fit], requests, materials, decoders, spec.id, partial(_counted, report))
                store.make(unit.address, write)
                freezer.images_made()
                return time.perf_counter() - started

            report(0)
            with closing(spread(seconds_to_decode, missing, materials.device)) as results:
                for unit, seconds in zip(missing, results, strict=True):
                    stages.seconds[title] += seconds
                    done += unit.images
                    report(0)
    return read_images(spec, address, store, sum(unit.images for unit in missing))


def read_images(spec: ResolvedGenerator, address: GeneratorAddress, store: Store, decoded: int) -> GeneratorImages:
    """All images of a generator, from the store."""
    folders = tuple(store.folder(unit.address) for unit in address.units)
    rows = [row for folder in folders for row in read_unit(folder)]
    place = {user: i for i, user in enumerate(dict.fromkeys(user for unit in address.units for user in unit.users))}
    order = sorted(range(len(rows)), key=lambda i: (place[rows[i].user], rows[i].replicate))
    return GeneratorImages(spec, folders, np.array(order, np.int64), tuple(rows[i] for i in order), decoded)


def _write(
    generator: Generator[Any],
    requests: Sequence[Request],
    materials: Materials,
    decoders: Decoders,
    name: str,
    count: Callable[[Iterable[object]], Iterator[object]],
    folder: Path,
) -> None:
    """Writes the images of a work unit."""
    write_unit(folder, count(generator.generate(requests)), requests, materials.world.dataset.catalogue, name)
    if decoders.batch is not None:
        write_batch(folder, decoders.batch)


def _counted(report: Callable[[int], None], answers: Iterable[object]) -> Iterator[object]:
    """The same answers; ``report`` is told how many there are."""
    for number, answer in enumerate(answers, start=1):
        report(number)
        yield answer


def requests_of(
    task: Task, spec: ResolvedGenerator, users: Sequence[str], replicates: range | None = None
) -> list[Request]:
    """Requests for whole users; for all their images, or some replicates."""
    seeds, chosen = replace(task.seeds, offset=spec.offset), replicates or range(task.images_of(spec))
    return [Request(user, k, seeds.image(user, k, spec.noise_group)) for user in users for k in chosen]


def load_generator(
    task: Task,
    spec: ResolvedGenerator,
    address: GeneratorAddress,
    fit: FitAddress,
    fitted: Path,
    materials: Materials,
    decoders: Decoders,
    workdir: Path,
) -> Generator[Any]:
    """A generator that is ready to generate: built, with the fit in the folder ``fitted``."""
    context = generator_context(task, spec, address, fit, materials, decoders, workdir)
    generator = build("generator", spec.use, spec.params, context, spec.id)
    generator.load(fitted)
    return generator
