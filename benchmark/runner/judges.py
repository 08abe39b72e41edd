"""Fit judges: the verifier, the auditor, the verifier in the generators' embedding space, and the learning curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from benchmark.analysis.measures import PRIOR
from benchmark.records.costs import judge_stage
from benchmark.runner.addresses import JudgeAddress
from benchmark.runner.embed import Encoders
from benchmark.runner.plugins import build
from benchmark.runner.progress import Report
from benchmark.runner.stages import Job
from benchmark.runner.world import World
from rebeca.arrays import Floats
from rebeca.data.splits import Part
from rebeca.interfaces import FittedJudge, Judge, JudgeContext, no_progress
from rebeca.seeds import substream


def judge_jobs(
    addresses: Sequence[JudgeAddress], embeddings: Mapping[str, Floats], world: World, device: str
) -> list[Job]:
    """What fits judges.

    Args:
        addresses: Which judges, on which data, with which seeds.
        embeddings: float32 [items, dim] by role; all items in its space.
        world: The data.
        device: Torch device.
    """

    def write(address: JudgeAddress, folder: Path, report: Report) -> None:
        judge = _built(address, world, device, report)
        judge.fit(part_of(address, world), embeddings[address.space])
        judge.save(folder)

    return [Job(each.fit, judge_stage(each.role, each.share), partial(write, each)) for each in addresses]


def part_of(address: JudgeAddress, world: World) -> Part:
    own: Part = getattr(world.division, "verifier" if address.role == PRIOR else address.role)
    return own if address.share == 1 else own.thinned(address.share, substream(address.seed, "share"))


def fitted_judge(
    address: JudgeAddress, folder: Path, embeddings: Floats, encoders: Encoders, world: World, device: str
) -> FittedJudge:
    """A judge for scorers and generators; its model and its encoder are loaded when they are first used.

    Args:
        address: The judge.
        folder: Written by its job, before it is first used.
        embeddings: float32 [items, dim]; all items in its space.
        encoders: Encoders by role.
        world: The data.
        device: Torch device.
    """
    return FittedJudge(
        model=cache(partial(_loaded, address, folder, world, device)),
        catalogue=lambda: embeddings,
        encode=lambda images: encoders.get(address.space).encode(images),
        fingerprint=address.fit.key,
    )


def _built(address: JudgeAddress, world: World, device: str, progress: Report) -> Judge[Any]:
    context = JudgeContext(
        world.dataset.ratings.user_ids, world.division.training_items, address.seed, device, progress
    )
    return build("judge", address.use, address.params, context)


def _loaded(address: JudgeAddress, folder: Path, world: World, device: str) -> Judge[Any]:
    judge = _built(address, world, device, no_progress)
    judge.load(folder)
    return judge
