"""Where a task file's own files lie: seen from the task file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rebeca.hashes import tree_hash
from rebeca.published import is_published, published


def placed(kind: type[Any], raw: dict[str, Any], base: Path) -> dict[str, Any]:
    """Parameters that name files, which lie where the task file says, seen from itself.

    Class attributes of the parameters' dataclass say which these are: ``FILES``; ``PATHS``, which may also name what is
    no file (a repository, a built-in model); ``LOCATIONS``, of which what lies there counts and not where. ``CONTENTS``
    names parameters that are set to the SHA-256 of all files below another one.
    """
    out = dict(raw)
    files = (*getattr(kind, "FILES", ()), *getattr(kind, "LOCATIONS", ()))
    for name in (*files, *getattr(kind, "PATHS", ())):
        value = out.get(name)
        if not isinstance(value, str) or not value:
            continue
        if is_published(value):
            published(value)
        elif name in files or _is_there(base / value):
            out[name] = str(base.resolve() / value)
    for name, of in getattr(kind, "CONTENTS", {}).items():
        if isinstance(out.get(of), str):
            out[name] = tree_hash(Path(out[of]))
    return out


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, a NUL byte
        return False
