"""Where a task file's own files lie: seen from the task file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rebeca.published import is_published, published
from rebeca.weights import folder_digest


def placed(kind: type[Any], raw: dict[str, Any], base: Path) -> dict[str, Any]:
    """Parameters that name files, which lie where the task file says, seen from itself.

    ``PATHS`` may also name what is no file: a repository, or a built-in model.
    """
    out = dict(raw)
    for name in (*getattr(kind, "FILES", ()), *getattr(kind, "PATHS", ())):
        value = out.get(name)
        if not isinstance(value, str) or not value:
            continue
        if is_published(value):
            published(value)
        elif name in getattr(kind, "FILES", ()) or _is_there(base / value):
            out[name] = str(base.resolve() / value)
    return out


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, a NUL byte
        return False


def with_content(params: dict[str, Any], base: Path) -> dict[str, Any]:
    """A folder's path is relative to the task file, and what lies in it becomes part of the parameters."""
    if not isinstance(params.get("path"), str):
        return params
    folder = (base / params["path"]).resolve()
    return {**params, "path": str(folder), "content": folder_digest(folder)}
