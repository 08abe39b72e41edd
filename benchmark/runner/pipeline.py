"""The stages of a run for all generators: fit and decode, score, and put the records in their place."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmark.disk import replace_folder
from benchmark.records.schema import FailedGenerator, Fit
from benchmark.runner.addresses import Addresses
from benchmark.runner.decode import GeneratorImages, fit_and_decode
from benchmark.runner.freeze import Freezer
from benchmark.runner.held_out_scores import score_held_out
from benchmark.runner.isolation import decode_in_child
from benchmark.runner.materials import Materials, prepare
from benchmark.runner.places import private_images
from benchmark.runner.provenance import provenance
from benchmark.runner.reports import read_report
from benchmark.runner.scoring import GeneratorScores, ImageVectors, Scorers, score
from benchmark.runner.stage import Stages
from benchmark.runner.store import Store
from benchmark.runner.world import World
from benchmark.runner.write_records import (
    Outcome,
    Places,
    name_failures,
    stop_on_failure,
    warn_of_another,
    without_a_row,
    write_records,
)
from benchmark.task.resolve import Task
from rebeca.device import empty_cache, on_processor
from rebeca.errors import PluginError

__all__ = ["Outcome", "prepare", "provenance", "score_held_out"]


def make_images(
    task: Task, addresses: Addresses, materials: Materials, stages: Stages, freezer: Freezer
) -> tuple[list[GeneratorImages], list[FailedGenerator]]:
    """Fits every generator and decodes its images; those that fail in a process of their own have no row."""
    if not on_processor(materials.device):  # encoders make room for decoders
        materials.encoders.release()
        empty_cache()
    images: list[GeneratorImages] = []
    failed: list[FailedGenerator] = []
    for spec in task.generators:
        try:
            decode_in_child(task, spec, addresses, materials.device, stages)
        except PluginError as error:
            failed.append(without_a_row(task, spec, error, stages.reporter))
            continue
        images.append(fit_and_decode(task, spec, addresses, materials, stages, freezer))
        stop_on_failure(task, images[-1])
        name_failures(stages.reporter, images[-1])
    return images, failed


def score_all(
    task: Task, images: Sequence[GeneratorImages], addresses: Addresses, materials: Materials, stages: Stages
) -> list[GeneratorScores]:
    """Scores every generator's images."""
    scorers, vectors = Scorers(task, addresses, materials), ImageVectors(materials.encoders)
    return [score(each, scorers, addresses, materials, vectors, stages) for each in images]


def fit_records(images: Sequence[GeneratorImages], addresses: Addresses, store: Store) -> dict[str, Fit]:
    """What every fit says about itself, by generator."""
    fits = {each.spec.id: addresses.generators[each.spec.id].fit for each in images}
    return {name: Fit(key=fit.key, report=read_report(store.folder(fit))) for name, fit in fits.items()}


def replace_records(target: Path, task: Task, world: World, outcome: Outcome, stages: Stages) -> None:
    """Analyses the scores and writes the records of a task in the place of earlier ones."""
    stages.reporter.say("  analyse ...")
    temporary = target.with_name(f".{target.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    private = None if world.dataset.redistribute else private_images(stages.store.root, task)
    write_records(Places(temporary, private or temporary), task, world, outcome)
    if target.exists():
        warn_of_another(task, target, stages.reporter)
    replace_folder(temporary, target)
