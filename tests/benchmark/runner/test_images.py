"""Answers of generators: checked, written, and read again."""

import numpy as np
import pytest

from benchmark.runner.images import (
    PixelCache,
    check,
    read_batches,
    read_embeddings,
    read_unit,
    write_batch,
    write_unit,
)
from rebeca.arrays import Pixels
from rebeca.data.catalogue import ArraySource, Catalogue
from rebeca.errors import PluginError
from rebeca.interfaces import GeneratedImage, Request
from rebeca.pixels import decode_image

REQUESTS = [Request(user, k, 10 * u + k) for u, user in enumerate(("a", "b")) for k in range(2)]


def noise(seed) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (8, 6, 3), np.uint8)


@pytest.fixture
def catalogue():
    return Catalogue(("i0", "i1"), ArraySource(np.stack([noise(100), noise(101)])), np.zeros(2, np.int64))


def test_images_are_written_and_read_again(tmp_path, catalogue):
    answers = [
        GeneratedImage(noise(0), embedding=np.array([1.0, 2.0], np.float32)),
        None,
        GeneratedImage(noise(101), item=1),
        GeneratedImage(noise(0)),
    ]
    write_unit(tmp_path, iter(answers), REQUESTS, catalogue, "mine")
    rows = read_unit(tmp_path)
    assert [(row.user, row.replicate, row.seed) for row in rows] == [(r.user, r.replicate, r.seed) for r in REQUESTS]
    assert [row.failure for row in rows] == ["", "missing", "", ""]
    assert [row.item for row in rows] == [-1, -1, 1, -1]
    (file,) = tmp_path.glob("*.png")  # equal images once, items of the data set not at all
    assert file.stem == rows[0].digest == rows[3].digest
    assert np.array_equal(decode_image(file.read_bytes(), "x"), noise(0))
    embeddings = read_embeddings([tmp_path])
    assert embeddings[0].tolist() == [1.0, 2.0]
    assert np.isnan(embeddings[1:]).all()


def test_an_array_that_a_generator_uses_again_is_copied(tmp_path, catalogue):
    def answers():
        pixels = noise(0)
        for seed in range(4):
            pixels[:] = noise(seed)
            yield GeneratedImage(pixels)

    write_unit(tmp_path, answers(), REQUESTS, catalogue, "mine")
    for seed, row in enumerate(read_unit(tmp_path)):
        assert np.array_equal(decode_image((tmp_path / f"{row.digest}.png").read_bytes(), "x"), noise(seed))


def test_embeddings_of_unequal_length_are_refused(tmp_path, catalogue):
    answers = iter(GeneratedImage(noise(k), embedding=np.zeros(3 + k % 2)) for k in range(len(REQUESTS)))
    with pytest.raises(PluginError, match="generator 'mine' returned embeddings of 3 and of 4 numbers"):
        write_unit(tmp_path, answers, REQUESTS, catalogue, "mine")


@pytest.mark.parametrize(("count", "said"), [(3, "answered 3 of 4 requests"), (5, "answered more than 4 requests")])
def test_too_few_and_too_many_answers(tmp_path, catalogue, count, said):
    answers = (GeneratedImage(noise(seed)) for seed in range(count))
    with pytest.raises(PluginError, match=said):
        write_unit(tmp_path, answers, REQUESTS, catalogue, "mine")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("text", "expected a GeneratedImage, got str"),
        (GeneratedImage(noise(0)[..., 0]), r"expected uint8 RGB \[height, width, 3\], got uint8 \[8, 6\]"),
        (GeneratedImage(noise(0) / 255), "got float64"),
        (GeneratedImage(noise(0)[:0]), "6 x 0 pixels"),
        (GeneratedImage(noise(0), item=2), "no item 2"),
        (GeneratedImage(noise(0), item=-1), "no item -1"),
        (GeneratedImage(noise(0), item="x"), "expected the index of an item, got 'x'"),
        (GeneratedImage(noise(0), embedding=[0.5]), r"expected a float embedding \[dim\], got list"),
        (GeneratedImage(noise(0), embedding=np.array(["a"])), "got <U1"),
        (GeneratedImage(noise(0), embedding=np.zeros((1, 4))), r"got float64 \[1, 4\]"),
        (GeneratedImage(noise(0), embedding=np.array([np.nan])), "not finite"),
    ],
)
def test_what_is_no_image_is_named(catalogue, answer, said):
    with pytest.raises(PluginError, match=f"generator 'mine', user 'a', image 0: .*{said}"):
        check(answer, REQUESTS[0], catalogue, "mine")


NIGHT = np.zeros((64, 64, 3), np.uint8)
NIGHT[9, 17] = 255
RED = np.zeros((64, 64, 3), np.uint8) + np.array([255, 0, 0], np.uint8)


@pytest.mark.parametrize(
    ("pixels", "failure"),
    [
        (NIGHT, ""),
        (RED, "blank"),
        (RED + np.arange(64, dtype=np.uint8)[:, None, None] % 3 * np.array([0, 1, 0], np.uint8), "blank"),
        (RED + np.arange(64, dtype=np.uint8)[:, None, None] % 4 * np.array([0, 1, 0], np.uint8), ""),
    ],
)
def test_one_star_is_an_image_and_plain_red_is_none(pixels, failure):
    """An image is blank if no channel spans more than two levels, whatever the channels' difference."""
    catalogue = Catalogue(("i0",), ArraySource(RED[None]), np.zeros(1, np.int64))
    assert check(GeneratedImage(pixels), REQUESTS[0], catalogue, "mine").failure == failure


def test_blank_images_are_failures_and_blank_items_are_not():
    blank = np.full((8, 6, 3), 7, np.uint8)
    catalogue = Catalogue(("i0",), ArraySource(blank[None]), np.zeros(1, np.int64))
    assert check(GeneratedImage(blank), REQUESTS[0], catalogue, "mine").failure == "blank"
    assert check(GeneratedImage(blank, item=0), REQUESTS[0], catalogue, "mine").failure == ""


def test_embeddings_of_units_without_any_are_unknown(tmp_path, catalogue):
    for name, embedding in (("a", np.ones(3, np.float32)), ("b", None)):
        (tmp_path / name).mkdir()
        write_unit(
            tmp_path / name, (GeneratedImage(noise(s), embedding) for s in range(4)), REQUESTS, catalogue, "mine"
        )
    embeddings = read_embeddings([tmp_path / "a", tmp_path / "b"])
    assert embeddings.shape == (8, 3)
    assert np.isfinite(embeddings[:4]).all() and np.isnan(embeddings[4:]).all()


def test_batches(tmp_path):
    for name, batch in (("a", 8), ("b", 4), ("c", 8)):
        (tmp_path / name).mkdir()
        write_batch(tmp_path / name, batch)
    (tmp_path / "d").mkdir()
    assert read_batches([tmp_path / name for name in "abcd"]) == [4, 8]


def test_pixels_are_read_once_while_there_is_room():
    read = []

    def pixels(digest):
        read.append(digest)
        return noise(int(digest))

    cache = PixelCache(pixels, most=2 * noise(0).nbytes)
    for digest in "0120":
        assert np.array_equal(cache.get(digest), noise(int(digest)))
    assert cache.get("2") is not None
    assert read == ["0", "1", "2", "2"]
