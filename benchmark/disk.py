"""Files on disk: digests, writing whole or not at all, swapping folders, locks, folders that cannot be used."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from rebeca.errors import StoreError, lacks_locks


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomically(path: Path, data: bytes, sync: bool = True) -> None:
    """Writes a file whole or not at all. Without ``sync``, it is not flushed to disk; use it for what may get lost."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{uuid4().hex[:8]}")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            if sync:
                stream.flush()
                os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def is_vacant(folder: Path) -> bool:
    """Whether a folder is absent or empty, so that nothing is lost where another takes its place."""
    return not os.path.lexists(folder) or (folder.is_dir() and not any(folder.iterdir()))


def absent_beside(place: Path) -> Path:
    """Where a folder is built before :func:`replace_folder`; what an earlier attempt left there is removed."""
    new = place.with_name(f".{place.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    return new


def replace_folder(new: Path, place: Path, sync: bool = True) -> None:
    """Puts a folder in the place of another of the same parent, where one is.

    Whenever this is cut short, the old or the new one is there whole; the old one perhaps as ``.<name>.old``, from
    where the next call takes it back. Without ``sync``, files are not flushed to disk; use it for what
    is cheap to recompute.
    """
    if sync:
        sync_files(new)
    old = take_back(place)
    if place.exists():
        place.rename(old)
    new.rename(place)
    sync_path(place.parent)
    shutil.rmtree(old, ignore_errors=True)


def take_back(place: Path) -> Path:
    """Undoes a :func:`replace_folder` that was cut short between its two steps; returns where the old one is set aside.

    Whoever looks at what lies in a place before replacing it calls this first.
    """
    old = place.with_name(f".{place.name}.old")
    if old.exists():
        shutil.rmtree(old) if place.exists() else old.rename(place)
    return old


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


def check_writable(folder: Path, what: str) -> None:
    """Writes a file without a name into a folder, or into the nearest one above it that exists.

    Args:
        folder: The folder, present or not.
        what: Its name in the message, e.g. ``--site``.

    Raises:
        StoreError: If nothing can be written there: a file in its place, no rights, a full or read-only disk.
    """
    place = folder.absolute()
    try:
        while not os.path.lexists(place):
            place = place.parent
        with tempfile.TemporaryFile(dir=place) as stream:
            stream.write(b"0")
    except OSError as error:
        reason = "it is a file" if place.is_file() else error.strerror or str(error)
        raise StoreError(
            f"{what} {folder}: {place} cannot be written ({reason})", hint="choose another folder"
        ) from error


@contextmanager
def locked(path: Path, wait: Callable[[], None] = lambda: None, shared: bool = False) -> Iterator[None]:
    """Holds the lock of a file or folder, which exists; it is released with the process at the latest.

    Args:
        path: What to lock.
        wait: Called where another process holds the lock, before waiting for it.
        shared: Whether other processes may hold the lock as well, if they share it.

    Raises:
        StoreError: If its file system has no locks.
    """
    descriptor, kind = _opened(path), fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            wait()
            fcntl.flock(descriptor, kind)
        except OSError as error:
            if not lacks_locks(error):
                raise
            raise StoreError(
                f"{path}: its file system has no locks ({error.strerror})",
                hint="choose a folder on a local disk, or mount this one with locks",
            ) from error
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    """A descriptor that can be locked; file systems of a network lock only files that are open for writing."""
    try:
        return os.open(path, os.O_RDWR)
    except IsADirectoryError:
        return os.open(path, os.O_RDONLY)


@contextmanager
def locked_now(path: Path) -> Iterator[bool]:
    """Holds the lock of a file or folder as :func:`locked`, or yields False where it is held or absent."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path, _refuse))
        except (BlockingIOError, FileNotFoundError):
            yield False
            return
        yield True


def _refuse() -> None:
    raise BlockingIOError


def is_locked(path: Path) -> bool:
    """Whether another process holds the lock of a file; nothing is written, and a missing file is not locked."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if not lacks_locks(error):
            raise
        return False  # where there are no locks, nothing runs
    finally:
        os.close(descriptor)
    return False
