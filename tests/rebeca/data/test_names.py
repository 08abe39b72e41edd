"""Entry points of the data sets."""

import pytest

from rebeca.data.names import FlickrAesData, FlickrAesParams, FolderData, FolderDataParams, SpritesData, TinyworldData
from rebeca.errors import SpecError
from tests.conftest import make_folder


def test_a_folder_is_read_as_declared(tmp_path):
    params = FolderDataParams((1, 7), title="Mine", licence="CC0", redistribute=True)
    data = FolderData.read(make_folder(tmp_path, users=3, items=6), params)
    assert (data.title, data.licence, data.redistribute, data.scale) == ("Mine", "CC0", True, (1, 7))
    assert data.ratings.num_users == 3


def test_without_a_path_the_option_is_named():
    for kind, params in ((FolderData, FolderDataParams((1, 7))), (FlickrAesData, FlickrAesParams())):
        with pytest.raises(SpecError, match=r"data\.path is not set") as raised:
            kind.read(None, params)
        assert "--set data.path=FOLDER" in raised.value.hint


def test_a_scale_must_rise(tmp_path):
    with pytest.raises(SpecError, match="7 is not below 1"):
        FolderData.read(make_folder(tmp_path), FolderDataParams((7, 1)))


def test_worlds_are_drawn_to_size():
    tiny = TinyworldData.read(None, TinyworldData.Params(items=12, users=3))
    assert (len(tiny.catalogue), tiny.ratings.num_users) == (12, 3) and tiny.ground_truth is not None
    sprites = SpritesData.read(None, SpritesData.Params())
    assert len(sprites.catalogue) > 0 and sprites.ground_truth is not None
