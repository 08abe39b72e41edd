"""Images that exist already: ``DIR/<user>/<replicate>.png``.

So any program's images can be compared on a leaderboard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rebeca.data.interactions import Interactions
from rebeca.errors import PluginError
from rebeca.interfaces import GeneratedImage, Generator, Request
from rebeca.pixels import DECODING, decode_image

SUFFIXES = (".png", ".webp", ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class FolderParams:
    """Parameters of a task file.

    Attributes:
        path: The folder, relative to the task file; one folder per user, one file per replicate, counted from 0.
        content: SHA-256 over the files; filled in by the harness, so that changed images are read again.
        personal: Whether the images were generated for the user whose folder they are in.
    """

    LOCATIONS: ClassVar[tuple[str, ...]] = ("path",)
    CONTENTS: ClassVar[Mapping[str, str]] = {"content": "path"}
    path: str = ""
    content: str = ""
    personal: bool = True


class Folder(Generator[FolderParams]):
    Params = FolderParams

    @classmethod
    def fit_parameters(cls, params: FolderParams) -> frozenset[str]:
        """The contents of the files, but not their folder."""
        return frozenset({"content"})

    @classmethod
    def fingerprint(cls, params: FolderParams) -> str:
        """Changes when the same files could give other pixels."""
        return f"decoding {DECODING}"

    @classmethod
    def decodes_in(cls, params: FolderParams) -> frozenset[str]:
        """Nowhere: its images exist."""
        return frozenset()

    @classmethod
    def claims_personal(cls, params: FolderParams) -> bool:
        return params.personal

    def fit(self, train: Interactions) -> None:
        """Checks that the folder exists; there is nothing to learn."""
        if not self.params.path or not Path(self.params.path).is_dir():
            raise PluginError(
                f"'{self.params.path}' is no folder",
                hint="set params.path to DIR with DIR/<user>/<replicate>.png",
            )

    def save(self, folder: Path) -> None:
        """Nothing to write."""

    def load(self, folder: Path) -> None:
        """Nothing to read."""

    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        """Reads one file per request; a missing file is a missing image, which the harness counts and names."""
        root = Path(self.params.path).resolve()
        for request in requests:
            stem = root / request.user / str(request.replicate)
            if not stem.resolve().is_relative_to(root):
                raise PluginError(f"user id '{request.user}' points outside {root}")
            files = (stem.with_name(stem.name + suffix) for suffix in SUFFIXES)
            file = next((file for file in files if file.is_file()), None)
            yield None if file is None else GeneratedImage(decode_image(file.read_bytes(), str(file)))
