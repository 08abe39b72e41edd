"""Data sets from arrays and files, and blocks of users who rated the same items."""

import numpy as np
import pytest
from PIL import Image

from rebeca import DataError, Dataset
from rebeca.data.dataset import find_blocks, no_data
from rebeca.data.folder import read_folder
from tests.builders import interactions

SCALE = (1.0, 7.0)


def test_blocks_are_found_from_the_ratings():
    ratings = interactions([0, 0, 1, 2, 2], [0, 1, 1, 2, 3], [1] * 5, items=5)
    users, items = find_blocks(ratings)
    assert users.tolist() == [0, 0, 1]
    assert items[:4].tolist() == [0, 0, 1, 1]
    assert items[4] not in (0, 1)


TWO_BLOCKS = interactions([0, 0, 1], [0, 1, 2], [5, 1, 5])


def test_arrays_and_files_give_the_same_data(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
    files, captions = [f"{i}.png" for i in range(3)], ("a cat", "a dog", "an owl")
    arrays = Dataset.in_memory("Pets", pixels, TWO_BLOCKS, SCALE, captions=captions)
    on_disk = Dataset.from_files("Pets", tmp_path, files, TWO_BLOCKS, SCALE, captions=captions)
    assert arrays.fingerprint() == on_disk.fingerprint()
    assert arrays.block_of_user.tolist() == on_disk.block_of_user.tolist() == [0, 1]
    assert arrays.catalogue.captions == on_disk.catalogue.captions == captions


def test_files_are_read_when_they_are_needed(tmp_path):
    data = Dataset.from_files("Pets", tmp_path, ["1.png", "2.png", "3.png"], TWO_BLOCKS, SCALE)
    with pytest.raises(DataError, match=r"2\.png: the image is listed but missing"):
        data.catalogue.pixels(1)


@pytest.mark.parametrize(
    ("files", "captions", "message"),
    [(2, (), "pixels of 2 items, ratings of 3"), (3, ("a cat",), "captions of 1 items, ratings of 3")],
)
def test_items_without_image_or_caption_are_refused(tmp_path, files, captions, message):
    with pytest.raises(ValueError, match=message):
        Dataset.from_files("Pets", tmp_path, ["a.png"] * files, TWO_BLOCKS, SCALE, captions=captions)
    with pytest.raises(ValueError, match=message):
        Dataset.in_memory("Pets", np.zeros((files, 8, 8, 3), np.uint8), TWO_BLOCKS, SCALE, captions=captions)


def test_all_candidates_are_the_items_of_the_users_block():
    data = Dataset.in_memory("Pets", np.zeros((3, 8, 8, 3), np.uint8), TWO_BLOCKS, SCALE)
    assert [data.all_candidates().of(user).tolist() for user in (0, 1)] == [[0, 1], [2]]
    assert no_data().all_candidates().of_block.shape == (1, 0)


def test_oasis_has_four_blocks(shared):
    data = read_folder(shared / "data" / "oasis", SCALE)
    assert (data.ratings.num_users, data.ratings.num_items, len(data.ratings)) == (757, 414, 79_606)
    assert sorted(np.bincount(data.block_of_user).tolist()) == [104, 140, 145, 368]
    assert sorted(np.bincount(data.catalogue.block).tolist()) == [98, 98, 108, 110]
