"""Files on disk: digests, writing whole or not at all, swapping folders."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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
    where the next call takes it back. Without ``sync``, files are not flushed to disk; use it for what
    is cheap to recompute.
    """
    if sync:
        sync_files(new)
    old = place.with_name(f".{place.name}.old")
    if old.exists():
        shutil.rmtree(old) if place.exists() else old.rename(place)
    if place.exists():
        place.rename(old)
    new.rename(place)
    sync_path(place.parent)
    shutil.rmtree(old, ignore_errors=True)


def sync_files(folder: Path) -> None:
    """Makes sure that every file below a folder is on the disk."""
    for path in filter(Path.is_file, folder.rglob("*")):
        sync_path(path)


def sync_path(path: Path) -> None:
    """Makes sure that a file, or the list of names in a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
