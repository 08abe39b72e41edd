"""Where a run puts its records and images in the work folder."""

from __future__ import annotations

from pathlib import Path

from benchmark.task.resolve import Task


def record_root(root: Path, task: Task) -> Path:
    """The folder of a task's records below a root; a modified task has a folder of its own."""
    version = f"v{task.file.version}"
    return root / task.file.id / (f"{version}-modified-{task.hash()[:8]}" if task.modified else version)


def private_images(root: Path, task: Task) -> Path:
    """The folder for images of data that may not be republished; ``site build --images`` shows them."""
    return record_root(root / "private-images", task)
