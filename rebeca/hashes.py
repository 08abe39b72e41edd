"""SHA-256 of files, cached for as long as path, size and time of a file stay.

The cache only saves time. A file that changed within the last two seconds is hashed but not
cached, since another change might leave its time as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from platformdirs import user_cache_path

from rebeca.errors import StoreError

__all__ = ["file_hash", "tree_hash"]

KEPT = "hashes.json"
RECENT_NS = 2_000_000_000
Cached = dict[str, tuple[int, int, str]]
"""Path -> bytes, time of the last change in nanoseconds, SHA-256."""


def cache_folder() -> Path:
    """The system's folder for caches, on Linux ``$XDG_CACHE_HOME/rebeca-bench`` or ``~/.cache/rebeca-bench``.

    Raises:
        StoreError: If this user has no home folder.
    """
    try:
        return user_cache_path("rebeca-bench", appauthor=False)
    except RuntimeError as error:
        raise StoreError(
            "this user has no home folder, in which results could be cached", hint="set HOME or XDG_CACHE_HOME"
        ) from error


def file_hash(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits.

    Example:
        >>> from pathlib import Path
        >>> from rebeca.hashes import file_hash
        >>> weights = Path("weights.bin")
        >>> _ = weights.write_bytes(b"abc")
        >>> file_hash(weights)[:16]
        'ba7816bf8f01cfea'

    Raises:
        OSError: If it cannot be read.
    """
    return file_hashes([path])[path]


def file_hashes(paths: Iterable[Path]) -> dict[Path, str]:
    """SHA-256 of files; as :func:`file_hash`, reading and writing the cache once.

    Raises:
        OSError: If one cannot be read.
    """
    store = cache_folder() / KEPT
    cached = read_hashes(store)
    fresh: Cached = {}
    out: dict[Path, str] = {}
    for path in paths:
        about = path.stat()
        key = str(path.resolve())
        size, changed, digest = cached.get(key, (-1, -1, ""))
        if (size, changed) == (about.st_size, about.st_mtime_ns):
            out[path] = digest
            continue
        with path.open("rb") as stream:
            out[path] = hashlib.file_digest(stream, "sha256").hexdigest()
        if time.time_ns() - about.st_mtime_ns > RECENT_NS:
            fresh[key] = (about.st_size, about.st_mtime_ns, out[path])
    if fresh:
        _write(store, read_hashes(store) | fresh)
    return out


def tree_hash(folder: Path) -> str:
    """SHA-256 over names and contents of all files below a folder; that of no files where the folder is missing.

    Example:
        >>> from pathlib import Path
        >>> from rebeca.hashes import tree_hash
        >>> folder = Path("model")
        >>> folder.mkdir()
        >>> empty = tree_hash(folder)
        >>> _ = (folder / "config.json").write_text("{}")
        >>> tree_hash(folder) == empty
        False
    """
    return hash_of_files({path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()})


def hash_of_files(files: dict[str, Path]) -> str:
    """SHA-256 over names and contents of files, by name."""
    hashes = file_hashes(files.values())
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{hashes[files[name]]}\n".encode())
    return digest.hexdigest()


def read_hashes(store: Path) -> Cached:
    """What a file of hashes holds, not to be changed; nothing where it is missing or damaged."""
    try:
        about = store.stat()
    except OSError:
        return {}
    return _parsed(store, about.st_ino, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=1)
def _parsed(store: Path, *_: int) -> Cached:
    """What the file holds; parsed once for as long as its inode, time and size stay."""
    try:
        raw = json.loads(store.read_text(encoding="utf-8"))
        return {str(path): (int(size), int(changed), str(digest)) for path, (size, changed, digest) in raw.items()}
    except (OSError, ValueError, TypeError, AttributeError):  # it only saves time
        return {}


def _write(store: Path, cached: Cached) -> None:
    temporary = store.with_name(f"{store.name}.{os.getpid()}")
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(cached, indent=0, sort_keys=True), encoding="utf-8")
        temporary.replace(store)
    except OSError:  # a full disk, a read-only home: it only saves time
        temporary.unlink(missing_ok=True)
