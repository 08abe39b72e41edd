"""Where the records of a task lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.records.files import TASK_FOLDER, newest_records
from benchmark.task.bundled import bundled_tasks
from benchmark.task.yaml_source import task_id
from rebeca.errors import SpecError, did_you_mean


def find_records(task: str, roots: Sequence[Path]) -> Path:
    """The newest version of a task's records, by id, task file or folder.

    Raises:
        SpecError: If there are none.
    """
    folder = Path(task)
    if (folder / TASK_FOLDER).is_dir():
        return folder
    name = task_id(task)
    for root in roots:
        if (records := newest_records(root / name)) is not None:
            return records
    known = {p.name for root in roots if root.is_dir() for p in root.iterdir() if p.is_dir()}
    if folder.is_file() or name in bundled_tasks():
        hint = f"run it first (rebeca-bench run {task}), or name its --workdir"
    else:
        hint = did_you_mean(name, {*known, *bundled_tasks()})
    raise SpecError(f"no records of '{name}' in {', '.join(str(root) for root in roots)}", hint=hint)
