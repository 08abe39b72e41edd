"""Inputs of fits, decoders and scorers: the data, their embeddings, and fitted judges.

The judges are the verifier, the auditor, the verifier in the generators' embedding space, and the learning curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from benchmark.analysis.measures import PRIOR
from benchmark.runner.addresses import Addresses, JudgeAddress
from benchmark.runner.embed import Encoders, embed
from benchmark.runner.plugins import build
from benchmark.runner.progress import Report
from benchmark.runner.store import Stages
from benchmark.runner.world import World
from rebeca.arrays import Floats
from rebeca.data.dataset import GroundTruth
from rebeca.data.splits import Part
from rebeca.errors import SpecError
from rebeca.interfaces import FittedJudge, Judge, JudgeContext, no_progress
from rebeca.seeds import substream


def fit_judge(address: JudgeAddress, embeddings: Floats, world: World, device: str, stages: Stages) -> Path:
    """The folder of a fitted judge.

    Args:
        address: Which judge, on which data, with which seed.
        embeddings: float32 [items, dim]; all items in its space.
        world: The data.
        device: Torch device.
        stages: Takes the fit from the store, or makes it.
    """

    def write(folder: Path, report: Report) -> None:
        judge = _built(address, world, device, report)
        judge.fit(part_of(address, world), embeddings)
        judge.save(folder)

    share = f" on {address.share:.0%} of the ratings" if address.share < 1 else ""
    return stages.make(address.fit, f"fit {address.role}{share}", write)


def part_of(address: JudgeAddress, world: World) -> Part:
    own: Part = getattr(world.division, "verifier" if address.role == PRIOR else address.role)
    return own if address.share == 1 else own.thinned(address.share, substream(address.seed, "share"))


def fitted_judge(
    address: JudgeAddress, folder: Path, embeddings: Floats, encoders: Encoders, world: World, device: str
) -> FittedJudge:
    """A judge for scorers and generators; its model and its encoder are loaded when they are first used.

    Args:
        address: The judge.
        folder: Returned by :func:`fit_judge`.
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


@dataclass(frozen=True, slots=True, eq=False)
class Materials:
    """Inputs that the stages after the judges share.

    Attributes:
        world: The data, divided.
        encoders: By role.
        embeddings: By role, float32 [items, dim].
        judges: By role.
        curve: The verifier on shares of its ratings, in the order of ``judges.learning_curve``.
        device: Torch device.
    """

    world: World
    encoders: Encoders
    embeddings: Mapping[str, Floats]
    judges: Mapping[str, FittedJudge]
    curve: tuple[FittedJudge, ...]
    device: str

    def ground_truth(self) -> GroundTruth:
        """What a synthetic world knows.

        Raises:
            SpecError: If the data set has no ground truth.
        """
        ground_truth = self.world.dataset.ground_truth
        if ground_truth is None:
            raise SpecError("the data set has no ground truth", hint="use 'observed' with real ratings")
        return ground_truth


def prepare(world: World, addresses: Addresses, device: str, stages: Stages) -> Materials:
    """Embeds all items for every role and fits all judges, or takes both from the store."""
    catalogue, division = world.dataset.catalogue, world.division
    encoders = Encoders(addresses.encoders, catalogue, division.training_items, device)
    embeddings = {
        role: embed(role, encoders, address, catalogue, stages) for role, address in addresses.encoders.items()
    }
    fitted = []
    for address in (*addresses.judges.values(), *addresses.curve):
        own = embeddings[address.space]
        folder = fit_judge(address, own, world, device, stages)
        fitted.append(fitted_judge(address, folder, own, encoders, world, device))
    judges = dict(zip(addresses.judges, fitted, strict=False))
    return Materials(world, encoders, embeddings, judges, tuple(fitted[len(judges) :]), device)
