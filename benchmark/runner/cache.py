"""What a work folder keeps, which task needs it, and its removal. No link is followed, and none is removed.

Each run notes what its task uses (:mod:`benchmark.runner.uses`). What no task uses is not read by any later run,
unless a task file is changed back.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmark.records.files import TASK_FOLDER
from benchmark.runner.notes import RUNS
from benchmark.runner.shared import MANIFEST
from benchmark.runner.status import FILE as STATUS
from benchmark.runner.store import STAGE_VERSIONS, Store, problem_of
from benchmark.runner.uses import read_uses
from rebeca.errors import SpecError, StoreError, did_you_mean

STAGES = tuple(stage for stage in STAGE_VERSIONS if stage != "records")
"""Folders of artefacts."""
OF_TASKS = ("records", "private-images", "site")
"""Folders with a folder per task and version."""
MARKS = {"records": TASK_FOLDER, "site": "index.html"}
"""What a run writes into a folder of these; one without it is somebody's own."""
OTHER = "other"
SHORTEST_KEY = 8
"""Digits of a key that name an artefact."""
UNIT = re.compile(rf"(?:([a-z-]+)/)?([0-9a-f]{{{SHORTEST_KEY},64}})")
_STAGE = "|".join(STAGES)
_VERSION = r"v[0-9]+(?:-modified-[0-9a-f]{8})?"
_ARTEFACT = r"[0-9a-f]{2}/(?:[0-9a-f]{64}|\.[0-9a-f]{16}-[0-9]+(?:-[0-9a-f]{8})?)"
_OF_TASK = rf"[^/]+/(?:{_VERSION}|\.{_VERSION}\.(?:new|old)|\.v[\w-]*-[0-9]+)"
SHAPES = {
    **dict.fromkeys(STAGES, _ARTEFACT),
    "checkpoints": rf"(?:{_STAGE})-[0-9a-f]{{64}}|\.[\w-]+-[0-9]+",
    "set-aside": rf"(?:{_STAGE})-[0-9a-f]{{16}}-[0-9]+|\.[\w-]+-[0-9]+",
    **dict.fromkeys((*OF_TASKS, RUNS), _OF_TASK),
}
"""By folder, the names that runs give. All else is counted as :data:`OTHER` and never touched: it may be the user's."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that a work folder keeps, a file or a folder.

    Attributes:
        kind: Name of the folder of the work folder in which it lies.
        path: Where it lies.
        key: Key of an artefact, or of the artefact that a checkpoint belongs to; otherwise empty.
        bytes: Size of its files.
        used: When a run last used it, in seconds since 1970; at least when it was written.
        needed_by: Tasks that use it, by id and version.
        wrong: Why no run can use it; empty where one can.
    """

    kind: str
    path: Path
    key: str
    bytes: int
    used: float
    needed_by: tuple[str, ...] = ()
    wrong: str = ""


@dataclass(frozen=True)
class Cache:
    """What a work folder keeps, as it is now.

    Attributes:
        root: The work folder.
        entries: Artefacts, checkpoints, records and all else.
        unknown: Tasks with records, but without a note of what they use.
    """

    root: Path
    entries: tuple[Entry, ...]
    unknown: tuple[str, ...]

    @cached_property
    def tasks(self) -> list[str]:
        """Id and version of every task that the folder knows."""
        return sorted({task for entry in self.entries for task in entry.needed_by})


