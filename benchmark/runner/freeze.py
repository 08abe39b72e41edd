"""The declaration: the task is written down before its first image, and a later change is noticed.

``<work folder>/frozen/<task id>-v<version>.json`` holds the resolved task and the time. All comparisons become
exploratory if the task changes after its first image in any key that can change a result, or drops a generator. A new
version of the task starts anew, with other seeds and other images. Generators may be added; the record names them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
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
        shared: Where others who work on the task find the declaration as well.
    """

    def __init__(self, workdir: Path, task: Task, shared: Place | None = None) -> None:
        own = f"-modified-{task.hash()[:8]}" if task.modified else ""
        self._name = f"frozen/{task.file.id}-v{task.file.version}{own}.json"
        self._path = workdir / self._name
        self._places: list[Place] = [Folder(workdir), *([] if shared is None else [shared])]
        self._noted = False
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
        at = frozen.at if frozen is not None and frozen.spec == self._spec else utc_now()
        if write:
            self._update(lambda other: other if other and other.spec == self._spec else _Frozen(self._spec, False, at))
            written = self._read()
            return at if written is None else written.at
        return at

    def images_made(self) -> None:
        """Notes that the task has an image: the declaration now stands, whatever the store still holds."""
        if not self._noted:
            self._update(lambda frozen: frozen and replace(frozen, images=True))
            self._noted = True

    def _update(self, change: Callable[[_Frozen | None], _Frozen | None]) -> None:
        """Changes what is written down, in every place; what another process writes meanwhile is changed again."""
        for place in self._places:
            while True:
                data = place.read(self._name)
                before = None if data is None else self._parsed(data)
                after = change(before)
                if after is None or after == before:
                    break
                new = json.dumps(asdict(after), indent=1, sort_keys=True).encode() + b"\n"
                if place.create(self._name, new) if data is None else place.replace(self._name, new, data):
                    break

    def _read(self) -> _Frozen | None:
        """What is written down: where places differ, what has images, then the earliest."""
        known = [self._parsed(data) for place in self._places if (data := place.read(self._name)) is not None]
        return min(known, key=lambda frozen: (not frozen.images, frozen.at), default=None)

    def _parsed(self, data: bytes) -> _Frozen:
        try:
            frozen = _Frozen(**json.loads(data))
            if not (isinstance(frozen.at, str) and isinstance(frozen.images, bool)):
                raise ValueError("'at' or 'images' is missing")
            _generators(frozen.spec)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{self._path}: cannot be read ({error})", hint="raise the task's version") from error
        return frozen


def _generators(spec: Mapping[str, Plain]) -> dict[str, Plain]:
    entries: Any = spec["generators"]
    return {str(entry["id"]): {key: value for key, value in entry.items() if key not in FREE} for entry in entries}
