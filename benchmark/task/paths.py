"""Files that a task file names: their paths are relative to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rebeca.errors import MissingDependency
from rebeca.hashes import file_hash, hash_of_files, tree_hash
from rebeca.published import is_published, published


def placed(kind: type[Any], raw: dict[str, Any], base: Path) -> dict[str, Any]:
    """Raw parameters with absolute paths instead of those relative to ``base``, the task file's folder.

    Class attributes of the parameters' dataclass name those that hold paths: ``FILES``; ``PATHS``, which may also name
    a repository or a built-in model; ``LOCATIONS``, of which the contents count and the path does not. ``CONTENTS``
    names parameters that are set to the SHA-256 of another parameter's file, or of all files below its folder.
    """
    out = dict(raw)
    files = (*getattr(kind, "FILES", ()), *getattr(kind, "LOCATIONS", ()))
    for name in (*files, *getattr(kind, "PATHS", ())):
        value = out.get(name)
        if not isinstance(value, str) or not value:
            continue
        if is_published(value):
            published(value)
        elif name in files or _exists(base / value):
            out[name] = str(base.resolve() / value)
    for name, of in getattr(kind, "CONTENTS", {}).items():
        if isinstance(out.get(of), str):
            out[name] = _content(Path(out[of]))
    return out


def refuse_missing_files(params: object, where: str) -> None:
    """Refuses parameters that name a file which does not exist.

    Args:
        params: Of a plug-in, with absolute paths.
        where: Begins the message.

    Raises:
        MissingDependency: Naming the parameter and the file.
    """
    for name in getattr(params, "FILES", ()):
        value = getattr(params, name)
        if isinstance(value, str) and value and not is_published(value) and not _exists(Path(value)):
            raise MissingDependency(f"{where}: {name}: no file {value}", hint="correct the path, or write the file")


def _content(path: Path) -> str:
    """SHA-256 of a file, or of all files below a folder; that of no files where there is neither."""
    if not _exists(path):
        return hash_of_files({})
    return file_hash(path) if path.is_file() else tree_hash(path)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, a NUL byte
        return False
