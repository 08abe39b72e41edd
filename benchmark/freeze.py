"""The analysis is written down before the first picture is made, and a later change is seen.

``<work folder>/frozen/<task id>-v<version>.json`` holds the analysis block and when it was written. Whoever looks at
pictures and then changes how they are judged finds every comparison labelled exploratory; a new version of the task
starts anew, with other seeds and other pictures.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark.spec import Task
from benchmark.store import write_atomically
from rebeca.errors import StoreError


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is known about the declaration of a task's analysis.

    Attributes:
        frozen: Whether today's analysis was written down before the first picture.
        at: When it was written down, in UTC; None where it was not.
        why_not: One sentence where ``frozen`` is false.
    """

    frozen: bool
    at: str | None
    why_not: str = ""


class Freezer:
    """One task's declaration in a work folder."""

    def __init__(self, workdir: Path, task: Task) -> None:
        self._path = workdir / "frozen" / f"{task.file.id}-v{task.file.version}.json"
        raw = task.to_json()
        self._analysis: dict[str, Any] = {"analysis": raw["analysis"], "failures": raw["failures"]}

    def freeze(self) -> None:
        """Writes the analysis down, unless one is written down already. Called before a picture is made."""
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            text = json.dumps(self._analysis | {"at": now}, indent=1, sort_keys=True)
            write_atomically(self._path, text.encode() + b"\n")

    def declaration(self, pictures_exist: bool) -> Declaration:
        """What a record may say about the declaration.

        Args:
            pictures_exist: Whether a picture of the task is in the store.

        Raises:
            StoreError: If the file cannot be read.
        """
        if not self._path.exists():
            if pictures_exist:
                return Declaration(False, None, "pictures were there before an analysis was written down")
            return Declaration(True, None)
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            at = str(found.pop("at"))
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise StoreError(f"{self._path}: cannot be read ({error})", hint="raise the task's version") from error
        if found != self._analysis:
            return Declaration(False, at, f"the analysis was changed after pictures were made (declared {at})")
        return Declaration(True, at)
