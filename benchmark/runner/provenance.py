"""Where a record comes from: versions, machine, weights, command line, time."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rebeca
from benchmark.runner.devices import device_name
from benchmark.runner.images import read_batches
from rebeca.device import on_processor, precision
from rebeca.published import identity, is_published, names_in

if TYPE_CHECKING:
    from benchmark.runner.freeze import Declaration
    from benchmark.runner.run import Run

PACKAGES = (
    "torch", "torchvision", "diffusers", "transformers", "open_clip_torch", "numpy", "scipy", "pandas", "pyarrow",
    "pillow", "safetensors",
)  # fmt: skip
SECRET = re.compile(r"(?i)(token|secret|password|key)(=|:)\S+")
ABSOLUTE = re.compile(r"(?<![\w.])/(?:[^\s/]+/)+")


def provenance(run: Run, command: Sequence[str], declaration: Declaration) -> dict[str, Any]:
    """What a record says about its making."""
    from benchmark.runner.run import USERS_PER_UNIT

    encoders = {}
    for role in ("task", *run.judges):
        spec = run.role_spec(role)
        encoders[role] = {"use": spec.text, "address": run.embeddings_key(role)}
    return {
        "project": rebeca.__version__,
        "git": git_state(),
        **machine(run.device),
        "dtype": _precisions(run),
        "users_per_unit": USERS_PER_UNIT,
        "weights": {name: identity(name) for name in names_in(run.task.to_json())},
        "batches": _batches(run),
        "encoders": encoders,
        "judges": {role: judge.fingerprint for role, judge in run.judges.items()},
        "seed": run.task.file.seed,
        "command": clean_command(command),
        "declared": declaration.at,
        "added": list(declaration.added),
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "painted": dict(sorted(run.painted.items())),
        "seconds": {name: round(value, 3) for name, value in sorted(run.timing.seconds.items())},
        "peak_memory_mb": _peak_memory(),
    }


def _batches(run: Run) -> dict[str, list[int]]:
    """By generator, as its units say: also those that an earlier run or another process made."""
    found = {}
    for spec in run.task.generators:
        folders = [run.store.folder("pictures", key) for key in run.picture_keys(spec)]
        if batches := read_batches(folders):
            found[spec.id] = batches
    return found


def machine(device: str) -> dict[str, Any]:
    """What decides whether another run rounds as this one: where all of it is equal, so are all bytes."""
    import torch

    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "packages": {name: _version(name) for name in PACKAGES} | ({} if on_processor(device) else _below_torch()),
        "device": device_name(device),
    }


def _precisions(run: Run) -> str:
    """Of all painters, scorers and encoders of a task, e.g. ``float16, float32``."""
    asked: list[Any] = [getattr(spec.decoder, "dtype", None) for spec in run.task.generators]
    for entry in run.task.scorers:
        tower = "auto" if is_published(getattr(entry.params, "backbone", None)) else None
        asked.append(getattr(entry.params, "dtype", tower))
    for role in ("task", *run.judges):
        spec = run.role_spec(role)
        while spec.of is not None:  # what lies below a projection
            spec = spec.of
        asked.append(getattr(spec.params, "dtype", None))
    return ", ".join(sorted({precision(one if isinstance(one, str) else "float32", run.device) for one in asked}))


def _below_torch() -> dict[str, str]:
    """Versions of what a GPU's numbers depend on as well."""
    import torch

    return {"cuda": str(torch.version.cuda), "cudnn": str(torch.backends.cudnn.version())}


def _processor() -> str:
    """Model and stepping, and the instructions that torch chose for it."""
    import torch

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    except OSError:  # not Linux
        lines = []
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = told.get("model name") or platform.processor()
    numbers = [f"{key} {told[key]}" for key in ("cpu family", "model", "stepping") if key in told]
    return ", ".join([name, *numbers, torch.backends.cpu.get_cpu_capability()])


def clean_command(command: Sequence[str]) -> str:
    """The command line without secrets and without the folders of this machine."""
    return without_folders(" ".join(SECRET.sub(r"\1\2...", part) for part in command))


def without_folders(text: str) -> str:
    """A text without the folders of this machine."""
    return ABSOLUTE.sub("", text)


def git_state() -> dict[str, Any] | None:
    """Commit and whether files were changed, where the package runs from a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    return None if commit is None else {"commit": commit, "dirty": bool(_git(root, "status", "--porcelain"))}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _peak_memory() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
