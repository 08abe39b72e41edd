"""Inputs of fits, decoders and scorers: the data, their embeddings, and fitted judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmark.runner.addresses import Addresses
from benchmark.runner.embed import Encoders, embed
from benchmark.runner.judges import fitted_judge, judge_jobs
from benchmark.runner.stages import Job, Stages
from benchmark.runner.world import World
from rebeca.arrays import Floats
from rebeca.interfaces import FittedJudge


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


def embedded(world: World, addresses: Addresses, device: str, stages: Stages) -> Materials:
    """Embeds all items for every role, or takes that from the store. Judges have to be made before they are used."""
    catalogue, division = world.dataset.catalogue, world.division
    for note in world.notes:
        stages.reporter.info(f"  data: {note}")
    encoders = Encoders(addresses.encoders, catalogue, division.training_items, device)
    embeddings = {
        role: embed(role, encoders, address, catalogue, stages) for role, address in addresses.encoders.items()
    }
    asked = [*addresses.judges.values(), *addresses.curve]
    fitted = [
        fitted_judge(address, stages.store.folder(address.fit), embeddings[address.space], encoders, world, device)
        for address in asked
    ]
    judges = dict(zip(addresses.judges, fitted, strict=False))
    return Materials(world, encoders, embeddings, judges, tuple(fitted[len(judges) :]), device)


def prepare(
    world: World,
    addresses: Addresses,
    device: str,
    stages: Stages,
    beside: Callable[[Materials], Sequence[Job]] = lambda materials: (),
) -> Materials:
    """Embeds all items for every role and fits all judges, or takes both from the store.

    Args:
        world: The data, divided.
        addresses: Of the run.
        device: Torch device.
        stages: Takes artefacts from the store, or makes them.
        beside: Further artefacts that need the embeddings and no judge, made beside the judges: they come first, since
            fits of generators take longer.
    """
    materials = embedded(world, addresses, device, stages)
    asked = [*addresses.judges.values(), *addresses.curve]
    stages.make_all([*beside(materials), *judge_jobs(asked, materials.embeddings, world, device)], device)
    return materials
