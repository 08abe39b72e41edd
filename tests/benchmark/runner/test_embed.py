"""Embedding the catalogue: interrupted, resumed, cached."""

import json

import numpy as np
import pytest

from benchmark.runner import embed as module
from benchmark.runner.embed import FILE, PROGRESS, Encoders, embed, encode_catalogue, read_vectors
from rebeca.data.catalogue import ArraySource, Catalogue


class Grey:
    """Mean grey level, and how often it was asked."""

    dim = 1

    def __init__(self, fails_at=None):
        self.items, self.fails_at = [], fails_at

    def encode(self, images, items):
        if self.fails_at in items:
            raise KeyboardInterrupt
        self.items += items
        return np.array([[image.mean()] for image in images], np.float32)


@pytest.fixture
def catalogue(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 4)
    pixels = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((10, 2, 2, 3), np.uint8)
    return Catalogue(tuple(map(str, range(10))), ArraySource(pixels), np.zeros(10, np.int64))


def test_an_interruption_costs_one_chunk(catalogue, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        encode_catalogue(Grey(fails_at=9), catalogue, tmp_path)
    assert json.loads((tmp_path / PROGRESS).read_text()) == {"done": 8}
    encoder = Grey()
    path = encode_catalogue(encoder, catalogue, tmp_path)
    assert encoder.items == [8, 9]
    assert read_vectors(path)[:, 0].tolist() == list(range(10))


@pytest.mark.parametrize("damage", ["progress", "file", "shape"])
def test_what_is_damaged_begins_anew(catalogue, tmp_path, damage):
    with pytest.raises(KeyboardInterrupt):
        encode_catalogue(Grey(fails_at=9), catalogue, tmp_path)
    if damage == "progress":
        (tmp_path / PROGRESS).write_text("{")
    elif damage == "file":
        (tmp_path / FILE).write_bytes(b"no array")
    else:
        np.save(tmp_path / FILE, np.zeros((10, 2), np.float32))
    encoder = Grey()
    encode_catalogue(encoder, catalogue, tmp_path)
    assert encoder.items == list(range(10))


def test_large_files_stay_on_the_disk(tmp_path, monkeypatch):
    np.save(tmp_path / "small.npy", np.ones((2, 3), np.float32))
    assert not isinstance(read_vectors(tmp_path / "small.npy"), np.memmap)
    monkeypatch.setattr(module, "MAPPED_FROM", 1)
    vectors = read_vectors(tmp_path / "small.npy")
    assert isinstance(vectors, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        vectors[0] = 2


def test_the_catalogue_is_embedded_once(prepared, monkeypatch):
    monkeypatch.setattr(Encoders, "get", lambda self, role: pytest.fail("an encoder was built"))
    catalogue = prepared.world.dataset.catalogue
    encoders = prepared.materials.encoders
    vectors = embed("verifier", encoders, prepared.addresses.encoders["verifier"], catalogue, prepared.stages)
    assert np.array_equal(vectors, prepared.materials.embeddings["verifier"])
    assert vectors.shape[0] == len(catalogue) and vectors.dtype == np.float32


def test_encoders_that_learned_are_kept_and_the_others_released(prepared):
    world = prepared.world
    encoders = Encoders(prepared.addresses.encoders, world.dataset.catalogue, world.division.training_items, "cpu")
    learned, plain = encoders.get("task"), encoders.get("verifier")
    assert encoders.get("task") is learned and encoders.get("verifier") is plain
    encoders.release()
    assert encoders.get("task") is learned
    assert encoders.get("verifier") is not plain


def test_what_an_encoder_learns_does_not_hang_on_who_asks(prepared):
    world = prepared.world
    encoders = Encoders(prepared.addresses.encoders, world.dataset.catalogue, world.division.training_items, "cpu")
    pixels = [world.dataset.catalogue.pixels(i) for i in range(3)]
    vectors = encoders.get("task").encode(pixels, [0, 1, 2])
    np.testing.assert_allclose(vectors, prepared.materials.embeddings["task"][:3], atol=1e-6)
