"""Copies records, and what was learned for them, to a folder that others read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.disk import replace_folder
from benchmark.records.files import COMPARISON, TASK_FOLDER, read_any
from rebeca.errors import SpecError
from rebeca.published import find, names_in

if TYPE_CHECKING:
    from benchmark.runner.run import Run


def weights_folder(records: Path) -> Path:
    """Where the weights that belong to published records lie, if they were published."""
    return records.with_name(f"{records.name}-weights")


def publish(run: Run, records: Path, target: Path, with_weights: bool) -> Path:
    """Copies the records of a run; they replace what was there, whole.

    Args:
        run: The run.
        records: Its records.
        target: Folder of records of several tasks.
        with_weights: Copy embeddings, judges and fits as well; without, those of earlier records go.

    Returns:
        Where the records lie now.

    Raises:
        SpecError: If the task is modified, its weights are random, its pictures may not be redistributed (with
            weights), or another task is there.
    """
    if run.task.modified:
        raise SpecError("a modified task is not published", hint="run it without --set and --limit-users")
    random = sorted(name for name in names_in(run.task.to_json()) if find(name).origin == "random")
    if random:
        raise SpecError(
            f"made with random weights ({', '.join(random)}), which measure nothing", hint="fetch the published ones"
        )
    if with_weights and not run.world.dataset.redistribute:
        raise SpecError(
            "weights hold embeddings of pictures that may not be redistributed", hint="publish without them"
        )
    place = target / records.relative_to(run.store.root / "records")
    if (place / TASK_FOLDER / COMPARISON).is_file():
        old, new = (read_any(folder / TASK_FOLDER / COMPARISON)["task"]["hash"] for folder in (place, records))
        if old != new:
            raise SpecError(
                f"{place} holds another task with the same id and version",
                hint="raise the task's version, or change its id",
            )
    fresh = _empty_beside(place)
    shutil.copytree(records, fresh)
    replace_folder(fresh, place)
    weights = weights_folder(place)
    if not with_weights:
        shutil.rmtree(weights, ignore_errors=True)  # they would belong to other records
        return place
    fresh = _empty_beside(weights)
    for stage, key in learned(run):
        folder = run.store.find(stage, key)
        if folder is not None:  # a generator that failed has learned nothing
            shutil.copytree(folder, fresh / folder.relative_to(run.store.root))
    replace_folder(fresh, weights)
    return place


def _empty_beside(place: Path) -> Path:
    fresh = place.with_name(f".{place.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    return fresh


def learned(run: Run) -> list[tuple[str, str]]:
    """Stage and address of all that was learned for a task, and of the embeddings that it was learned on."""
    task = run.task
    judged = [("judge", run.judge_key(role)) for role in run.judges]
    judged += [("judge", run.judge_key("verifier", share)) for share in task.file.judges.learning_curve]
    judged += [("judge", run.judge_key("prior"))] * any("prior" in entry.flags().needs for entry in task.scorers)
    embedded = [("embeddings", run.embeddings_key(role)) for role in ("task", *run.judges)]
    return list(dict.fromkeys([*embedded, *judged, *(("fit", run.fit_key(g)) for g in task.generators)]))
