"""Which artefacts each task uses: noted by every run, so that ``cache`` can tell what nothing needs any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from benchmark.disk import write_atomically
from benchmark.runner.addresses import Addresses
from benchmark.runner.notes import note_bytes, read_notes

FILE = "uses.json"
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class Uses:
    """What the last run of a task uses, present or not.

    Attributes:
        source: Its task file.
        device: Class of the torch device.
        artefacts: Keys of artefacts by stage.
    """

    source: str
    device: str
    artefacts: Mapping[str, tuple[Key, ...]]


def note_uses(folder: Path, source: Path, device: str, addresses: Addresses) -> None:
    """Writes what a task uses into the folder of its notes; an equal file stays as it is."""
    artefacts: dict[str, list[str]] = {}
    for address in addresses.artefacts():
        artefacts.setdefault(address.stage, []).append(address.key)
    uses = Uses(str(source), device, {stage: tuple(keys) for stage, keys in artefacts.items()})
    data, path = note_bytes(uses), folder / FILE
    if not (path.is_file() and path.read_bytes() == data):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)


def read_uses(root: Path) -> dict[str, Uses]:
    """What tasks use, by id and version such as ``sprites/v2``."""
    return read_notes(root, FILE, Uses)
