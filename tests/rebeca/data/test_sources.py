"""The project's own data sets as plug-ins."""

from fnmatch import fnmatchcase

import pytest

from rebeca.data.options import TableLayout
from rebeca.data.sources import FlickrAesData, FlickrAesParams, FolderData, FolderDataParams, SpritesData, TinyworldData
from rebeca.errors import SpecError
from rebeca.interfaces import DatasetContext
from tests.conftest import make_folder


def test_a_folder_is_read_as_declared(tmp_path):
    params = FolderDataParams(scale=(1, 7), title="Mine", licence="CC0", redistribute=True)
    data = FolderData(params, DatasetContext(make_folder(tmp_path, users=3, items=6))).read()
    assert (data.title, data.licence, data.redistribute, data.scale) == ("Mine", "CC0", True, (1, 7))
    assert data.ratings.num_users == 3


@pytest.mark.parametrize(
    ("kind", "params"), [(FolderData, FolderDataParams(scale=(1, 7))), (FlickrAesData, FlickrAesParams())]
)
def test_without_a_path_the_option_is_named(kind, params):
    with pytest.raises(SpecError, match=r"data\.path is not set") as raised:
        kind(params, DatasetContext()).read()
    assert "--set data.path=FOLDER" in raised.value.hint


def test_a_scale_must_rise():
    with pytest.raises(ValueError, match="7 is not below 1"):
        FolderDataParams(scale=(7, 1))


def test_worlds_are_drawn_to_size():
    tiny = TinyworldData(TinyworldData.Params(items=12, users=3), DatasetContext()).read()
    assert (len(tiny.catalogue), tiny.ratings.num_users) == (12, 3) and tiny.ground_truth is not None
    sprites = SpritesData(SpritesData.Params(), DatasetContext()).read()
    assert len(sprites.catalogue) > 0 and sprites.ground_truth is not None


def test_a_file_name_is_no_pattern():
    """A browser saves a second download as ``ratings[1].csv``; its changes must be noticed."""
    params = FolderDataParams(scale=(1, 7), ratings=TableLayout(file="ratings[1].csv"))
    (pattern,) = FolderData.rating_files(params)
    assert fnmatchcase("ratings[1].csv", pattern) and not fnmatchcase("ratings1.csv", pattern)
    assert "ratings.jsonl.gz" in FolderData.rating_files(FolderDataParams(scale=(1, 7)))
