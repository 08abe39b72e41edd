"""Where the records of a task lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.records.files import TASK_FOLDER, is_bundle, newest_records, read_comparison
from benchmark.task.bundled import bundled_tasks
from benchmark.task.yaml_source import task_id
from rebeca.errors import SpecError, did_you_mean


def find_records(task: str, roots: Sequence[Path]) -> Path:
    """The newest version of a task's records, by id, task file or folder.

    Raises:
        SpecError: If there are none, or several folders hold different records of this version.
    """
    folder = Path(task)
    if (folder / TASK_FOLDER).is_dir():
        return folder
    if is_bundle(folder):
        raise SpecError(
            f"{folder} is a bundle, whose row has no leaderboard of its own",
            hint=f"rebeca-bench check submission {folder} shows it beside the others",
        )
    name = task_id(task)
    folders = [records for root in roots if (records := newest_records(root / name)) is not None]
    if folders:
        records = max(folders, key=version_of)
        _refuse_others(records, [other for other in folders if other.name == records.name])
        return records
    known = {p.name for root in roots if root.is_dir() for p in root.iterdir() if p.is_dir()}
    if folder.is_file() or name in bundled_tasks():
        hint = f"run it first (rebeca-bench run {task}), or name its --workdir"
    else:
        hint = did_you_mean(name, {*known, *bundled_tasks()})
    raise SpecError(f"no records of '{name}' in {', '.join(str(root) for root in roots)}", hint=hint)


def version_of(records: Path) -> int:
    """Number of a version folder; 0 for records of a modified task."""
    return int(records.name[1:]) if records.name[1:].isdigit() else 0


def _refuse_others(records: Path, same_version: Sequence[Path]) -> None:
    """Refuses to choose between records of one version; only one of them would be shown."""
    digest = read_comparison(records).digest
    for other in same_version:
        if read_comparison(other).digest != digest:
            raise SpecError(
                f"{records} and {other} are different records of one task and version",
                hint=f"merge them: rebeca-bench results merge {records} {other} --out FOLDER; or name one of them",
            )
