"""Making a bundle: runs one generator on a published task, and packs its record, its rows and its images."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmark.analysis.analyse import analyse
from benchmark.analysis.inputs import HeldOutRatings, Rows
from benchmark.disk import absent_beside, file_digest, replace_folder
from benchmark.records.bundle import all_images, write_manifest
from benchmark.records.files import TASK_FOLDER, is_bundle, read_comparison, read_record, write_record
from benchmark.records.gallery import ALL_IMAGES, PACKED, pack_images
from benchmark.records.ratings import RATINGS, read_ratings
from benchmark.records.rows import GENERATOR_FILES, handed_in, read_rows
from benchmark.records.schema import GeneratorRecord, Submission, TaskRecord
from benchmark.records.submitted import check_submission
from benchmark.runner.addresses import Addresses
from benchmark.runner.decode import read_images
from benchmark.runner.progress import Reporter
from benchmark.runner.publish import check_weights
from benchmark.runner.start import running
from benchmark.runner.store import Store
from benchmark.runner.world import find_data
from benchmark.runner.write_records import header_of
from benchmark.submissions.file import SubmissionFile, archived
from benchmark.task.resolved import Task
from rebeca.arrays import Pixels
from rebeca.errors import SpecError, StoreError
from rebeca.pixels import decode_image


def check_submit(task: Task, submission: SubmissionFile, out: Path) -> Path:
    """Where the bundle will lie; refuses what cannot be handed in, before anything is computed.

    Args:
        task: The task.
        submission: What is handed in.
        out: Folder of bundles.

    Raises:
        SpecError: If the task is modified, or random weights are used.
        StoreError: If something else lies in the bundle's place.
    """
    if task.modified:
        raise SpecError("nothing is handed in to a modified task", hint="leave --set out, except for data.path")
    check_weights(alone(task, submission))
    place = out / task.file.id / f"v{task.file.version}" / submission.generator.id
    if place.exists() and not is_bundle(place):
        raise StoreError(f"{place} is no bundle, so none replaces it", hint="choose another folder with --out")
    return place


def alone(task: Task, submission: SubmissionFile) -> Task:
    """The task with this generator only. Seeds, judges and everything else that is cached are those of the task."""
    return replace(task, generators=(submission.generator,), modified=True, declares=False)


def submit(
    task: Task,
    submission: SubmissionFile,
    place: Path,
    workdir: Path,
    device: str,
    reporter: Reporter,
    command: Sequence[str],
) -> GeneratorRecord:
    """Runs a generator on a task, as ``run`` would, and writes its bundle.

    Args:
        task: The task.
        submission: What is handed in.
        place: As :func:`check_submit` returned it.
        workdir: The work folder.
        device: Torch device.
        reporter: Prints what the run does.
        command: The command line, for the record.

    Returns:
        The generator's record.

    Raises:
        RebecaError: Naming what stopped the run.
    """
    with running(alone(task, submission), workdir, device, reporter, command) as (store, result):
        fresh = absent_beside(place)
        fresh.mkdir(parents=True)
        try:
            record = _write_bundle(fresh, task, submission, result.records, result.addresses, store)
            replace_folder(fresh, place)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return record


def _write_bundle(
    folder: Path, task: Task, submission: SubmissionFile, records: Path, addresses: Addresses, store: Store
) -> GeneratorRecord:
    own, whole = records / submission.generator.id, read_comparison(records)
    for file in GENERATOR_FILES | ({PACKED} if whole.data.redistribute else set()):
        shutil.copyfile(own / file, folder / file)
    ran = read_record(own)
    rows = handed_in(read_rows(own, ran, whole))
    card = submission.card
    if whole.data.redistribute:
        _pack_all(folder, rows, whole, task, submission, addresses, store)
        if submission.images:
            path = (folder / ALL_IMAGES).rename(beside(folder, submission))
            card = archived(card, submission.images, file_digest(path), path.stat().st_size)
    record = _record(ran, rows, card, whole, _ratings(records, whole), task)
    write_record(folder, record)
    check_submission(folder, record)
    write_manifest(folder, record)
    return record


def beside(folder: Path, submission: SubmissionFile) -> Path:
    """Where all images lie that are to be uploaded: not in the bundle, but beside it."""
    return folder.with_name(f"{submission.generator.id}-{ALL_IMAGES}")


def _ratings(records: Path, whole: TaskRecord) -> HeldOutRatings | None:
    path = records / TASK_FOLDER / RATINGS
    return read_ratings(path, len(whole.users.id), whole.data.items) if path.is_file() else None


def _record(
    ran: GeneratorRecord,
    rows: Rows,
    card: Submission,
    whole: TaskRecord,
    ratings: HeldOutRatings | None,
    task: Task,
) -> GeneratorRecord:
    """The record with its card, of the unchanged task, with results that depend on no other generator."""
    block, stratum = np.array(whole.users.block, np.int64), np.array(whole.users.stratum, np.int64)
    results = analyse(whole.plan, [rows], block, stratum, ratings).generators[rows.id]
    return ran.model_copy(
        update={
            "task": header_of(task),
            "summary": results.summary,
            "personal": results.personal,
            "gap": results.gap,
            "excess": results.excess,
            "submission": card,
        }
    )


def _pack_all(
    folder: Path,
    rows: Rows,
    whole: TaskRecord,
    task: Task,
    submission: SubmissionFile,
    addresses: Addresses,
    store: Store,
) -> None:
    """Writes every image, generated ones from the store and items from the data set."""
    images = read_images(submission.generator, addresses.generators[rows.id], store, 0)
    files = images.image_files()
    known = zip(rows.digest.ravel().tolist(), rows.item.ravel().tolist(), strict=True)
    items = {digest: item for digest, item in known if item >= 0}
    catalogue = find_data(task, store).read().dataset.catalogue if items else None

    def pixels(digest: str) -> Pixels:
        if catalogue is not None and digest in items:
            return catalogue.pixels(items[digest])
        return decode_image(files[digest].read_bytes(), str(files[digest]))

    pack_images(folder, all_images(rows, whole.users.id), pixels, ALL_IMAGES)
