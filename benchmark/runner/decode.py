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
from benchmark.runner.stages import Stages
from benchmark.runner.store import Store
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


class UnitDecoder:
    """Decodes work units; the generator that decoded last stays loaded, since one fits into the memory of a device.

    Attributes:
        decoded: Number of images that this process decoded.

    Args:
        task: The task.
        addresses: Of the run.
        materials: Data, embeddings and judges.
        stages: Takes images from the store, or makes them.
        freezer: Told of the first image.
        workdir: Folder for what generators write while they decode.
    """

    def __init__(
        self, task: Task, addresses: Addresses, materials: Materials, stages: Stages, freezer: Freezer, workdir: Path
    ) -> None:
        self._task, self._addresses, self._materials = task, addresses, materials
        self._stages, self._freezer, self._workdir = stages, freezer, workdir
        self._ready: dict[tuple[str, int], tuple[Generator[Any], Decoders]] = {}
        self.decoded = 0

    def decode(self, spec: ResolvedGenerator, units: Sequence[WorkUnit]) -> None:
        """Decodes work units of a generator, after the fits that they need, as far as either is missing.

        Raises:
            PluginError: If the generator fails or breaks its contract.
        """
        fits, stages = list(dict.fromkeys(unit.fit for unit in units)), self._stages
        fit_generator(self._task, spec, self._addresses, fits, self._materials, stages)
        missing = [unit for unit in units if stages.store.find(unit.address) is None]
        if not missing:
            return
        title, total, done = images_stage(spec.id), sum(unit.images for unit in missing), 0
        with stages.reporter.stage(title) as shown:

            def report(count: int) -> None:
                shown(done + count, total, "images")

            def seconds_to_decode(unit: WorkUnit, wait: bool = False) -> float | None:
                """None where another process decodes it."""
                started, write = time.perf_counter(), partial(self._write, spec, unit, report)
                if (stages.store.make if wait else stages.store.attempt)(unit.address, write) is None:
                    return None
                self._freezer.images_made()
                return time.perf_counter() - started

            report(0)
            elsewhere = []
            with closing(spread(seconds_to_decode, missing, self._materials.device)) as results:
                for unit, seconds in zip(missing, results, strict=True):
                    if seconds is None:
                        elsewhere.append(unit)
                        continue
                    stages.seconds[title] += seconds
                    self.decoded += unit.images
                    done += unit.images
                    report(0)
            for unit in elsewhere:
                seconds_to_decode(unit, wait=True)
                done += unit.images
                report(0)

    def _write(self, spec: ResolvedGenerator, unit: WorkUnit, report: Callable[[int], None], folder: Path) -> None:
        """Writes the images of a work unit; ``report`` is told how many there are."""
        generator, decoders = self._of(spec, unit.fit)
        requests = requests_of(self._task, spec, unit.users, unit.replicates)
        answers = _counted(report, generator.generate(requests))
        write_unit(folder, answers, requests, self._materials.world.dataset.catalogue, spec.id)
        if decoders.batch is not None:
            write_batch(folder, decoders.batch)

    def _of(self, spec: ResolvedGenerator, fit: FitAddress) -> tuple[Generator[Any], Decoders]:
        key = spec.id, fit.number
        if key not in self._ready:
            self._ready.clear()  # before the next one is built
            workdir = self._workdir / f"{spec.id}-{fit.number}-{os.getpid()}"
            workdir.mkdir(exist_ok=True)
            decoders = Decoders(self._task, spec, self._materials, self._stages.store.root)
            generator = load_generator(
                self._task,
                spec,
                self._addresses.generators[spec.id],
                fit,
                self._stages.store.folder(fit.address),
                self._materials,
                decoders,
                workdir,
            )
            self._ready[key] = generator, decoders
        return self._ready[key]


def fit_and_decode(
    task: Task, spec: ResolvedGenerator, addresses: Addresses, materials: Materials, stages: Stages, freezer: Freezer
) -> GeneratorImages:
    """Fits a generator and decodes its images, as far as either is missing in the store.

    Raises:
        PluginError: If the generator fails or breaks its contract.
    """
    address = addresses.generators[spec.id]
    with TemporaryDirectory(prefix="rebeca-") as workdir:
        decoder = UnitDecoder(task, addresses, materials, stages, freezer, Path(workdir))
        decoder.decode(spec, address.units)
    return read_images(spec, address, stages.store, decoder.decoded)


def read_images(spec: ResolvedGenerator, address: GeneratorAddress, store: Store, decoded: int) -> GeneratorImages:
    """All images of a generator, from the store."""
    folders = tuple(store.folder(unit.address) for unit in address.units)
    rows = [row for folder in folders for row in read_unit(folder)]
    place = {user: i for i, user in enumerate(dict.fromkeys(user for unit in address.units for user in unit.users))}
    order = sorted(range(len(rows)), key=lambda i: (place[rows[i].user], rows[i].replicate))
    return GeneratorImages(spec, folders, np.array(order, np.int64), tuple(rows[i] for i in order), decoded)


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
