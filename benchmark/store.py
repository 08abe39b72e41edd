"""Artefacts on disk, addressed by what they were made from.

An artefact is a folder of files with a manifest of their SHA-256. It is written beside its place and renamed into it,
so that it is there whole or not at all. A damaged one is noticed when it is read, set aside and made again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rebeca.errors import StoreError, disk_full
from rebeca.seeds import digest_of

MANIFEST = "artefact.json"
STAGE_VERSIONS = {
    "embeddings": 1,
    "judge": 2,
    "fit": 1,
    "pictures": 3,
    "scores": 3,
    "verifier": 2,
    "records": 6,
}
"""Raised whenever a stage could give other results from the same inputs."""


def stage_key(stage: str, inputs: dict[str, Any]) -> str:
    """The address of an artefact: SHA-256 of stage, stage version and canonical inputs."""
    return digest_of([stage, STAGE_VERSIONS[stage], inputs])


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Store:
    """A work folder.

    Attributes:
        root: The folder; made when needed.
        notify: Told about damaged artefacts.
    """

    root: Path
    notify: Callable[[str], None]

    def folder(self, stage: str, key: str) -> Path:
        """Where an artefact lies."""
        return self.root / stage / key[:2] / key

    def find(self, stage: str, key: str) -> Path | None:
        """The folder of an intact artefact, or None; a damaged one is set aside."""
        folder = self.folder(stage, key)
        if not folder.is_dir():
            return None
        problem = _problem(folder)
        if problem is None:
            return folder
        aside = self.root / "set-aside" / f"{stage}-{key[:16]}-{os.getpid()}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        if aside.exists():
            shutil.rmtree(aside)
        folder.rename(aside)
        self.notify(f"{stage} {key[:12]}: {problem}; set aside as {aside} and made again")
        return None

    def make(self, stage: str, key: str, inputs: dict[str, Any], write: Callable[[Path], None]) -> Path:
        """Returns the artefact, making it with ``write(folder)`` where it is missing.

        Raises:
            StoreError: If the disk is full or the folder cannot be written.
        """
        found = self.find(stage, key)
        if found is not None:
            return found
        folder = self.folder(stage, key)
        temporary = folder.with_name(f".{key[:16]}-{os.getpid()}")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            if temporary.exists():
                shutil.rmtree(temporary)
            temporary.mkdir()
            write(temporary)
            files = {str(p.relative_to(temporary)): file_digest(p) for p in sorted(temporary.rglob("*")) if p.is_file()}
            manifest = {"stage": stage, "version": STAGE_VERSIONS[stage], "inputs": inputs, "files": files}
            write_atomically(temporary / MANIFEST, json.dumps(manifest, sort_keys=True, indent=1).encode())
            sync_files(temporary)
            temporary.rename(folder)
            _sync(folder.parent)
        except OSError as error:
            remedy = "free disk space, or choose another --workdir" if disk_full(error) else "mend that"
            raise StoreError(
                f"{error.filename or folder}: {error.strerror or error}", hint=f"{remedy}; run again to go on"
            ) from error
        finally:
            if temporary.exists():
                shutil.rmtree(temporary, ignore_errors=True)
        return folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the work folder for one run; another run waits.

        Raises:
            StoreError: If the folder cannot be made.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            handle = (self.root / "lock").open("w")
        except OSError as error:
            raise StoreError(f"{self.root}: cannot be used as a work folder ({error.strerror or error})") from error
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.notify(f"another run uses {self.root}; waiting for it to end")
                fcntl.flock(handle, fcntl.LOCK_EX)
            self.sweep()
            yield

    def sweep(self) -> None:
        """Removes what a killed process left half written; only for who holds the lock."""
        for stage in STAGE_VERSIONS.keys() - {"records"}:  # those have no address and are replaced as a whole
            for leftover in (self.root / stage).glob("*/.*"):
                shutil.rmtree(leftover)


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_folder(new: Path, place: Path, sync: bool = True) -> None:
    """Puts a folder in the place of another of the same parent, where one is.

    Whenever this is cut short, the old or the new one is there whole; the old one perhaps as ``.<name>.old``, from
    where the next call takes it back. Without ``sync``, for what is soon made again, the disk takes its time.
    """
    if sync:
        sync_files(new)
    old = place.with_name(f".{place.name}.old")
    if old.exists():
        shutil.rmtree(old) if place.exists() else old.rename(place)
    if place.exists():
        place.rename(old)
    new.rename(place)
    _sync(place.parent)
    shutil.rmtree(old, ignore_errors=True)


def sync_files(folder: Path) -> None:
    """Makes sure that every file below a folder is on the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            _sync(path)


def _problem(folder: Path) -> str | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"its manifest cannot be read ({error})"
    present = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} - {MANIFEST}
    if present != set(files):
        return f"files are missing or added: {sorted(present ^ set(files))[:3]}"
    for name, digest in files.items():
        if file_digest(folder / name) != digest:
            return f"{name} was changed or cut short"
    return None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
