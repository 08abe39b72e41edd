"""Provenance of a record: versions, machine, weights, command line, time."""

from __future__ import annotations

import platform
import re
import resource
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import rebeca
from benchmark.records.files import utc_now
from benchmark.records.schema import EncoderInfo, GitState, Machine, PluginInfo, Provenance
from benchmark.runner.addresses import USERS_PER_UNIT, Addresses, plugins_of
from benchmark.runner.decode import GeneratorImages
from benchmark.runner.devices import device_name
from benchmark.runner.freeze import Declaration
from benchmark.runner.images import read_batches
from benchmark.task.declared import environment
from benchmark.task.encoders import named_encoder
from benchmark.task.resolved import Task
from rebeca.device import on_processor, precision
from rebeca.hashes import file_hashes
from rebeca.published import identity, known_file, names_in
from rebeca.scorers.laion_head import known_head

WEIGHTS = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")

PACKAGES = (
    "torch",
    "torchvision",
    "diffusers",
    "transformers",
    "open_clip_torch",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "pillow",
    "safetensors",
)
SECRET = re.compile(r"(?i)(token|secret|password|key)(=|:)\S+")
ABSOLUTE = re.compile(r"(?<![\w.])/(?:[^\s/]+/)+")


def provenance(
    task: Task,
    addresses: Addresses,
    images: Sequence[GeneratorImages],
    device: str,
    seconds: Mapping[str, float],
    command: Sequence[str],
    declaration: Declaration,
) -> Provenance:
    """The provenance of a run's records.

    Args:
        task: The task.
        addresses: Of everything that the records rest on.
        images: Of all generators.
        device: Torch device.
        seconds: Per stage, of what this run computed itself.
        command: The command line.
        declaration: When the task was written down.
    """
    batches = {each.spec.id: tuple(read_batches(each.folders)) for each in images}
    return Provenance(
        project=rebeca.__version__,
        git=git_state(),
        **machine(device).model_dump(),
        dtype=_precisions(task, addresses, device),
        users_per_unit=USERS_PER_UNIT,
        weights={name: identity(name) for name in names_in(task.to_json())} | _named_files(task, addresses),
        plugins=tuple(PluginInfo(**asdict(plugin)) for plugin in addresses.plugins),
        environments=_environments(task),
        batches={name: sizes for name, sizes in batches.items() if sizes},
        encoders={
            role: EncoderInfo(use=each.encoder.text, address=each.embeddings.key)
            for role, each in addresses.encoders.items()
        },
        judges={role: judge.fit.key for role, judge in addresses.judges.items()},
        seed=task.file.seed,
        command=without_folders(" ".join(SECRET.sub(r"\1\2...", part) for part in command)),
        declared=declaration.at,
        added=declaration.added,
        created=utc_now(),
        decoded={each.spec.id: each.decoded for each in images if each.decoded},
        seconds={name: round(value, 3) for name, value in sorted(seconds.items())},
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )


def machine(device: str) -> Machine:
    import torch

    gpu = {"cuda": str(torch.version.cuda), "cudnn": str(torch.backends.cudnn.version())}
    return Machine(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        threads=torch.get_num_threads(),
        packages={name: _version(name) for name in PACKAGES} | ({} if on_processor(device) else gpu),
        device=device_name(device),
    )


def _environments(task: Task) -> dict[str, Mapping[str, str]]:
    """Versions of what plug-ins run in other Pythons, by kind and name of the plug-in."""
    told = {f"{kind} {label}": environment(kind, use, params) for kind, use, params, label in plugins_of(task)}
    return {name: versions for name, versions in told.items() if versions}


def _models(task: Task, addresses: Addresses) -> list[Any]:
    """Parameters of all decoders, scorers and encoders of a task."""
    params: list[Any] = [spec.decoder for spec in task.generators] + [entry.params for entry in task.scorers]
    encoders = [address.encoder for address in addresses.encoders.values()]
    encoders += [
        named_encoder(text, task.source.parent) for flags in addresses.scorers.values() for text in flags.encoders
    ]
    return params + [encoder.chain[-1].params for encoder in encoders]  # of the networks below all projections


def _named_files(task: Task, addresses: Addresses) -> dict[str, str]:
    """Weights that a task names as files or folders, and whether each is a file that was published."""
    files: set[Path] = set()
    for params in _models(task, addresses):
        hashed = getattr(params, "CONTENTS", {}).values()  # in the parameters, which the record holds
        fields = {*getattr(params, "FILES", ()), *getattr(params, "PATHS", ()), "checkpoint"} - {*hashed}
        paths = [Path(text) for field in fields if isinstance(text := getattr(params, field, None), str)]
        files |= {path for path in paths if path.is_file()}
        files |= {file for path in paths if path.is_dir() for file in path.rglob("*") if file.suffix in WEIGHTS}
    hashes = file_hashes(sorted(files))
    names = {file: known_file(sha256) or known_head(sha256) for file, sha256 in hashes.items()}
    return {
        file.name: f"{names[file] or file.name} {'known' if names[file] else 'unknown'} {sha256[:16]}"
        for file, sha256 in hashes.items()
    }


def _precisions(task: Task, addresses: Addresses, device: str) -> str:
    """Number formats of all decoders, scorers and encoders of a task, e.g. ``float16, float32``."""
    params = _models(task, addresses)
    named = (getattr(each, "dtype", None) for each in params)
    return ", ".join(sorted({precision(dtype if isinstance(dtype, str) else "float32", device) for dtype in named}))


def _processor() -> str:
    """Model and stepping, and the instructions that torch chose for it."""
    import torch

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    except OSError:  # not Linux
        lines = []
    about = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = about.get("model name") or platform.processor()
    numbers = [f"{key} {about[key]}" for key in ("cpu family", "model", "stepping") if key in about]
    return ", ".join([name, *numbers, torch.backends.cpu.get_cpu_capability()])


def without_folders(text: str) -> str:
    return ABSOLUTE.sub("", text)


def git_state() -> GitState | None:
    """Commit, and whether files were changed; None where the package does not run from a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    return (
        None
        if commit is None
        else GitState(commit=commit, dirty=bool(_git(root, "status", "--porcelain", "--untracked-files=no")))
    )


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
