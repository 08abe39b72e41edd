"""Generate: the images of all generators, here or in a child process, and what becomes of generators that fail."""

from __future__ import annotations

from dataclasses import replace

from benchmark.records.schema import FailedGenerator
from benchmark.runner.addresses import Addresses
from benchmark.runner.decode import GeneratorImages, fit_and_decode
from benchmark.runner.freeze import Freezer
from benchmark.runner.images import failures_by_kind
from benchmark.runner.isolation import decode_in_child
from benchmark.runner.materials import Materials
from benchmark.runner.progress import Reporter
from benchmark.runner.provenance import without_folders
from benchmark.runner.stages import Stages
from benchmark.task.resolved import ResolvedGenerator, Task
from rebeca.device import empty_cache, on_processor
from rebeca.errors import PluginError, first_few, printable

LONGEST_REASON = 500


def generate_images(
    task: Task, addresses: Addresses, materials: Materials, stages: Stages, freezer: Freezer
) -> tuple[list[GeneratorImages], list[FailedGenerator]]:
    """Fits every generator and decodes its images; a generator that fails in a child process has no row.

    Raises:
        PluginError: If a generator fails in this process, the reference fails, or an image fails under
            ``failures: abort``.
    """
    if not on_processor(materials.device):  # encoders make room for decoders
        materials.encoders.release()
        empty_cache()
    images: list[GeneratorImages] = []
    failed: list[FailedGenerator] = []
    for spec in task.generators:
        try:
            apart = decode_in_child(task, spec, addresses, materials.device, stages)
        except PluginError as error:
            failed.append(_failed_generator(task, spec, error, stages.reporter))
            continue
        own = fit_and_decode(task, spec, addresses, materials, stages, freezer)
        images.append(replace(own, decoded=own.decoded + apart) if apart else own)
        _check_failures(task, images[-1], stages.reporter)
    return images, failed


def _failed_generator(task: Task, spec: ResolvedGenerator, error: PluginError, reporter: Reporter) -> FailedGenerator:
    """What the record says of a generator that failed in a child process; the next run tries it again.

    Raises:
        PluginError: If it is the reference.
    """
    if spec.id == task.file.analysis.reference:
        raise error
    reporter.warn(f"{error.message}; the leaderboard is without it")
    return FailedGenerator(
        id=spec.id, title=spec.title, reason=printable(without_folders(error.message))[:LONGEST_REASON]
    )


def _check_failures(task: Task, images: GeneratorImages, reporter: Reporter) -> None:
    """Reports how many images failed, and why; ends a run whose task says ``failures: abort``."""
    failed = [row for row in images.rows if row.failure]
    if not failed:
        return
    first = failed[0]
    count = f"{len(failed)} of {len(images.rows)} images failed"
    if task.file.failures == "abort":
        raise PluginError(
            f"generator '{images.spec.id}': {count}, the first for user '{first.user}', image {first.replicate}:"
            f" {first.failure}",
            hint="failures: abort is set; use exclude or worst to count them instead",
        )
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(failures_by_kind(failed).items()))
    reporter.info(
        f"  {images.spec.id}: {count} ({kinds}), first user '{first.user}', image {first.replicate} is {first.failure}"
    )
    fine = {row.user for row in images.rows if not row.failure}
    if without := [user for user in dict.fromkeys(row.user for row in failed) if user not in fine]:
        reporter.info(f"  {images.spec.id}: users without any image: {first_few(without)}")
