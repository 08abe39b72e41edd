"""The declaration: the task is written down before its first image, and a later change is noticed.

``<work folder>/frozen/<task id>-v<version>.json`` holds the resolved task and the time. All comparisons become
exploratory if the task changes after its first image in any key that can change a result, or drops a generator. A new
version of the task starts anew, with other seeds and other images. Generators may be added; the record names them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.records.files import utc_now
from benchmark.runner.places import Folder, Place
from benchmark.task.resolved import Task
from rebeca.arrays import Plain
from rebeca.errors import StoreError

FREE = ("schema", "title")
"""Keys of a task and of a generator that change no result."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """The state of a task's declaration.

    Attributes:
        frozen: Whether the task as it is now was written down before the first image.
        at: When it was written down, in UTC; None where it was not.
        why_not: The reason where ``frozen`` is false.
        added: Generators that were added after the first image.
    """

    frozen: bool
    at: str | None
    why_not: str = ""
    added: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Frozen:
    """The file: the task, whether it has an image, and when it was written down."""

    spec: Mapping[str, Plain]
    images: bool
    at: str


class Freezer:
    """One task's declaration in a work folder; a modified task has one of its own.

    Args:
        workdir: The work folder.
        task: The task.
        place: Where the declaration lies, for all who work on the task; the work folder by default.
    """

    def __init__(self, workdir: Path, task: Task, place: Place | None = None) -> None:
        own = f"-modified-{task.hash()[:8]}" if task.modified else ""
        self._place, self._name = place or Folder(workdir), f"frozen/{task.file.id}-v{task.file.version}{own}.json"
        self._path = workdir / self._name
        self._spec: Mapping[str, Plain] = {key: value for key, value in task.to_json().items() if key not in FREE}

    def declare(self, images_exist: bool, write: bool = True) -> Declaration:
        """Writes the task down before its first image; afterwards compares it with what was written down.

        Args:
            images_exist: Whether an image of the task is in the store.
            write: Whether to write; otherwise this only says what the declaration would be.

        Raises:
            StoreError: If the file cannot be read.
        """
        frozen = self._read()
        if not images_exist and (frozen is None or not frozen.images):
            return Declaration(True, self._declared(frozen, write))
        if frozen is None:
            return Declaration(False, None, "images existed before the task was written down")
        before, now = _generators(frozen.spec), _generators(self._spec)
        changed = sorted(key for key in self._spec if key != "generators" and frozen.spec.get(key) != self._spec[key])
        dropped = [name for name, entry in before.items() if now.get(name) != entry]
        if dropped:
            changed.append(f"generators ({', '.join(dropped)})")
        if changed:
            what = ", ".join(changed)
            return Declaration(False, frozen.at, f"changed after the first image (declared {frozen.at}): {what}")
        return Declaration(True, frozen.at, added=tuple(name for name in now if name not in before))

    def _declared(self, frozen: _Frozen | None, write: bool) -> str:
        """When the task was written down as it is now: an equal declaration stays, another one is replaced."""
        if frozen is not None and frozen.spec == self._spec:
            return frozen.at
        new = _Frozen(self._spec, False, utc_now())
        if write and (frozen is not None or not self._place.create(self._name, _bytes(new))):
            present = self._read()  # another process may have been the first
            if present is not None and present.spec == self._spec:
                return present.at
            self._place.write(self._name, _bytes(new))
        return new.at

    def images_made(self) -> None:
        """Notes that the task has an image: the declaration now stands, whatever the store still holds."""
        frozen = self._read()
        if frozen is not None and not frozen.images:
            self._place.write(self._name, _bytes(replace(frozen, images=True)))

    def _read(self) -> _Frozen | None:
        try:
            data = self._place.read(self._name)
            if data is None:
                return None
            frozen = _Frozen(**json.loads(data))
            if not (isinstance(frozen.at, str) and isinstance(frozen.images, bool)):
                raise ValueError("'at' or 'images' is missing")
            _generators(frozen.spec)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{self._path}: cannot be read ({error})", hint="raise the task's version") from error
        return frozen


def _bytes(frozen: _Frozen) -> bytes:
    return json.dumps(asdict(frozen), indent=1, sort_keys=True).encode() + b"\n"


def _generators(spec: Mapping[str, Plain]) -> dict[str, Plain]:
    entries: Any = spec["generators"]
    return {str(entry["id"]): {key: value for key, value in entry.items() if key not in FREE} for entry in entries}
