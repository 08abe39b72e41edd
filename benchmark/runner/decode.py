"""Fit a generator, and decode its images in work units of a few whole users.

A generator is fitted on the training ratings, with what it may be given and nothing else.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from pydantic import JsonValue

from benchmark.records.costs import images_stage
from benchmark.runner.addresses import Addresses, GeneratorAddress
from benchmark.runner.devices import rehearsed
from benchmark.runner.freeze import Freezer
from benchmark.runner.images import ImageRow, read_unit, write_batch, write_unit
from benchmark.runner.materials import Materials
from benchmark.runner.plugins import build
from benchmark.runner.progress import Report
from benchmark.runner.store import Stages
from benchmark.task.resolve import ResolvedGenerator, Task
from rebeca.errors import PluginError
from rebeca.interfaces import (
    Decoder,
    DecoderContext,
    Generator,
    GeneratorContext,
    Privileges,
    Request,
    Space,
    no_progress,
)

REPORT = "report.json"
"""What a fit says about itself: losses, numbers of parameters, what was chosen."""


class Decoders:
    """Builds the task's decoder for the spaces of one generator.

    Attributes:
        batch: Images per batch of the decoder that was built last; None where there is none or it does not matter.
    """

    def __init__(self, task: Task, spec: ResolvedGenerator, materials: Materials, root: Path) -> None:
        self._use, self._params, self._materials = task.file.decoder.use, spec.decoder, materials
        self._rehearsals = root / "rehearsals"
        self.batch: int | None = None

    def __call__(self, space: Space) -> Decoder[Any]:
        """The decoder for points of a space, with a batch that fits on the device."""
        world, device = self._materials.world, self._materials.device
        context = DecoderContext(
            world.dataset.catalogue, self._materials.embeddings["task"], world.candidates, space, device
        )
        decoder = build("decoder", self._use, self._params, context)
        self.batch = rehearsed(decoder, self._use, self._params, device, self._rehearsals)
        return decoder


def generator_context(
    task: Task,
    spec: ResolvedGenerator,
    address: GeneratorAddress,
    materials: Materials,
    decoders: Decoders,
    workdir: Path,
    report: Report = no_progress,
    step: Literal["fit", "generate"] = "generate",
) -> GeneratorContext:
    """What a generator is given besides training ratings, in one of its steps."""
    world = materials.world

    def withheld(space: Space) -> Decoder[Any]:
        raise PluginError(f"it asks for the decoder in {step}", hint=f"name '{step}' in decodes_in(params)")

    offers: dict[str, Callable[[], Any]] = {
        "judge": lambda: materials.judges["verifier"],
        "held-out": lambda: world.division.test,
        "ground-truth": materials.ground_truth,
    }
    return GeneratorContext(
        users=world.dataset.ratings.user_ids,
        catalogue=world.dataset.catalogue,
        candidates=world.candidates,
        embeddings=materials.embeddings["task"],
        training_items=world.division.training_items,
        validation=world.division.generators.validation,
        encoder=partial(materials.encoders.get, "task"),
        decoder=decoders if step in address.flags.decodes_in else withheld,
        seeds=replace(task.seeds, offset=spec.offset),
        fit_seed=address.seed,
        device=materials.device,
        workdir=workdir,
        progress=report,
        privileges=Privileges({need: offers[need] for need in address.flags.needs}),
    )


def fit_generator(
    task: Task, spec: ResolvedGenerator, address: GeneratorAddress, materials: Materials, stages: Stages
) -> Path:
    """The folder of a fitted generator; generators with the same address share it.

    Raises:
        PluginError: If the generator fails, or saves a file with the name of the harness's report.
    """
    workdir = stages.store.root / "checkpoints" / address.fit.key

    def write(folder: Path, report: Report) -> None:
        workdir.mkdir(parents=True, exist_ok=True)
        decoders = Decoders(task, spec, materials, stages.store.root)
        context = generator_context(task, spec, address, materials, decoders, workdir, report, "fit")
        generator = build("generator", spec.use, spec.params, context, spec.id)
        generator.fit(materials.world.division.generators.train)
        generator.save(folder)
        path = folder / REPORT
        if path.exists():
            raise PluginError(f"generator '{spec.id}': save wrote {REPORT}, which the harness writes", hint="rename it")
        path.write_text(json.dumps(generator.report(), indent=1, sort_keys=True), encoding="utf-8")

    folder = stages.make(address.fit, f"fit {spec.id}", write)
    for damaged in sorted(workdir.glob("*.damaged")):
        stages.reporter.info(f"  {spec.id}: {damaged.stem} was cut short or edited; the fit began anew")
    shutil.rmtree(workdir, ignore_errors=True)
    return folder


def read_report(folder: Path) -> Mapping[str, JsonValue]:
    return json.loads((folder / REPORT).read_text(encoding="utf-8"))


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
        stages.reporter.info(f"  {title} ...")
        decoders = Decoders(task, spec, materials, store.root)
        with TemporaryDirectory(prefix="rebeca-") as workdir, stages.reporter.stage(title) as report:
            generator = load_generator(task, spec, address, fit, materials, decoders, Path(workdir))
            started = time.perf_counter()
            for done, number in enumerate(missing, start=1):
                requests = requests_of(task, spec, addresses.units[number])

                def write(folder: Path, requests: list[Request] = requests) -> None:
                    answers = iter(generator.generate(requests))
                    write_unit(folder, answers, requests, materials.world.dataset.catalogue, spec.id)
                    if decoders.batch is not None:
                        write_batch(folder, decoders.batch)

                store.make(address.units[number], write)
                freezer.images_made()
                decoded += len(requests)
                report(done, len(missing), "work units")
            stages.seconds[title] += time.perf_counter() - started
    folders = tuple(store.folder(unit) for unit in address.units)
    return GeneratorImages(spec, folders, tuple(row for folder in folders for row in read_unit(folder)), decoded)


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
