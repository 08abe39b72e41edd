"""Decode: the images of a generator, in work units of a few whole users."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmark.records.costs import images_stage
from benchmark.runner.addresses import Addresses, GeneratorAddress
from benchmark.runner.fits import Decoders, fit_generator, generator_context
from benchmark.runner.freeze import Freezer
from benchmark.runner.images import ImageRow, read_unit, write_batch, write_unit
from benchmark.runner.materials import Materials
from benchmark.runner.plugins import build
from benchmark.runner.store import Stages
from benchmark.task.resolve import ResolvedGenerator, Task
from rebeca.interfaces import Generator, Request


@dataclass(frozen=True, slots=True, eq=False)
class GeneratorImages:
    """All images of a generator.

    Attributes:
        spec: The generator.
        folders: One per work unit.
        rows: One per request, failures included, in the order of users and replicates.
        decoded: Number of images that this process generated.
    """

    spec: ResolvedGenerator
    folders: tuple[Path, ...]
    rows: tuple[ImageRow, ...]
    decoded: int

    def image_files(self) -> dict[str, Path]:
        """The file of every generated image, by digest."""
        return {path.stem: path for folder in self.folders for path in folder.glob("*.png")}


def fit_and_decode(
    task: Task, spec: ResolvedGenerator, addresses: Addresses, materials: Materials, stages: Stages, freezer: Freezer
) -> GeneratorImages:
    """Fits a generator and decodes its images, as far as either is missing in the store.

    Raises:
        PluginError: If the generator fails or breaks its contract.
    """
    address = addresses.generators[spec.id]
    fit = fit_generator(task, spec, address, materials, stages)
    store, title = stages.store, images_stage(spec.id)
    missing = [number for number, unit in enumerate(address.units) if store.find(unit) is None]
    decoded = 0
    if missing:
        decoders = Decoders(task, spec, materials, store.root)
        with TemporaryDirectory(prefix="rebeca-") as workdir, stages.reporter.stage(title) as report:
            generator = load_generator(task, spec, address, fit, materials, decoders, Path(workdir))
            started = time.perf_counter()
            total = task.images_of(spec) * sum(len(addresses.units[number]) for number in missing)
            for number in missing:
                requests = requests_of(task, spec, addresses.units[number])

                def write(folder: Path, requests: list[Request] = requests, before: int = decoded) -> None:
                    answers = _counted(generator.generate(requests), lambda n: report(before + n, total, "images"))
                    write_unit(folder, answers, requests, materials.world.dataset.catalogue, spec.id)
                    if decoders.batch is not None:
                        write_batch(folder, decoders.batch)

                store.make(address.units[number], write)
                freezer.images_made()
                decoded += len(requests)
            stages.seconds[title] += time.perf_counter() - started
    folders = tuple(store.folder(unit) for unit in address.units)
    return GeneratorImages(spec, folders, tuple(row for folder in folders for row in read_unit(folder)), decoded)


def _counted(answers: Iterable[object], report: Callable[[int], None]) -> Iterator[object]:
    """The same answers; ``report`` is called with the number of those that came."""
    report(0)
    for number, answer in enumerate(answers, start=1):
        report(number)
        yield answer


def requests_of(task: Task, spec: ResolvedGenerator, users: Sequence[str]) -> list[Request]:
    seeds = replace(task.seeds, offset=spec.offset)
    return [
        Request(user, k, seeds.image(user, k, spec.noise_group)) for user in users for k in range(task.images_of(spec))
    ]


def load_generator(
    task: Task,
    spec: ResolvedGenerator,
    address: GeneratorAddress,
    fit: Path,
    materials: Materials,
    decoders: Decoders,
    workdir: Path,
) -> Generator[Any]:
    """A generator that is ready to generate: built, with the fit in the folder ``fit``."""
    context = generator_context(task, spec, address, materials, decoders, workdir)
    generator = build("generator", spec.use, spec.params, context, spec.id)
    generator.load(fit)
    return generator
