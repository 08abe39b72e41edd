"""What the last run of a task noted in the work folder: how far it came, and what it uses.

A note is no result: no address and no record holds it, and no run depends on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")
RUNS = "runs"
"""Below it in the work folder, a folder per task and version."""


def note_bytes(note: object) -> bytes:
    """A note, which is a dataclass, as JSON."""
    return TypeAdapter(type(note)).dump_json(note, indent=1) + b"\n"


def read_notes(root: Path, file: str, kind: type[T]) -> dict[str, T]:
    """The notes of all tasks in the files of that name, by id and version such as ``sprites/v2``.

    A file that is damaged, or was replaced a moment ago, counts as missing; the next run writes it anew.
    """
    notes = {}
    for path in sorted((root / RUNS).glob(f"*/*/{file}")):
        try:
            notes[path.parent.relative_to(root / RUNS).as_posix()] = TypeAdapter(kind).validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
    return notes
