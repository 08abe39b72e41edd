"""Images in Parquet files: every pixel survives, the same images give the same bytes, hostile files are refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmark.records.gallery import (
    IMAGES,
    PACKED,
    check_packed,
    decode_packed,
    encode_lossless,
    pack_images,
    unpack,
)
from benchmark.records.schema import ShownImage
from rebeca.errors import RecordError
from rebeca.pixels import decode_image, pixels_digest
from tests.e2e.test_malformed import png

RANDOM = np.random.default_rng(0)
PIXELS = [RANDOM.integers(0, 256, (9, 7, 3), dtype=np.uint8) for _ in range(3)]


def shown(*pixels):
    return [ShownImage(user=f"u{i}", replicate=0, digest=pixels_digest(p)) for i, p in enumerate(pixels)]


def packed(folder, *pixels):
    by_digest = {pixels_digest(p): p for p in pixels}
    images = shown(*pixels)
    pack_images(folder, images, by_digest.__getitem__)
    return images


def check(folder, images):
    check_packed(folder, IMAGES, [(image.user, image.replicate, image.digest) for image in images])


@settings(deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3))))
def test_every_pixel_survives(pixels):
    data = encode_lossless(pixels)
    assert data[8:12] == b"WEBP"
    assert np.array_equal(decode_image(data, "x"), pixels)
    assert encode_lossless(pixels) == data


def test_an_image_too_long_for_webp_survives_as_well():
    pixels = RANDOM.integers(0, 256, (1, 17_000, 3), dtype=np.uint8)
    assert np.array_equal(decode_image(encode_lossless(pixels), "x"), pixels)


def test_packing_is_reversed_by_unpacking(tmp_path):
    images = packed(tmp_path, *PIXELS)
    files = unpack(tmp_path, IMAGES)
    assert list(files) == [image.digest for image in images]
    for image, pixels in zip(images, PIXELS, strict=True):
        assert np.array_equal(decode_packed(tmp_path, image.digest, files[image.digest]), pixels)
    check(tmp_path, images)
    columns = pd.read_parquet(tmp_path / PACKED)
    assert columns.columns.tolist() == ["user", "replicate", "digest", "image"]
    assert columns["user"].tolist() == ["u0", "u1", "u2"]


def test_the_same_images_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        packed(tmp_path / name, *PIXELS)
    assert (tmp_path / "a" / PACKED).read_bytes() == (tmp_path / "b" / PACKED).read_bytes()


def test_an_image_that_occurs_again_has_no_bytes_of_its_own(tmp_path):
    images = packed(tmp_path, PIXELS[0], PIXELS[1], PIXELS[0])
    assert pd.read_parquet(tmp_path / PACKED)["image"].map(len).gt(0).tolist() == [True, True, False]
    check(tmp_path, images)


def test_no_images_are_packed_and_unpacked(tmp_path):
    assert packed(tmp_path) == [] and unpack(tmp_path, IMAGES) == {}
    check(tmp_path, [])
    assert unpack(tmp_path / "nowhere", IMAGES) == {}


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"no image", "not a readable"),
        (encode_lossless(PIXELS[2]), "is another image"),
        (png(60_000, 60_000), "too many pixels"),
        (png(9000, 9000), "are too many"),
        (b"", "has its bytes twice, or none"),
    ],
)
def test_hostile_images_are_refused(tmp_path, image, message):
    images = packed(tmp_path, *PIXELS[:2])
    table = pd.read_parquet(tmp_path / PACKED)
    table.at[0, "image"] = image
    table.to_parquet(tmp_path / PACKED, index=False)
    with pytest.raises(RecordError, match=message):
        check(tmp_path, images)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.write_bytes(b"PAR1"), "cannot be read"),
        (lambda path: pd.DataFrame({"image": [b""]}).to_parquet(path), "expected"),
        (lambda path: path.unlink(), "cannot be read"),
    ],
)
def test_hostile_files_are_refused(tmp_path, change, message):
    images = packed(tmp_path, *PIXELS)
    change(tmp_path / PACKED)
    with pytest.raises(RecordError, match=message):
        check(tmp_path, images)


def test_a_file_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    packed(tmp_path, *PIXELS)
    monkeypatch.setattr("benchmark.records.gallery.MOST_PACKED_BYTES", 100)
    with pytest.raises(RecordError, match="bytes unpacked are too many"):
        unpack(tmp_path, IMAGES)
