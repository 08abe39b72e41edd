"""Embeddings that were computed elsewhere."""

import numpy as np
import pytest

from rebeca.encoders.precomputed import Precomputed, PrecomputedParams, read_embeddings
from rebeca.errors import DataError
from tests.builders import encoder, noise_images

IMAGES = noise_images()


def test_precomputed(tmp_path):
    table = np.random.default_rng(0).normal(size=(12, 5))
    np.save(tmp_path / "e.npy", table)
    known = encoder(f"precomputed:{tmp_path / 'e.npy'}")
    np.testing.assert_allclose(known.encode(IMAGES[:2], [3, 1]), table[[3, 1]].astype(np.float32))
    with pytest.raises(DataError, match="items of the data set only"):
        known.encode(IMAGES[:1], [None])
    table[4, 0] = np.nan
    np.save(tmp_path / "e.npy", table)
    with pytest.raises(DataError, match="row 4"):
        encoder(f"precomputed:{tmp_path / 'e.npy'}").encode(IMAGES[:1], [0])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones(12), r"expected floats \[items, dim\], found float64 \[12\]"),
        (np.ones((12, 2), int), "expected floats"),
        (np.full((12, 2), 1e300), "row 0 holds a number that is not finite"),
    ],
)
def test_arrays_of_another_kind_are_refused(tmp_path, array, message):
    np.save(tmp_path / "e.npy", array)
    with pytest.raises(DataError, match=message):
        read_embeddings(tmp_path / "e.npy")


def test_files_that_are_none_are_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_embeddings(tmp_path / "e.npy")
    (tmp_path / "e.npy").write_bytes(b"x")
    with pytest.raises(DataError, match="not a NumPy array file"):
        read_embeddings(tmp_path / "e.npy")
    with (tmp_path / "e.npy").open("wb") as stream:
        np.savez(stream, a=np.ones((12, 2)))
    with pytest.raises(DataError, match="an archive of arrays"):
        read_embeddings(tmp_path / "e.npy")


def test_the_file_is_the_fingerprint_and_rows_must_reach(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, 2)))
    np.save(tmp_path / "b.npy", np.ones((3, 2)))
    np.save(tmp_path / "c.npy", np.zeros((3, 2)))
    a, b, c = (Precomputed.fingerprint(PrecomputedParams(str(tmp_path / f"{name}.npy"))) for name in "abc")
    assert a == b != c
    known = encoder(f"precomputed:{tmp_path / 'a.npy'}")
    assert known.dim == 2
    with pytest.raises(DataError, match="3 rows, but the catalogue has an item 3"):
        known.encode(IMAGES[:1], [3])
