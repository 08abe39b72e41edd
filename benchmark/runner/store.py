"""Cached results, called artefacts, addressed by a hash of their inputs.

An artefact is a folder of files with a manifest of their SHA-256. It is written beside its place and renamed into it,
so that it is either complete or absent; the first of two writers wins, and the second compares. A damaged one is
noticed when it is looked up, set aside and computed again. Several processes may use a work folder at once, and work
folders of several machines may share a place: see benchmark/runner/shared.py.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from uuid import uuid4

from pydantic import JsonValue

from benchmark.disk import file_digest, is_locked, locked, locked_now, sync_files, sync_path, write_atomically
from benchmark.runner.leases import Leases, machine
from benchmark.runner.places import Folder, Place
from benchmark.runner.shared import MANIFEST, Differs, compare, fetch, publish
from rebeca.errors import StoreError, disk_full
from rebeca.seeds import canonical_json, digest_of
from rebeca.spans import Part, span

LOCK, LOCKS = "lock", "locks"
"""Held by everybody who uses a work folder together with others; one per run, which holds it alone."""
FIRST_LOOK, LONGEST_LOOK = 0.25, 8.0
"""Seconds before looking again whether another process has made what is needed; doubled every time."""
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


@dataclass(frozen=True)
class Store:
    """A work folder.

    Attributes:
        root: The folder; created when needed.
        notify: Called with a line about every damaged artefact.
        shared: Where work folders of several machines share artefacts; None where this one is alone.
    """

    root: Path
    notify: Callable[[str], None]
    shared: Place | None = None
    _published: set[str] = field(init=False, repr=False, compare=False, default_factory=set)

    @cached_property
    def leases(self) -> Leases:
        return Leases(Folder(self.root) if self.shared is None else self.shared)

    def folder(self, address: Address) -> Path:
        """The folder of an artefact, present or not."""
        key = address.key
        return self.root / address.stage / key[:2] / key

    def checkpoint(self, address: Address) -> Path:
        """Where the unfinished work on an artefact is kept, from which the next run goes on."""
        return self.root / "checkpoints" / f"{address.stage}-{address.key}"

    def find(self, address: Address) -> Path | None:
        """The folder of an intact artefact, or None; every byte is read, and a damaged artefact is set aside.

        Raises:
            StoreError: If another one is shared under this address, or a shared one is damaged.
        """
        return self._find(address, claimed=False)

    def _find(self, address: Address, claimed: bool) -> Path | None:
        """As :meth:`find`; ``claimed`` where the caller holds the lease, which setting aside needs."""
        folder = self.folder(address)
        if folder.is_dir():
            problem = self._problem(address)
            if problem is None:
                self._publish(folder, address)
                return folder
            with nullcontext(True) if claimed else self.leases.claimed(_lease(address)) as mine:
                if not mine or not self._set_damaged_aside(address):
                    return self.folder(address) if self._problem(address) is None else None
        return folder if self._fetch(folder, address) else None

    def _problem(self, address: Address) -> str | None:
        with span(Part.STORE, f"check {address.stage}"):
            return problem_of(self.folder(address), address.stage, address.key)

    def _set_damaged_aside(self, address: Address) -> bool:
        """Whether an artefact is still damaged; it is then set aside."""
        folder, problem = self.folder(address), self._problem(address)
        if problem is not None and (aside := self.set_aside(folder)) is not None:
            self.notify(f"{address.stage} {folder.name[:12]}: {problem}; set aside as {aside} and computed again")
        return problem is not None

    def exists(self, address: Address) -> bool:
        """Whether an artefact is where everybody finds it, damaged or not."""
        if self.shared is None:
            return self.folder(address).is_dir()
        return self.shared.read(f"{_name(address)}/{MANIFEST}") is not None

    def keys(self, stage: str) -> frozenset[str]:
        """Keys of a stage's artefacts that everybody finds, damaged or not: as many of :meth:`exists` at once."""
        if self.shared is None:
            return frozenset(path.name for path in (self.root / stage).glob("*/[!.]*"))
        parts = (name.split("/") for name in self.shared.names(stage))
        return frozenset(part[2] for part in parts if part[-1] == MANIFEST and len(part) == 4)

    def set_aside(self, folder: Path) -> Path | None:
        """Moves a damaged artefact out of the way; returns where it lies now, or None if another process did."""
        aside = self.root / "set-aside" / f"{folder.parent.parent.name}-{folder.name[:16]}-{os.getpid()}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        if aside.exists():
            shutil.rmtree(aside)
        try:
            folder.rename(aside)
        except FileNotFoundError:
            return None
        return aside

    def make(self, address: Address, write: Callable[[Path], None]) -> Path:
        """The folder of an artefact, made with ``write(folder)`` where it is missing and nobody else makes it.

        Raises:
            StoreError: If the disk is full or the folder cannot be written, or another process made something else.
        """
        pause = FIRST_LOOK
        while (folder := self.attempt(address, write)) is None:
            if pause == FIRST_LOOK:
                holder = self.leases.holder(_lease(address)) or "another process"
                self.notify(f"{holder} makes {address.stage} {address.key[:12]}; waiting for it")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_LOOK)
        return folder

    def attempt(self, address: Address, write: Callable[[Path], None]) -> Path | None:
        """As :meth:`make`, but None where another process makes it."""
        folder = self.find(address)
        if folder is not None:
            return folder
        with self.leases.claimed(_lease(address)) as mine:
            if not mine:
                return None
            return self._find(address, claimed=True) or self._make(address, write)

    def _make(self, address: Address, write: Callable[[Path], None]) -> Path:
        folder = self.folder(address)
        with self._naming_errors(folder), self._beside(folder) as temporary:
            write(temporary)
            with span(Part.STORE, f"keep {address.stage}"):
                self._keep(address, temporary, folder)
        self._publish(folder, address)
        return folder

    @contextmanager
    def _naming_errors(self, folder: Path) -> Iterator[None]:
        """Turns errors of the disk into a message with a remedy."""
        try:
            yield
        except OSError as error:
            remedy = "free disk space, or choose another --workdir" if disk_full(error) else "make the folder writable"
            raise StoreError(
                f"{error.filename or folder}: {error.strerror or error}", hint=f"{remedy}, then run again"
            ) from error

    @contextmanager
    def _beside(self, folder: Path) -> Iterator[Path]:
        """An empty folder beside the place of an artefact; locked, so that nobody sweeps it away."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            while True:
                temporary = folder.with_name(f".{folder.name[:16]}-{os.getpid()}-{uuid4().hex[:8]}")
                temporary.mkdir()
                if stack.enter_context(locked_now(temporary)) and temporary.exists():
                    break  # otherwise it was swept before it was locked
            stack.callback(shutil.rmtree, temporary, ignore_errors=True)
            yield temporary

    def _keep(self, address: Address, written: Path, folder: Path) -> None:
        """Adds the manifest to a folder that was written, and moves it to its place."""
        files = {str(p.relative_to(written)): file_digest(p) for p in sorted(written.rglob("*")) if p.is_file()}
        inputs = json.loads(address.inputs)
        write_atomically(written / MANIFEST, _manifest(address.stage, STAGE_VERSIONS[address.stage], inputs, files))
        sync_files(written)
        self._move(written, folder)
        sync_path(folder.parent)

    def _move(self, written: Path, folder: Path) -> None:
        """Moves a complete artefact to its place, or compares it with the one that is there.

        Raises:
            StoreError: If another process made something else, which stays.
        """
        try:
            written.rename(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            compare((written / MANIFEST).read_bytes(), (folder / MANIFEST).read_bytes(), str(folder))

    def _publish(self, folder: Path, address: Address) -> None:
        """Shares an artefact; one that differs from what is shared is set aside.

        Raises:
            StoreError: If it differs.
        """
        if self.shared is None or folder.name in self._published:
            return
        try:
            with self._naming_errors(folder), span(Part.STORE, f"share {address.stage}"):
                publish(folder, self.shared, _name(address))
        except Differs as error:
            aside = self.set_aside(folder)
            raise StoreError(f"{error.message}; the own ones lie in {aside}", hint=error.hint) from error
        self._published.add(folder.name)

    def _fetch(self, folder: Path, address: Address) -> bool:
        """Takes an artefact from the shared place into the work folder; False where it is not there.

        Raises:
            StoreError: If it is damaged there.
        """
        manifest = None if self.shared is None else self.shared.read(f"{_name(address)}/{MANIFEST}")
        if self.shared is None or manifest is None:
            return False
        naming, timed = self._naming_errors(folder), span(Part.STORE, f"fetch {address.stage}")
        with naming, timed, self._beside(folder) as temporary:
            fetch(temporary, self.shared, _name(address), manifest)
            problem = problem_of(temporary, address.stage, address.key)
            if problem is not None:
                raise StoreError(
                    f"the shared {_name(address)}: {problem}", hint="remove it there; it is then computed again"
                )
            self._move(temporary, folder)
        self._published.add(folder.name)
        return True

    @contextmanager
    def used(self) -> Iterator[None]:
        """Holds the work folder together with others, to make artefacts in it."""
        name = f"artefacts by process {os.getpid()} of {machine()}"
        with self.locked(name):
            try:
                yield
            finally:
                self._lock_of(name).unlink(missing_ok=True)

    @contextmanager
    def locked(self, what: str) -> Iterator[None]:
        """Holds the work folder together with others, and what a run writes beside artefacts for itself alone.

        Args:
            what: Names what that is, such as the records of a task; another run of the same waits.

        Raises:
            StoreError: If the folder cannot be created, or its file system has no locks.
        """
        lock = self._lock_of(what)
        with self._used(shared=True):
            self._touch(lock)
            with locked(lock, lambda: self.notify(f"another run writes {what} in {self.root}; waiting for it to end")):
                with suppress(OSError):  # on a full disk only the number is missing
                    lock.write_text(str(os.getpid()), encoding="ascii")
                self.sweep()
                yield

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Holds the work folder alone, for a change of what it keeps; it never waits, so that no run is disturbed.

        Raises:
            StoreError: If a run uses the folder, or as :meth:`locked`.
        """

        def refuse() -> None:
            pids = ", ".join(map(str, sorted(self.runners())))
            raise StoreError(
                f"{self.root} is used by process {pids or '(unknown)'}",
                hint="wait until it ends; rebeca-bench status shows how far it is",
            )

        with self._used(shared=False, wait=refuse):
            yield

    @contextmanager
    def _used(self, shared: bool, wait: Callable[[], None] = lambda: None) -> Iterator[None]:
        self._touch(self.root / LOCK)
        with locked(self.root / LOCK, wait, shared):
            yield

    def _lock_of(self, what: str) -> Path:
        return self.root / LOCKS / digest_of(what)[:16]

    def _touch(self, lock: Path) -> None:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            lock.touch()
        except OSError as error:
            raise StoreError(f"{self.root}: cannot be used as a work folder ({error.strerror or error})") from error

    def runners(self) -> frozenset[int]:
        """Processes of this machine that use the work folder."""
        held = (lock for lock in (self.root / LOCKS).glob("*") if is_locked(lock))
        written = (lock.read_text(encoding="ascii", errors="replace").strip() for lock in held)
        return frozenset(int(pid) for pid in written if pid.isdecimal())

    def sweep(self) -> None:
        """Removes what killed processes left half written."""
        for stage in STAGE_VERSIONS.keys() - {"records"}:  # records have no address and are replaced as a whole
            for leftover in (self.root / stage).glob("*/.*"):
                with locked_now(leftover) as unused:
                    if unused:
                        shutil.rmtree(leftover, ignore_errors=True)


