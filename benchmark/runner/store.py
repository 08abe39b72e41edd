"""Cached results, called artefacts, addressed by a hash of their inputs.

An artefact is a folder of files with a manifest of their SHA-256. It is written beside its place and renamed into it,
so that it is either complete or absent. A damaged one is noticed when it is looked up, set aside and computed again.
:class:`Stages` is what all stages of a run share: an artefact is taken from the store, or made, announced and timed.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from benchmark.disk import file_digest, is_locked, locked, sync_files, sync_path, write_atomically
from benchmark.runner.progress import Report, Reporter
from rebeca.errors import StoreError, disk_full
from rebeca.interfaces import no_progress
from rebeca.parallel import spread
from rebeca.seeds import canonical_json, digest_of
from rebeca.spans import Part, span

MANIFEST = "artefact.json"
LOCK = "lock"
STAGE_VERSIONS = {
    "data": 1,
    "embeddings": 2,
    "judge": 5,
    "fit": 5,
    "images": 6,
    "scores": 8,
    "held-out": 4,
    "records": 10,
}
"""A version is raised whenever the stage could give other results from the same inputs."""


@dataclass(frozen=True, slots=True)
class Address:
    """Identifies an artefact by its inputs.

    Attributes:
        stage: A key of :data:`STAGE_VERSIONS`.
        inputs: Canonical JSON of everything that the artefact depends on, except the stage's own code.
    """

    stage: str
    inputs: str

    @classmethod
    def of(cls, stage: str, **inputs: object) -> Address:
        """The address of a stage's result for these inputs.

        Raises:
            TypeError: If an input is not JSON.
        """
        return cls(stage, canonical_json(inputs))

    @property
    def key(self) -> str:
        """SHA-256 of stage, stage version and inputs."""
        return digest_of([self.stage, STAGE_VERSIONS[self.stage], json.loads(self.inputs)])


@dataclass(frozen=True, slots=True)
class Store:
    """A work folder.

    Attributes:
        root: The folder; created when needed.
        notify: Called with a line about every damaged artefact.
    """

    root: Path
    notify: Callable[[str], None]

    def folder(self, address: Address) -> Path:
        """The folder of an artefact, present or not."""
        key = address.key
        return self.root / address.stage / key[:2] / key

    def checkpoint(self, address: Address) -> Path:
        """Where the unfinished work on an artefact is kept, from which the next run goes on."""
        return self.root / "checkpoints" / f"{address.stage}-{address.key}"

    def find(self, address: Address) -> Path | None:
        """The folder of an intact artefact, or None; every byte is read, and a damaged artefact is set aside."""
        folder = self.folder(address)
        if not folder.is_dir():
            return None
        with span(Part.STORE, f"check {address.stage}"):
            problem = problem_of(folder)
        if problem is None:
            return folder
        aside = self.set_aside(folder)
        self.notify(f"{address.stage} {folder.name[:12]}: {problem}; set aside as {aside} and computed again")
        return None

    def set_aside(self, folder: Path) -> Path:
        """Moves a damaged artefact out of the way, and returns where it lies now."""
        aside = self.root / "set-aside" / f"{folder.parent.parent.name}-{folder.name[:16]}-{os.getpid()}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        if aside.exists():
            shutil.rmtree(aside)
        folder.rename(aside)
        return aside

    def make(self, address: Address, write: Callable[[Path], None]) -> Path:
        """The folder of an artefact, made with ``write(folder)`` where it is missing.

        Raises:
            StoreError: If the disk is full or the folder cannot be written.
        """
        intact = self.find(address)
        if intact is not None:
            return intact
        folder = self.folder(address)
        temporary = folder.with_name(f".{folder.name[:16]}-{os.getpid()}")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            if temporary.exists():
                shutil.rmtree(temporary)
            temporary.mkdir()
            write(temporary)
            with span(Part.STORE, f"keep {address.stage}"):
                self._keep(address, temporary, folder)
        except OSError as error:
            remedy = "free disk space, or choose another --workdir" if disk_full(error) else "make the folder writable"
            raise StoreError(
                f"{error.filename or folder}: {error.strerror or error}", hint=f"{remedy}, then run again"
            ) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return folder

    def _keep(self, address: Address, written: Path, folder: Path) -> None:
        """Adds the manifest to a folder that was written, and moves it to its place."""
        files = {str(p.relative_to(written)): file_digest(p) for p in sorted(written.rglob("*")) if p.is_file()}
        inputs = json.loads(address.inputs)
        write_atomically(written / MANIFEST, _manifest(address.stage, STAGE_VERSIONS[address.stage], inputs, files))
        sync_files(written)
        written.rename(folder)
        sync_path(folder.parent)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the work folder for one run; another run waits.

        Raises:
            StoreError: If the folder cannot be created, or its file system has no locks.
        """
        with self._held(lambda: self.notify(f"another run uses {self.root}; waiting for it to end")):
            self.sweep()
            yield

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Holds the work folder for a change of what it keeps; it never waits, so that no run is disturbed.

        Raises:
            StoreError: If a run uses the folder, or as :meth:`locked`.
        """

        def refuse() -> None:
            pid = self.runner()
            raise StoreError(
                f"{self.root} is used by process {pid or '(unknown)'}",
                hint="wait until it ends; rebeca-bench status shows how far it is",
            )

        with self._held(refuse):
            yield

    @contextmanager
    def _held(self, wait: Callable[[], None]) -> Iterator[None]:
        lock = self.root / LOCK
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock.touch()
        except OSError as error:
            raise StoreError(f"{self.root}: cannot be used as a work folder ({error.strerror or error})") from error
        with locked(lock, wait):
            with suppress(OSError):  # on a full disk only the number is missing
                lock.write_text(str(os.getpid()), encoding="ascii")
            yield

    def runner(self) -> int | None:
        """Process that uses the work folder; 0 where its number is not known, None where there is none."""
        lock = self.root / LOCK
        if not is_locked(lock):
            return None
        written = lock.read_text(encoding="ascii", errors="replace").strip()
        return int(written) if written.isdecimal() else 0

    def sweep(self) -> None:
        """Removes what a killed process left half written; call it only while holding the lock."""
        for stage in STAGE_VERSIONS.keys() - {"records"}:  # records have no address and are replaced as a whole
            for leftover in (self.root / stage).glob("*/.*"):
                shutil.rmtree(leftover)


def _manifest(stage: str, version: int, inputs: JsonValue, files: dict[str, str]) -> bytes:
    """The inputs of an artefact, and the SHA-256 of its files by name."""
    manifest = {"stage": stage, "version": version, "inputs": inputs, "files": files}
    return json.dumps(manifest, sort_keys=True, indent=1).encode()


def problem_of(folder: Path) -> str | None:
    """What is wrong with an artefact; None where it is intact. Every byte is read."""
    try:
        written = (folder / MANIFEST).read_bytes()
        manifest = json.loads(written)
        stage, version, inputs = (manifest[name] for name in ("stage", "version", "inputs"))
        files = dict(manifest["files"])
        key = digest_of([stage, version, inputs])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"its manifest cannot be read ({error})"
    if key != folder.name or stage != folder.parent.parent.name or written != _manifest(stage, version, inputs, files):
        return "its manifest was changed"
    present = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} - {MANIFEST}
    if present != set(files):
        return f"files are missing or added: {sorted(present ^ set(files))[:3]}"
    for name, digest in files.items():
        if file_digest(folder / name) != digest:
            return f"{name} was changed or cut short"
    return None


@dataclass(frozen=True, slots=True)
class Job:
    """An artefact that may be made beside others.

    Attributes:
        address: Its address.
        title: As of :meth:`Stages.make`, as are ``write`` and ``announce``.
        write: Writes it.
        announce: Whether to print the title of a short stage.
    """

    address: Address
    title: str
    write: Callable[[Path, Report], None]
    announce: bool = True


@dataclass(frozen=True, slots=True)
class Stages:
    """Takes artefacts from the store and makes those that are missing.

    Attributes:
        store: The work folder.
        reporter: Prints what is made.
        seconds: Wall seconds by title of what this run made itself.
    """

    store: Store
    reporter: Reporter
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def make(self, address: Address, title: str, write: Callable[[Path, Report], None], announce: bool = True) -> Path:
        """The folder of an artefact.

        Args:
            address: Its address.
            title: Printed while it is made; seconds are added up per title.
            write: Called with an empty folder and a function that shows progress, where the artefact is missing.
            announce: Whether to print the title of a short stage.
        """
        intact = self.store.find(address)
        if intact is not None:
            return intact
        started = time.perf_counter()
        with self.reporter.stage(title, announce) as report:
            folder = self.store.make(address, lambda empty: write(empty, report))
        self.seconds[title] += time.perf_counter() - started
        return folder

    def make_all(self, jobs: Sequence[Job], device: str) -> list[Path]:
        """The folders of several artefacts; those that are missing are made in forked processes where these help.

        Args:
            jobs: Artefacts that do not depend on each other.
            device: Torch device of the work.
        """
        different: dict[Address, Job] = {}
        for job in jobs:  # two titles may share an artefact
            different.setdefault(job.address, job)
        missing = [job for job in different.values() if self.store.find(job.address) is None]
        shown: list[Report] = [no_progress]

        def report(done: int, total: int, note: str) -> None:
            shown[0](done, total, note)

        def seconds_to_make(job: Job) -> float:
            started = time.perf_counter()
            self.store.make(job.address, lambda empty: job.write(empty, report))
            return time.perf_counter() - started

        with closing(spread(seconds_to_make, missing, device)) as results:
            for job in missing:
                with self.reporter.stage(job.title, job.announce) as shown[0]:
                    self.seconds[job.title] += next(results)
        return [self.store.folder(job.address) for job in jobs]
