"""Pictures that exist already: ``DIR/<user>/<replicate>.png``.

Anybody who has generated pictures can be on a board today, whatever made them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rebeca.data.catalogue import decode_image
from rebeca.data.interactions import Interactions
from rebeca.errors import GeneratorError
from rebeca.interfaces import FitContext, GeneratedImage, Generator, Request

SUFFIXES = (".png", ".webp", ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class FolderParams:
    """Parameters of a task file.

    Attributes:
        path: The folder, relative to the task file; one folder a person, one file a replicate, counted from 0.
        content: SHA-256 over the files; filled in by the harness, so that changed pictures are read again.
        personal: Whether the pictures were made for the person whose folder they are in.
    """

    LOCATIONS: ClassVar[tuple[str, ...]] = ("path",)
    path: str = ""
    content: str = ""
    personal: bool = True


class Folder(Generator):
    """The generator; see the module's description."""

    Params = FolderParams

    def __init__(self, params: FolderParams | None = None) -> None:
        self.params = params or FolderParams()

    @property
    def fit_parameters(self) -> frozenset[str]:
        """What the files hold; where they lie changes nothing."""
        return frozenset({"content"})

    @property
    def claims_personal(self) -> bool:
        """As declared."""
        return self.params.personal

    def fit(self, train: Interactions, context: FitContext) -> None:
        """Nothing to learn; checks that the folder is there."""
        if not self.params.path or not Path(self.params.path).is_dir():
            raise GeneratorError(
                f"folder: '{self.params.path}' is no folder",
                hint="set params.path to DIR with DIR/<user>/<replicate>.png",
            )

    def save(self, folder: Path) -> None:
        """Nothing to write."""

    def load(self, folder: Path, context: FitContext) -> None:
        """Nothing to read."""

    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        """Reads one file a request; a missing file is a missing picture, which the harness counts and names."""
        root = Path(self.params.path).resolve()
        for request in requests:
            stem = root / request.user / str(request.replicate)
            if not stem.resolve().is_relative_to(root):
                raise GeneratorError(f"folder: user id '{request.user}' points outside {root}")
            files = (stem.with_name(stem.name + suffix) for suffix in SUFFIXES)
            found = next((file for file in files if file.is_file()), None)
            yield None if found is None else GeneratedImage(decode_image(found.read_bytes(), str(found)))