def _lease(address: Address) -> str:
    return f"{address.stage}-{address.key}"


def _name(address: Address) -> str:
    return f"{address.stage}/{address.key[:2]}/{address.key}"


def _manifest(stage: str, version: int, inputs: JsonValue, files: dict[str, str]) -> bytes:
    """The inputs of an artefact, and the SHA-256 of its files by name."""
    manifest = {"stage": stage, "version": version, "inputs": inputs, "files": files}
    return json.dumps(manifest, sort_keys=True, indent=1).encode()


def problem_of(folder: Path, stage: str, key: str) -> str | None:
    """What is wrong with the artefact of a stage and a key; None where it is intact. Every byte is read."""
    try:
        written = (folder / MANIFEST).read_bytes()
        manifest = json.loads(written)
        written_stage, version, inputs = (manifest[name] for name in ("stage", "version", "inputs"))
        files = dict(manifest["files"])
        written_key = digest_of([written_stage, version, inputs])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"its manifest cannot be read ({error})"
    if (written_stage, written_key) != (stage, key) or written != _manifest(stage, version, inputs, files):
        return "its manifest was changed"
    try:
        present = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} - {MANIFEST}
        if present != set(files):
            return f"files are missing or added: {sorted(present ^ set(files))[:3]}"
        changed = next((name for name, digest in files.items() if file_digest(folder / name) != digest), None)
    except FileNotFoundError as error:
        return f"{error.filename} was removed"
    return None if changed is None else f"{changed} was changed or cut short"
