"""The project's own data sets as plug-ins."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rebeca.data.dataset import Dataset
from rebeca.data.options import TABLE_ENDINGS, USUAL_LAYOUT, RatingRules, TableLayout
from rebeca.interfaces import CaptionFile, DatasetSource
from rebeca.references import FLICKR_AES
from rebeca.tinyworld.models import USERS_PARTS, weights_digest
from rebeca.tinyworld.world import TinyworldParams, make_tinyworld
from rebeca.worlds.sprites import SpritesParams, make_sprites


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderDataParams(RatingRules):
    """What a task declares about a folder data set, besides the rules of its ratings.

    Attributes:
        scale: Lowest and highest possible rating.
        title: Name for pages.
        licence: Terms, in one line.
        redistribute: Whether items may be copied into records and pages.
        ratings: Layout of the table of ratings.
        items: Layout of the list of items.
    """

    scale: tuple[float, float]
    title: str = ""
    licence: str = ""
    redistribute: bool = False
    ratings: TableLayout = USUAL_LAYOUT
    items: TableLayout = USUAL_LAYOUT

    def __post_init__(self) -> None:
        low, high = self.scale
        if not low < high:
            raise ValueError(f"scale: {low:g} is not below {high:g}")


class FolderData(DatasetSource[FolderDataParams]):
    """``kind: folder``: ratings.csv, items.csv and images, see docs/how-to/your-own-data.md."""

    Params = FolderDataParams

    @classmethod
    def item_files(cls, params: FolderDataParams) -> tuple[str, ...]:
        return *_names("items", params.items), "images.zip", "images/*"

    @classmethod
    def rating_files(cls, params: FolderDataParams) -> tuple[str, ...]:
        return _names("ratings", params.ratings)

    @classmethod
    def caption_file(cls, params: FolderDataParams, folder: Path) -> CaptionFile | None:
        from rebeca.data.folder import caption_file

        return caption_file(folder, params.items)

    def read(self) -> Dataset:
        from rebeca.data.folder import read_folder

        p = self.params
        return read_folder(
            self.context.folder,
            p.scale,
            title=p.title,
            licence=p.licence,
            redistribute=p.redistribute,
            ratings=p.ratings,
            items=p.items,
            rules=p,
        )


def _names(stem: str, layout: TableLayout) -> tuple[str, ...]:
    """Patterns of what the file of a table may be called."""
    return (glob.escape(layout.file),) if layout.file else tuple(f"{stem}{ending}" for ending in TABLE_ENDINGS)


@dataclass(frozen=True, slots=True)
class FlickrAesParams:
    """Parameters of a task file.

    Attributes:
        duplicates: What happens to an item that a user rated twice: ``refuse``, or the ``first`` rating counts.
    """

    duplicates: Literal["refuse", "first"] = "refuse"


class FlickrAesData(DatasetSource[FlickrAesParams]):
    """``kind: flickr-aes``: the published files, see docs/how-to/run-flickr-aes.md."""

    Params = FlickrAesParams
    references = (FLICKR_AES,)
    ITEM_FILES = ("FLICKR-AES_image_labeled_by_each_worker.csv", "40K/*")

    def read(self) -> Dataset:
        from rebeca.data.flickr_aes import read_flickr_aes

        return read_flickr_aes(self.context.folder, self.params.duplicates)


class SpritesData(DatasetSource[SpritesParams]):
    """``kind: sprites``: four shapes-and-colours and four tastes, see tasks/sprites.md."""

    Params = SpritesParams

    def read(self) -> Dataset:
        return make_sprites(self.params)


class TinyworldData(DatasetSource[TinyworldParams]):
    """``kind: tinyworld``: postcards and users with a known taste, see tasks/tinyworld.md."""

    Params = TinyworldParams

    @classmethod
    def fingerprint(cls, params: TinyworldParams) -> str:
        """The weights that users see with, since ratings depend on them."""
        return weights_digest(parts=USERS_PARTS)

    def read(self) -> Dataset:
        return make_tinyworld(self.params)