def read_cache(root: Path) -> Cache:
    """Lists a work folder; nothing is written.

    Raises:
        StoreError: If it is no folder.
    """
    if not root.is_dir():
        raise StoreError(f"{root}: no such folder", hint="name the --workdir of a run")
    uses = read_uses(root)
    needed: dict[tuple[str, str], list[str]] = {}
    for task, own in uses.items():
        for stage, keys in own.artefacts.items():
            for key in keys:
                needed.setdefault((stage, key), []).append(task)
    runs = {task: _changed(root / RUNS / task / STATUS) for task in uses}

    def entry(kind: str, path: Path, key: str = "", tasks: Sequence[str] = (), wrong: str = "") -> Entry:
        used = max([_changed(path), *(runs.get(task, 0.0) for task in tasks)])
        return Entry(kind, path, key, size_of(path), used, tuple(tasks), wrong)

    entries = []
    for kind, path in _kept(root):
        name = path.relative_to(root / kind).as_posix()
        if kind in STAGES:
            entries.append(entry(kind, path, path.name, needed.get((kind, path.name), []), _wrong(path, kind)))
        elif kind == "checkpoints":
            stage, _, key = name.rpartition("-")
            entries.append(entry(kind, path, key, needed.get((stage, key), []), _leftover(path)))
        elif kind == "set-aside":
            entries.append(entry(kind, path, wrong="damaged"))
        else:
            entries.append(entry(kind, path, tasks=() if _is_leftover(path) else (name,), wrong=_leftover(path)))
    recorded = {each.needed_by[0] for each in entries if each.kind == "records" and each.needed_by}
    entries += _others(root, entries)
    return Cache(root, tuple(entries), tuple(sorted(recorded - uses.keys())))


def _kept(root: Path) -> Iterator[tuple[str, Path]]:
    """Kind and path of all that runs keep below a work folder."""
    for kind, shape in SHAPES.items():
        paths = _children(root / kind)
        if kind not in ("checkpoints", "set-aside"):
            paths = [path for shelf in paths for path in _children(shelf)]
        for path in paths:
            marked = (path / MARKS[kind]).exists() if kind in MARKS and not _is_leftover(path) else True
            if path.is_dir() and marked and re.fullmatch(shape, path.relative_to(root / kind).as_posix()):
                yield kind, path


def _others(root: Path, entries: Sequence[Entry]) -> Iterator[Entry]:
    """All else in a work folder, by its uppermost name."""
    kept: dict[str, int] = {}
    for entry in entries:
        kept[entry.kind] = kept.get(entry.kind, 0) + entry.bytes
    for path in _children(root):
        rest = size_of(path) - kept.get(path.name, 0)
        if rest > 0:
            yield Entry(OTHER, path, "", rest, _changed(path))


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    if not path.is_dir():
        return path.stat().st_size
    sizes = 0
    for place, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):  # a run goes on beside this
                sizes += (Path(place) / name).lstat().st_size
    return sizes


