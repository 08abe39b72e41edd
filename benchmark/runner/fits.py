"""Fit generators: each on the training ratings, with what it may be given and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import JsonValue

from benchmark.records.costs import fit_stage
from benchmark.runner.addresses import Addresses, FitAddress, GeneratorAddress
from benchmark.runner.devices import rehearsed
from benchmark.runner.materials import Materials
from benchmark.runner.plugins import build
from benchmark.runner.progress import Report
from benchmark.runner.stages import Job, Stages
from benchmark.runner.store import Store
from benchmark.task.resolved import ResolvedGenerator, Task
from rebeca.errors import PluginError
from rebeca.interfaces import Decoder, DecoderContext, GeneratorContext, Privileges, Space, no_progress

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
            world.dataset.catalogue.without_captions(),
            self._materials.embeddings["task"],
            world.candidates,
            space,
            device,
        )
        decoder = build("decoder", self._use, self._params, context)
        self.batch = rehearsed(decoder, self._use, self._params, device, self._rehearsals)
        return decoder


def generator_context(
    task: Task,
    spec: ResolvedGenerator,
    address: GeneratorAddress,
    fit: FitAddress,
    materials: Materials,
    decoders: Decoders,
    workdir: Path,
    report: Report = no_progress,
    step: Literal["fit", "generate"] = "generate",
) -> GeneratorContext:
    """What a generator is given besides training ratings, in one of its steps."""
    world = materials.world
    catalogue = world.dataset.catalogue

    def withheld(space: Space) -> Decoder[Any]:
        raise PluginError(f"it asks for the decoder in {step}", hint=f"name '{step}' in decodes_in(params)")

    offers: dict[str, Callable[[], Any]] = {
        "judge": lambda: materials.judges["verifier"],
        "held-out": lambda: world.division.test,
        "ground-truth": world.ground_truth,
    }
    return GeneratorContext(
        users=world.dataset.ratings.user_ids,
        catalogue=catalogue if address.flags.reads_captions else catalogue.without_captions(),
        candidates=world.candidates,
        embeddings=materials.embeddings["task"],
        training_items=world.division.training_items,
        validation=world.division.generators.validation,
        encoder=partial(materials.encoders.get, "task"),
        decoder=decoders if step in address.flags.decodes_in else withheld,
        seeds=replace(task.seeds, offset=spec.offset),
        fit_seed=fit.seed,
        device=materials.device,
        workdir=workdir,
        fits=task.file.fits,
        progress=report,
        privileges=Privileges({need: offers[need] for need in address.flags.needs}),
    )


def fit_jobs(
    task: Task, asked: Sequence[tuple[ResolvedGenerator, FitAddress]], addresses: Addresses, materials: Materials,
    store: Store,
) -> list[Job]:  # fmt: skip
    """What fits generators on the training ratings."""

    def write(spec: ResolvedGenerator, fit: FitAddress, folder: Path, report: Report) -> None:
        workdir = store.checkpoint(fit.address)
        workdir.mkdir(parents=True, exist_ok=True)
        decoders = Decoders(task, spec, materials, store.root)
        context = generator_context(
            task, spec, addresses.generators[spec.id], fit, materials, decoders, workdir, report, "fit"
        )
        generator = build("generator", spec.use, spec.params, context, spec.id)
        generator.fit(materials.world.division.generators.train)
        generator.save(folder)
        path = folder / REPORT
        if path.exists():
            raise PluginError(f"generator '{spec.id}': save wrote {REPORT}, which the harness writes", hint="rename it")
        path.write_text(json.dumps(generator.report(), indent=1, sort_keys=True), encoding="utf-8")

    def title(spec: ResolvedGenerator, fit: FitAddress) -> str:
        return fit_stage(spec.id, fit.number, len(addresses.generators[spec.id].fits))

    return [Job(fit.address, title(spec, fit), partial(write, spec, fit)) for spec, fit in asked]


def fit_generator(
    task: Task,
    spec: ResolvedGenerator,
    addresses: Addresses,
    fits: Sequence[FitAddress],
    materials: Materials,
    stages: Stages,
) -> list[Path]:
    """The folders of some fits of a generator; generators with the same address share them.

    Raises:
        PluginError: If the generator fails, or saves a file with the name of the harness's report.
    """
    jobs = fit_jobs(task, [(spec, fit) for fit in fits], addresses, materials, stages.store)
    folders = stages.make_all(jobs, materials.device)
    for fit in fits:
        workdir = stages.store.checkpoint(fit.address)
        for damaged in sorted(workdir.glob("*.damaged")):
            stages.reporter.info(f"  {spec.id}: {damaged.stem} was cut short or edited; the fit began anew")
        shutil.rmtree(workdir, ignore_errors=True)
    return folders


def read_report(folder: Path) -> Mapping[str, JsonValue]:
    return json.loads((folder / REPORT).read_text(encoding="utf-8"))
