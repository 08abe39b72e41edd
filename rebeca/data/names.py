"""Entry points of the project's own data sets: each has ``Params`` and reads a :class:`rebeca.data.dataset.Dataset`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rebeca.errors import SpecError
from rebeca.tinyworld.world import TinyworldParams, make_tinyworld
from rebeca.worlds.sprites import SpritesParams, make_sprites

if TYPE_CHECKING:
    from rebeca.data.dataset import Dataset


@dataclass(frozen=True, slots=True)
class FolderDataParams:
    """What a task declares about a folder data set.

    Attributes:
        scale: Lowest and highest possible rating.
        title: Name for readers.
        licence: Terms, in one line.
        redistribute: Whether pictures may be copied into records and pages.
    """

    scale: tuple[float, float]
    title: str = ""
    licence: str = ""
    redistribute: bool = False


class FolderData:
    """``kind: folder``."""

    Params = FolderDataParams

    @staticmethod
    def read(path: Path | None, params: FolderDataParams) -> Dataset:
        """Reads the folder that the task names."""
        from rebeca.data.folder import read_folder

        if path is None:
            raise SpecError(
                "data.path is not set", hint="name the folder in the task file, or with --set data.path=FOLDER"
            )
        low, high = params.scale
        if not low < high:
            raise SpecError(f"data.params.scale: {low:g} is not below {high:g}")
        return read_folder(path, params.scale, params.title, params.licence, params.redistribute)


@dataclass(frozen=True, slots=True)
class FlickrAesParams:
    """Parameters of a task file.

    Attributes:
        duplicates: What becomes of a picture that a person rated twice: ``refuse``, or the ``first`` rating counts.
    """

    duplicates: Literal["refuse", "first"] = "refuse"


class FlickrAesData:
    """``kind: flickr-aes``."""

    Params = FlickrAesParams

    @staticmethod
    def read(path: Path | None, params: FlickrAesParams) -> Dataset:
        """Reads the published files from the folder that the task names."""
        from rebeca.data.flickr_aes import read_flickr_aes

        if path is None:
            raise SpecError("data.path is not set", hint="name the folder with --set data.path=FOLDER")
        return read_flickr_aes(path, params.duplicates)


class SpritesData:
    """``kind: sprites``."""

    Params = SpritesParams

    @staticmethod
    def read(path: Path | None, params: SpritesParams) -> Dataset:
        """Draws the world."""
        return make_sprites(params)


class TinyworldData:
    """``kind: tinyworld``."""

    Params = TinyworldParams

    @staticmethod
    def read(path: Path | None, params: TinyworldParams) -> Dataset:
        """Draws the world."""
        return make_tinyworld(params)