def _children(folder: Path) -> list[Path]:
    """What lies in a folder, sorted; a link is left out, and what lies behind one."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.is_symlink())


def links_of(root: Path) -> list[Path]:
    """Links that stand for a folder of the work folder, which is left alone for that."""
    return sorted(path for path in root.iterdir() if path.is_symlink())


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _wrong(path: Path, stage: str) -> str:
    """Why no run can use an artefact, as far as its manifest says."""
    if _is_leftover(path):
        return _leftover(path)
    try:
        version = json.loads((path / MANIFEST).read_bytes())["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return "damaged"
    return "" if version == STAGE_VERSIONS[stage] else "of an older version"


def _is_leftover(path: Path) -> bool:
    return path.name.startswith(".")


def _leftover(path: Path) -> str:
    """Whether a killed process left it; what it would put back at its next run is none."""
    if not _is_leftover(path):
        return ""
    name = path.name[1:].removesuffix(".old")
    return "" if path.name.endswith(".old") and not path.with_name(name).exists() else "left half written"


# ------------------------------------------------------------------------------------------------------------ removing


@dataclass(frozen=True, slots=True)
class Removal:
    """What is going to be removed.

    Attributes:
        entries: These.
        shared: What the named tasks use as well as others, which stays.
    """

    entries: tuple[Entry, ...]
    shared: tuple[Entry, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.entries)


def select(cache: Cache, names: Sequence[str], stages: Sequence[str] = (), records: bool = False) -> Removal:
    """What belongs to tasks and to no other task, and single artefacts.

    Args:
        cache: The work folder.
        names: Ids of tasks, with or without version, and beginnings of keys.
        stages: Only results of these stages; all by default.
        records: Whether to remove records, images and pages of the tasks as well.

    Raises:
        SpecError: If a name fits nothing, or a key fits several artefacts.
    """
    tasks: set[str] = set()
    units: list[Entry] = []
    for name in names:
        match = UNIT.fullmatch(name)
        if match is None or any(name in _names(task) for task in cache.tasks):
            tasks |= tasks_called(cache, name)
        else:
            units.append(_unit(cache, *match.groups()))
    kinds = {*(stages or (*STAGES, "checkpoints")), *((RUNS,) if not stages else ()), *(OF_TASKS if records else ())}
    of_tasks = [entry for entry in cache.entries if entry.kind in kinds and tasks & {*entry.needed_by}]
    own_entries = [entry for entry in of_tasks if tasks >= {*entry.needed_by}]
    shared = [entry for entry in of_tasks if not tasks >= {*entry.needed_by}]
    return Removal(tuple(dict.fromkeys([*units, *own_entries])), tuple(shared))


def tasks_called(cache: Cache, name: str) -> set[str]:
    """Versions of a task, by its id, or the one of that id and version.

    Raises:
        SpecError: If the work folder knows no such task.
    """
    tasks = {task for task in cache.tasks if name in _names(task)}
    if not tasks:
        known = {own for task in cache.tasks for own in _names(task)}
        raise SpecError(f"no task '{name}' in {cache.root}", hint=did_you_mean(name, known))
    return tasks


def _names(task: str) -> tuple[str, str]:
    """Id and version, and the id alone."""
    return task, task.partition("/")[0]


def _unit(cache: Cache, stage: str | None, key: str) -> Entry:
    fitting = [
        entry
        for entry in cache.entries
        if entry.kind in STAGES and entry.key.startswith(key) and stage in (None, entry.kind)
    ]
    if len(fitting) != 1:
        what = f"{len(fitting)} results have" if fitting else "no result has"
        raise SpecError(f"{what} a key that begins with {key}", hint="rebeca-bench cache ls --units lists the keys")
    return fitting[0]


def unneeded(cache: Cache, before: float = float("inf")) -> Removal:
    """What no task needs, and what no run can use.

    Where a task has records but no note of what it uses, only what no run can use.

    Args:
        cache: The work folder.
        before: Only what was last used before, in seconds since 1970.
    """
    candidates = (
        entry
        for entry in cache.entries
        if entry.wrong or (entry.kind in (*STAGES, "checkpoints") and not entry.needed_by and not cache.unknown)
    )
    return Removal(tuple(entry for entry in candidates if entry.used < before))


def remove(cache: Cache, entries: Sequence[Entry]) -> None:
    """Removes entries; the caller holds the lock. Cut short, it leaves no artefact by halves."""
    for entry in entries:
        folder = entry.path.parent
        if entry.path.is_symlink() or folder.resolve() != cache.root.resolve() / folder.relative_to(cache.root):
            raise StoreError(f"{entry.path}: a link leads elsewhere, so nothing is removed here")
        if entry.path.is_dir():
            hidden = folder / f".{entry.path.name.lstrip('.')[:16]}-{os.getpid()}"  # swept by the next run
            entry.path.rename(hidden)
            shutil.rmtree(hidden)
        else:
            entry.path.unlink(missing_ok=True)
        if folder != cache.root:
            with suppress(OSError):  # it holds others
                folder.rmdir()


# ----------------------------------------------------------------------------------------------------------- verifying


@dataclass(frozen=True, slots=True)
class Damage:
    """A damaged artefact.

    Attributes:
        stage: Its stage.
        key: Its key.
        problem: What is wrong with it.
        aside: Where it lies now.
        needed_by: Tasks that use it, and compute it again at their next run.
    """

    stage: str
    key: str
    problem: str
    aside: Path
    needed_by: tuple[str, ...]


def damaged(store: Store, cache: Cache, progress: Callable[[int, int], None]) -> Iterator[Damage]:
    """Reads every byte of every artefact, and sets the damaged ones aside; the caller holds the lock.

    Args:
        store: The work folder.
        cache: What it keeps.
        progress: Told how many bytes were read, of how many.
    """
    artefacts = [entry for entry in cache.entries if entry.kind in STAGES and not _is_leftover(entry.path)]
    read, total = 0, sum(entry.bytes for entry in artefacts)
    for entry in artefacts:
        problem = problem_of(entry.path, entry.kind, entry.path.name)
        read += entry.bytes
        progress(read, total)
        if problem is not None and (aside := store.set_aside(entry.path)) is not None:
            yield Damage(entry.kind, entry.key, problem, aside, entry.needed_by)
