"""Decode: the images of a generator, in work units of a few whole users."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmark.records.costs import images_stage
from benchmark.runner.addresses import Addresses, FitAddress, GeneratorAddress
from benchmark.runner.fits import Decoders, fit_generator, generator_context
from benchmark.runner.freeze import Freezer
from benchmark.runner.images import ImageRow, read_embeddings, read_unit, write_batch, write_unit
from benchmark.runner.materials import Materials
from benchmark.runner.plugins import build
from benchmark.runner.progress import Report
from benchmark.runner.store import Stages, Store
from benchmark.task.resolved import ResolvedGenerator, Task
from rebeca.arrays import Floats, Ints
from rebeca.interfaces import Generator, Request


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
    folder_of = {fit.number: fit_generator(task, spec, address, fit, materials, stages) for fit in address.fits}
    store, title = stages.store, images_stage(spec.id)
    missing = [unit for unit in address.units if store.find(unit.address) is None]
    decoded = 0
    if missing:
        decoders = Decoders(task, spec, materials, store.root)
        with TemporaryDirectory(prefix="rebeca-") as workdir, stages.reporter.stage(title) as report:
            total = sum(unit.images for unit in missing)
            for fit, units in groupby(missing, lambda unit: unit.fit):
                folder = Path(workdir, str(fit.number))
                folder.mkdir(exist_ok=True)
                generator = load_generator(task, spec, address, fit, folder_of[fit.number], materials, decoders, folder)
                started = time.perf_counter()
                for unit in units:
                    count = partial(_counted, report=report, before=decoded, total=total)
                    requests = requests_of(task, spec, unit.users, unit.replicates)
                    store.make(unit.address, partial(_write, generator, requests, materials, decoders, spec.id, count))
                    freezer.images_made()
                    decoded += unit.images
                stages.seconds[title] += time.perf_counter() - started
                del generator  # before the next one is built: one fits into the memory of a device
    return read_images(spec, address, store, decoded)


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


def _counted(answers: Iterable[object], report: Report, before: int, total: int) -> Iterator[object]:
    """The same answers; ``report`` is told how many there are, besides those ``before``."""
    report(before, total, "images")
    for number, answer in enumerate(answers, start=1):
        report(before + number, total, "images")
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
