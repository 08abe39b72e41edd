"""Reproduction: runs a task again and compares its records with the published ones.

On a machine like that of the published run (processor, packages, threads), everything is computed again and every byte
must be the same. Other machines round differently, so training gives slightly different weights. There the published
weights are used if they lie beside the records (``run --publish --with-weights``). Scores may then differ by
:data:`~benchmark.records.verify_cross.OTHER_MACHINE`; verdicts may not.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.disk import is_vacant
from benchmark.records.attestation import Reproduced, Rescored
from benchmark.records.files import COMPARISON, RECORD, TASK_FOLDER, file_digests, read_comparison, read_record
from benchmark.records.merge import without_submitted
from benchmark.records.schema import Machine, TaskRecord
from benchmark.records.verify_cross import OTHER_MACHINE
from benchmark.runner.progress import Reporter
from benchmark.runner.provenance import machine
from benchmark.runner.publish import weights_folder
from benchmark.runner.run_task import records_name, run_task
from benchmark.runner.store import Store
from benchmark.task.resolved import Task
from rebeca.errors import RecordError, SpecError

FREE_IN_GENERATOR: Mapping[str, bool | Mapping[str, set[str]]] = {"provenance": True, "fits": {"__all__": {"key"}}}
FREE_IN_TASK = {"provenance", "records", "digest", "address"}
"""Keys of records that hold times, addresses, and the hashes of files with times or addresses."""
BEGUN = "begun-by-check-run"
"""Marks a work folder that was empty when a check began."""
NONE = "–"
"""Shown for a verdict that only the other record has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What differs between two records of one task.

    Attributes:
        bytes: Files that are not equal, times aside.
        rows: Generators in one record only.
        images: Different images: generator, user, replicate.
        scores: Further apart than :data:`~benchmark.records.verify_cross.OTHER_MACHINE`: generator, scorer, user,
            replicate, published, here.
        measures: Likewise: generator, measure, user, published, here.
        verdicts: Different verdicts: measure, a, b, published, here.
        largest: The largest difference of a score.
        users: All users named in these.
    """

    bytes: Sequence[str] = ()
    rows: Sequence[str] = ()
    images: Sequence[tuple[str, str, int]] = ()
    scores: Sequence[tuple[str, str, str, int, float, float]] = ()
    measures: Sequence[tuple[str, str, str, float, float]] = ()
    verdicts: Sequence[tuple[str, str, str, str, str]] = ()
    largest: float = 0.0
    users: Sequence[str] = ()

    @property
    def moved(self) -> bool:
        """Whether a score, a measure, a verdict or a row differs."""
        return any((self.scores, self.measures, self.verdicts, self.rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Differences):
    """A run beside published records.

    Attributes:
        against: The published records.
        machine: ``the same`` or ``another``.
        differs: Fields in which this machine differs.
        weights: ``published`` or ``made again``.
        equal: Whether the task still gives the published results.
    """

    against: str
    machine: str
    differs: Sequence[str]
    weights: str
    equal: bool


def reproduce(
    task: Task, folder: Path, workdir: Path | None, device: str, reporter: Reporter, command: Sequence[str]
) -> Check:
    """Runs a task in a fresh work folder and compares it with published records.

    Args:
        task: The task.
        folder: Its published records.
        workdir: Work folder to use, and to go on in, instead of a temporary one.
        device: Torch device.
        reporter: Prints what the run does.
        command: The command line, for the provenance.

    Raises:
        SpecError: If the records are of another task, or the work folder is of another run.
        RecordError: If the records cannot be read.
    """
    published = read_comparison(folder)
    _check_same_task(task, folder, published)
    if workdir is not None and not is_vacant(workdir) and not (workdir / BEGUN).exists():
        raise SpecError(
            f"{workdir} holds something already, so that not everything would be computed again",
            hint="name an empty folder, or one of an earlier check run",
        )
    with tempfile.TemporaryDirectory(prefix="rebeca-check-") as temporary:
        store = Store(workdir or Path(temporary), reporter.info)
        with store.locked(records_name(task)):
            (store.root / BEGUN).touch()
            differs = other_machine(published, device)
            weights = weights_folder(folder)
            used = bool(differs) and weights.is_dir()
            if used:
                shutil.copytree(weights, store.root, dirs_exist_ok=True)
            _report_machine(reporter, folder, differs, used)
            here = run_task(task, store, device, reporter, command).records
            with without_submitted(folder) as own_rows:
                differences = compare(own_rows, here)
    return Check(
        **{field.name: getattr(differences, field.name) for field in fields(differences)},
        against=str(folder),
        machine="another" if differs else "the same",
        differs=differs,
        weights="published" if used else "made again",
        equal=not differences.moved if differs else not differences.bytes,
    )


def made_again(check: Check) -> dict[str, Reproduced | Rescored]:
    """What a check that found equal results says of the task's own rows in the published records.

    Images of a generator that is fitted elsewhere were only read and scored again.
    """
    folder = Path(check.against)
    done: dict[str, Reproduced | Rescored] = {}
    for name in read_comparison(folder).order:
        record = read_record(folder / name)
        if record.submission is not None:
            continue  # it was not run
        if not record.generator.fitted_elsewhere:
            done[name] = Reproduced(largest=check.largest)
        elif valid := record.images.valid:
            done[name] = Rescored(
                images=valid,
                among=valid,
                valid=valid,
                origin="given",
                judges="published" if check.weights == "published" else "fitted again",
                scorers=tuple(record.measures),
                left_out={},
                largest=check.largest,
            )
    return done


def other_machine(published: TaskRecord, device: str) -> list[str]:
    """Fields in which this machine differs from that of the record."""
    own, origin = machine(device), published.provenance
    return [name for name in Machine.model_fields if getattr(own, name) != getattr(origin, name)]


def compare(published: Path, here: Path) -> Differences:
    old, new = read_comparison(published), read_comparison(here)
    both = [name for name in old.order if name in new.order]
    parts = [_compare_rows(name, published / name, here / name) for name in both]
    images = [image for part in parts for image in part.images]
    scores = [score for part in parts for score in part.scores]
    measures = [measure for part in parts for measure in part.measures]
    users = {image[1] for image in images} | {score[2] for score in scores} | {measure[2] for measure in measures}
    return Differences(
        bytes=_other_files(published, here, both),
        rows=sorted({*old.order} ^ {*new.order}),
        images=images,
        scores=scores,
        measures=measures,
        verdicts=_other_verdicts(old, new),
        largest=max((part.largest for part in parts), default=0.0),
        users=sorted(users),
    )


def _report_machine(reporter: Reporter, folder: Path, differs: list[str], used: bool) -> None:
    if not differs:
        reporter.info(f"  same machine as {folder}: everything is computed again, every byte must be the same")
        return
    how = "with the published weights" if used else "with weights trained here (none are published)"
    reporter.info(f"  another machine than {folder} ({', '.join(differs)}): scores within {OTHER_MACHINE:g}, {how}")


def _check_same_task(task: Task, folder: Path, published: TaskRecord) -> None:
    if published.task.hash == task.hash():
        return
    mine, other = task.to_json(), published.spec.to_json()
    changed = sorted(key for key in {*mine, *other} if mine.get(key) != other.get(key))
    raise SpecError(
        f"{folder} holds another task: {', '.join(changed) or 'the hash'} differs",
        hint="a task that changed needs a new version and new records",
    )


def _other_files(published: Path, here: Path, generators: Sequence[str]) -> list[str]:
    """Files that differ; JSON is compared without the keys that may differ."""
    different = []
    for name in generators:
        different += [f"{name}/{file}" for file in _other_digests(published / name, here / name)]
        old, new = (read_record(root / name).model_dump(exclude=FREE_IN_GENERATOR) for root in (published, here))
        if old != new:
            different.append(f"{name}/{RECORD}")
    different += [f"{TASK_FOLDER}/{file}" for file in _other_digests(published / TASK_FOLDER, here / TASK_FOLDER)]
    old, new = (read_comparison(root).model_dump(exclude=FREE_IN_TASK) for root in (published, here))
    return different if old == new else [*different, f"{TASK_FOLDER}/{COMPARISON}"]


def _other_digests(published: Path, here: Path) -> list[str]:
    old, new = file_digests(published), file_digests(here)
    return [file for file in sorted({*old, *new} - {RECORD}) if old.get(file) != new.get(file)]


def _other_verdicts(old: TaskRecord, new: TaskRecord) -> list[tuple[str, str, str, str, str]]:
    before, after = (
        {
            (measure, pair.a, pair.b): pair.verdict
            for measure, family in task.results.families.items()
            for pair in family.comparisons
        }
        for task in (old, new)
    )
    keys = sorted({*before, *after})
    return [(*key, before.get(key, NONE), after.get(key, NONE)) for key in keys if before.get(key) != after.get(key)]


def _compare_rows(name: str, published: Path, here: Path) -> Differences:
    key = ["scorer", "user", "replicate"]
    both = _joined(published / "scores.parquet", here / "scores.parquet", key)
    other = both[(both.digest_old != both.digest_new) | (both.failure_old != both.failure_new)]
    images = dict.fromkeys(zip(other["user"].astype(str), other["replicate"].astype(int), strict=True))
    apart = both[_apart(both.score_old, both.score_new)]
    scores = zip(*(apart[column].tolist() for column in (*key, "score_old", "score_new")), strict=True)
    per_user = _joined(published / "users.parquet", here / "users.parquet", ["measure", "user"])
    apart = per_user[_apart(per_user.value_old, per_user.value_new)]
    measures = zip(*(apart[column].tolist() for column in ("measure", "user", "value_old", "value_new")), strict=True)
    return Differences(
        images=[(name, user, replicate) for user, replicate in images],
        scores=[(name, *row) for row in scores],
        measures=[(name, *row) for row in measures],
        largest=float(np.nanmax(np.abs(both.score_old - both.score_new), initial=0.0)),
    )


def _joined(published: Path, here: Path, key: list[str]) -> pd.DataFrame:
    old, new = pd.read_parquet(published), pd.read_parquet(here)
    joined = old.merge(new, on=key, how="outer", suffixes=("_old", "_new"), indicator=True)
    unmatched = joined[joined._merge != "both"]
    if len(unmatched):
        row = unmatched.iloc[0]
        raise RecordError(f"{published}: only one record has {', '.join(f'{k} {row[k]}' for k in key)}")
    return joined


def _apart(old: pd.Series[float], new: pd.Series[float]) -> Any:
    """Further apart than the tolerance, or a number in one record only."""
    return (np.abs(old - new) > OTHER_MACHINE) | (old.isna() != new.isna())
