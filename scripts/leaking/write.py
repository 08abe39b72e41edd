"""Writes the plug-in `leaking` with the held-out ratings of a task's published split.

    python -m scripts.leaking.write TASK FOLDER

A task may then use the generator `leaking`, wherever FOLDER is on the path of Python.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmark.runner.world import build_world
from benchmark.task.bundled import find_task
from benchmark.task.resolve import load_task
from benchmark.task.resolved import Task
from rebeca.registered import registered
from scripts.leaking.leaking_package import TABLE

PACKAGE = "leaking_package"


@contextmanager
def installed(task: Task, folder: Path) -> Iterator[None]:
    """The generator ``leaking``, as if its package were installed in a folder, which is written."""
    write_package(task, folder)
    sys.path.insert(0, str(folder))
    sys.modules.pop(PACKAGE, None)  # perhaps of another folder
    registered.cache_clear()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop(PACKAGE, None)
        registered.cache_clear()


def write_package(task: Task, folder: Path) -> None:
    """Writes the package into a folder, as if it were installed there."""
    about = folder / "leaking-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: leaking\nVersion: 1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text(
        f"[rebeca_bench.generators]\nleaking = {PACKAGE}:Leaking\n", encoding="utf-8"
    )
    (folder / PACKAGE).mkdir()
    shutil.copyfile(Path(__file__).with_name(f"{PACKAGE}.py"), folder / PACKAGE / "__init__.py")
    (folder / PACKAGE / TABLE).write_text(json.dumps(held_out_items(task)), encoding="utf-8")


def held_out_items(task: Task) -> dict[str, list[int]]:
    """Each user's held-out items by the user's id, highest rating first."""
    test = build_world(task).division.test
    order = np.lexsort((test.item, -test.rating, test.user))
    items: dict[str, list[int]] = {name: [] for name in test.user_ids}
    for row in order.tolist():
        items[test.user_ids[test.user[row]]].append(int(test.item[row]))
    return items


def main() -> None:
    """Writes the package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    write_package(load_task(find_task(given.task)), given.folder)


if __name__ == "__main__":
    main()
