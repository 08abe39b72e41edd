"""Synthetic data in the layout of a published data set."""

import pytest

from benchmark.dev.synthetic_data import MARK, write_synthetic
from rebeca.data.flickr_aes import IMAGES, TABLE
from rebeca.errors import StoreError


def rows(root):
    lines = (root / TABLE).read_text().splitlines()
    assert lines[0] == " worker, imagePair, score"
    return [[part.strip() for part in line.split(",")] for line in lines[1:]]


def test_each_user_rates_different_items(tmp_path):
    write_synthetic(tmp_path / "d", 4, 30, 12)
    ratings = rows(tmp_path / "d")
    assert len(ratings) == 4 * 12 and len({(user, item) for user, item, _ in ratings}) == 4 * 12
    assert {score for *_, score in ratings} <= set("12345") and len({score for *_, score in ratings}) > 2
    assert {item for _, item, _ in ratings} <= {path.name for path in (tmp_path / "d" / IMAGES).iterdir()}
    assert len(list((tmp_path / "d" / IMAGES).iterdir())) == 30


def test_a_seed_gives_the_same_files_again(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_synthetic(tmp_path / name, 3, 12, 5, seed)
    assert rows(tmp_path / "a") == rows(tmp_path / "b") != rows(tmp_path / "c")
    first = sorted((tmp_path / "a" / IMAGES).iterdir())[0].name
    same, other = ((tmp_path / name / IMAGES / first).read_bytes() for name in "bc")
    assert (tmp_path / "a" / IMAGES / first).read_bytes() == same != other


def test_only_its_own_folder_is_written_into(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(StoreError, match="holds something else"):
        write_synthetic(tmp_path / "mine", 2, 10, 4)
    write_synthetic(tmp_path / "d", 2, 10, 4)
    assert (tmp_path / "d" / MARK).is_file()
    write_synthetic(tmp_path / "d", 2, 10, 4)
