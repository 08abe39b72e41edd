"""Whether the folders of a run can be written, before anything is computed."""

from __future__ import annotations

from pathlib import Path

from benchmark.disk import check_writable
from benchmark.runner.notes import RUNS
from benchmark.runner.run_task import record_root
from benchmark.runner.store import STAGE_VERSIONS
from benchmark.task.resolved import Task
from rebeca.errors import StoreError

KEPT = (*STAGE_VERSIONS, RUNS, "checkpoints", "rehearsals", "frozen", "private-images", "set-aside")
"""What a run keeps in its work folder, besides pages."""


def check_folders(workdir: Path, site: Path | None, publish: Path | None) -> None:
    """Refuses folders that cannot be written, and a site that would replace results.

    Args:
        workdir: The work folder.
        site: Where the page is to be built; None for the work folder.
        publish: Where records are to be copied; None for nowhere.

    Raises:
        StoreError: Naming the option, the folder and the reason.
    """
    check_writable(workdir, "--workdir")
    for name in (*KEPT, "site"):
        check_writable(workdir / name, "work folder")
    if publish is not None:
        check_writable(publish, "--publish")
    if site is None:
        return
    check_writable(site, "--site")
    place = site.resolve()
    for folder in (*(workdir / name for name in KEPT), *([] if publish is None else [publish])):
        own = folder.resolve()
        if place.is_relative_to(own) or own.is_relative_to(place):
            raise StoreError(f"--site {site} would replace {folder}", hint="choose a folder of its own for the page")


def page_folder(workdir: Path, task: Task) -> Path:
    """The default folder of a task's page, which no run of another task replaces."""
    return record_root(workdir / "site", task)
