"""The steps that a run is going to take: what the store lacks, in the order of the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

from benchmark.records.costs import (
    ANALYSE_STAGE,
    HELD_OUT_STAGE,
    READ_STAGE,
    encode_stage,
    fit_stage,
    images_stage,
    judge_stage,
    score_stage,
)
from benchmark.runner.addresses import Addresses, FitAddress
from benchmark.runner.estimate import Step
from benchmark.runner.store import Address, Store
from benchmark.task.registry import identity
from benchmark.task.resolved import ResolvedGenerator, Task
from rebeca.seeds import digest_of

FREE = ("users", "seeds")
"""Inputs of images that do not change what an image costs."""


def runs_apart(task: Task, spec: ResolvedGenerator) -> bool:
    """Whether a generator runs in a child process: where the task asks for it, and it is not the project's own."""
    return task.file.isolation is not None and not identity("generator", spec.use).is_own


def early_fits(task: Task, addresses: Addresses) -> list[tuple[ResolvedGenerator, FitAddress]]:
    """Fits that need no judge, of generators that run in this process: they are made beside the judges."""
    chosen = []
    for spec in task.generators:
        own = addresses.generators[spec.id]
        needs_judge = "judge" in own.flags.needs and own.flags.privileged_at == "fit"
        if not (needs_judge or runs_apart(task, spec)):
            chosen += [(spec, fit) for fit in own.fits]
    return chosen


def plan_steps(task: Task, addresses: Addresses, store: Store, world_read: bool, analysed: bool) -> list[Step]:
    """All steps; what is in the store costs nothing and is none.

    Costs are compared within the same data, except those of an image: they are alike whatever it was fitted on.

    Args:
        task: The task.
        addresses: Of everything that the records rest on.
        store: The work folder. Damage is not noticed here, so a damaged artefact is computed without an estimate.
        world_read: Whether the data are in memory.
        analysed: Whether the records are current.
    """
    data, planned = addresses.data, set[Address]()

    def lacks(address: Address) -> bool:
        """Whether a step makes it; generators share fits, and roles share embeddings."""
        new = address not in planned and not store.exists(address)
        planned.add(address)
        return new

    state = f"{data.ratings[:12]} {'known' if world_read else 'to read'}"
    steps = [Step(READ_STAGE, f"data {data.items[:12]}", state, paced=False)]

    def fit_steps(fits: Iterable[tuple[ResolvedGenerator, FitAddress]]) -> Iterator[Step]:
        for spec, fit in fits:
            if lacks(fit.address):
                title = fit_stage(spec.id, fit.number, len(addresses.generators[spec.id].fits))
                yield _whole(store, title, f"fit {spec.use} {data.ratings[:12]}", fit.address)

    steps += _encoding(addresses, store, lacks)
    steps += fit_steps(early_fits(task, addresses))
    steps += _judging(addresses, store, lacks)
    for spec in task.generators:
        own = addresses.generators[spec.id]
        steps += fit_steps((spec, fit) for fit in own.fits)
        lacking = [unit for unit in own.units if lacks(unit.address)]
        if lacking:
            images = sum(unit.images for unit in lacking)
            decoder = task.file.decoder.use if "generate" in own.flags.decodes_in else "alone"
            inputs = {
                name: value for name, value in json.loads(own.units[0].address.inputs).items() if name not in FREE
            }
            kind = f"images {spec.use} {decoder} {inputs['device']}"
            steps.append(Step(images_stage(spec.id), kind, digest_of(inputs)[:12], images))
    for spec in task.generators:
        images = task.images_of(spec) * sum(map(len, addresses.units))
        for entry in task.scorers:
            address = addresses.scores[spec.id, entry.id]
            if lacks(address):
                kind = f"score {entry.use} of {spec.use}"
                steps.append(Step(score_stage(spec.id, entry.id), kind, address.key[:12], images))
    if lacks(addresses.held_out):
        steps.append(Step(HELD_OUT_STAGE, f"held-out {data.ratings[:12]}", addresses.held_out.key[:12]))
    if not analysed:
        rows = [sum(map(len, addresses.units)), len(task.generators), len(task.scorers)]
        steps.append(Step(ANALYSE_STAGE, f"analyse {task.file.id}", digest_of([task.analysis_hash(), rows])[:12]))
    return steps


def _encoding(addresses: Addresses, store: Store, lacks: Callable[[Address], bool]) -> Iterator[Step]:
    for role, encoder in addresses.encoders.items():
        if lacks(encoder.embeddings):
            kind = f"encode {encoder.encoder.text} {addresses.data.items[:12]}"
            yield _whole(store, encode_stage(role), kind, encoder.embeddings)


def _judging(addresses: Addresses, store: Store, lacks: Callable[[Address], bool]) -> Iterator[Step]:
    for judge in (*addresses.judges.values(), *addresses.curve):
        if lacks(judge.fit):
            kind = f"judge {judge.use} {addresses.data.ratings[:12]}"
            yield _whole(store, judge_stage(judge.role, judge.share), kind, judge.fit)


def _whole(store: Store, title: str, kind: str, address: Address) -> Step:
    """A step without parts, which may go on where an earlier run stopped."""
    return Step(title, kind, address.key[:12], whole=not store.checkpoint(address).exists())
