"""What decides is written down before the first picture is made, and a later change is seen.

``<work folder>/frozen/<task id>-v<version>.json`` holds the resolved task as it was then, and when that was. Whoever
looks at pictures and then changes how, by whom or on what they are judged, or drops a generator, finds every comparison
labelled exploratory; a new version of the task starts anew, with other seeds and other pictures. Generators may be
added, and are named as added.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark.disk import write_atomically
from benchmark.task.resolve import Task
from rebeca.errors import StoreError

FREE = ("schema", "title")
"""Keys of a task that decide nothing."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is known about the declaration of a task.

    Attributes:
        frozen: Whether today's task was written down before the first picture.
        at: When it was written down, in UTC; None where it was not.
        why_not: One sentence where ``frozen`` is false.
        added: Generators that came after the first picture.
    """

    frozen: bool
    at: str | None
    why_not: str = ""
    added: tuple[str, ...] = ()


class Freezer:
    """One task's declaration in a work folder; a modified task has one of its own."""

    def __init__(self, workdir: Path, task: Task) -> None:
        own = f"-modified-{task.hash()[:8]}" if task.modified else ""
        self._path = workdir / "frozen" / f"{task.file.id}-v{task.file.version}{own}.json"
        self._spec: dict[str, Any] = {key: value for key, value in task.to_json().items() if key not in FREE}

    def declare(self, pictures_exist: bool) -> Declaration:
        """Writes the task down where no picture was made yet; otherwise says whether it is what was written down.

        Args:
            pictures_exist: Whether a picture of the task is in the store.

        Raises:
            StoreError: If the file cannot be read.
        """
        found = self._read() if self._path.exists() else None
        if not pictures_exist and (found is None or not found["pictures"]):
            at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self._write(self._spec, False, at)
            return Declaration(True, at)
        if found is None:
            return Declaration(False, None, "pictures were there before the task was written down")
        changed = sorted(key for key in self._spec if key != "generators" and found["spec"].get(key) != self._spec[key])
        dropped = [one["id"] for one in found["spec"]["generators"] if one not in self._spec["generators"]]
        if dropped:
            changed.append(f"generators ({', '.join(dropped)})")
        if changed:
            what = ", ".join(changed)
            return Declaration(False, found["at"], f"changed after pictures were made (declared {found['at']}): {what}")
        before = {one["id"] for one in found["spec"]["generators"]}
        added = tuple(one["id"] for one in self._spec["generators"] if one["id"] not in before)
        return Declaration(True, found["at"], added=added)

    def kept(self) -> None:
        """Marks that a picture was kept: from now on a change is a change of mind, whatever the store still holds."""
        found = self._read() if self._path.exists() else None
        if found is not None and not found["pictures"]:
            self._write(found["spec"], True, found["at"])

    def _write(self, spec: dict[str, Any], pictures: bool, at: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"spec": spec, "pictures": pictures, "at": at}, indent=1, sort_keys=True)
        write_atomically(self._path, text.encode() + b"\n")

    def _read(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._path.read_text(encoding="utf-8"))
            if not (isinstance(found["at"], str) and isinstance(found["pictures"], bool)):
                raise ValueError("no time, or no word about pictures")
            if not isinstance(found["spec"], dict) or not all("id" in one for one in found["spec"]["generators"]):
                raise ValueError("no task")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{self._path}: cannot be read ({error})", hint="raise the task's version") from error
        return found
