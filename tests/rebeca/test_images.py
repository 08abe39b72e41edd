"""Images in any form become the same pixels, are read when they are needed, and are named when they are no images."""

import re
import threading
import weakref
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from rebeca.errors import DataError
from rebeca.images import LazyPixels, batches, read_images
from rebeca.pixels import decode_image

RGB = np.random.default_rng(0).integers(0, 256, (7, 5, 3)).astype(np.uint8)
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "I;16", "F")
IN_PNG = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


def encoded(image, kind="PNG", **options):
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def in_mode(pixels, mode):
    """An image of a mode, out of uint8 RGB."""
    image = Image.fromarray(pixels)
    if mode == "I;16":
        return Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
    return image.convert("L").convert(mode) if mode in ("I", "F") else image.convert(mode)


def test_a_path_an_image_and_an_array_are_the_same_pixels(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    path = tmp_path / "a.png"
    images = read_images([path, str(path), Image.open(path), Image.fromarray(RGB), RGB])
    assert images.names == (str(path), str(path), "images[2]", "images[3]", "images[4]")
    assert len(images) == 5
    for pixels in images:
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, RGB)
    assert [pixels.shape for pixels in images[1:3]] == [(7, 5, 3)] * 2 and images[-1].shape == (7, 5, 3)
    with pytest.raises(IndexError):
        images[5]


def test_images_that_were_read_in_are_taken_as_they_are():
    images = read_images([RGB])
    assert read_images(images) is images
    assert len(read_images([])) == 0
    assert len(read_images(iter([RGB, RGB]))) == 2
    np.testing.assert_array_equal(read_images(np.stack([RGB, RGB]))[1], RGB)


@given(arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3))), st.sampled_from(MODES))
def test_every_mode_of_pillow_becomes_what_its_file_shows(pixels, mode):
    image = in_mode(pixels, mode)
    before = (image.mode, dict(image.info), image.tobytes())
    (shown,) = read_images([image])
    assert shown.dtype == np.uint8 and shown.shape == pixels.shape
    assert (image.mode, dict(image.info), image.tobytes()) == before
    if mode == "RGB":
        np.testing.assert_array_equal(shown, pixels)
    if mode in IN_PNG:
        np.testing.assert_array_equal(shown, decode_image(encoded(image), "x"))


@given(arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3, 4]))))
def test_every_array_becomes_what_a_viewer_shows(array):
    (shown,) = read_images([array])
    if array.shape[2] == 3:
        np.testing.assert_array_equal(shown, array)
    elif array.shape[2] == 1:
        np.testing.assert_array_equal(shown, np.repeat(array, 3, axis=2))
        np.testing.assert_array_equal(read_images([array[:, :, 0]])[0], shown)
    else:
        np.testing.assert_array_equal(shown, decode_image(encoded(Image.fromarray(array)), "x"))
        solid = array[:, :, 3] == 255
        np.testing.assert_array_equal(shown[solid], array[solid][:, :3])
        assert (shown[array[:, :, 3] == 0] == 255).all()


def test_exif_turns_an_image_as_it_turns_its_file(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(RGB), exif=exif))
    images = read_images([tmp_path / "a.png", Image.open(tmp_path / "a.png")])
    assert images[0].shape == (5, 7, 3)
    np.testing.assert_array_equal(*images)


def test_a_transparent_value_counts_whether_or_not_the_image_was_opened(tmp_path):
    data = encoded(Image.fromarray(np.array([[10, 20]], np.uint8)), transparency=10)
    (tmp_path / "a.png").write_bytes(data)
    images = read_images([tmp_path / "a.png", Image.open(tmp_path / "a.png")])
    assert [pixels[0, :, 0].tolist() for pixels in images] == [[255, 20]] * 2
    assert images[1][0, 0, 0] == 255  # also the second time


# ------------------------------------------------------------------------------------------------------------- folders


def folder_of(path, names):
    for number, name in enumerate(names):
        Image.fromarray(np.full((2, 2, 3), number, np.uint8)).save(path / name)
    return path


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_folder_is_read_in_the_order_of_its_names(tmp_path, kind):
    folder_of(tmp_path, ["b.png", "10.png", "9.PNG", "a.jpg", ".hidden.png"])
    (tmp_path / "prompts.csv").write_text("not an image")
    (tmp_path / "below.png").mkdir()
    images = read_images(kind(tmp_path))
    assert images.names == ("10.png", "9.PNG", "a.jpg", "b.png")
    assert [int(pixels[0, 0, 0]) for pixels in images] == [1, 2, 3, 0]


def test_a_file_of_a_folder_that_is_damaged_is_named_when_it_is_read(tmp_path):
    folder_of(tmp_path, ["a.png"])
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    images = read_images(tmp_path)
    assert images[0].shape == (2, 2, 3)
    with pytest.raises(DataError, match=r"b\.png: not a readable image"):
        images[1]
    (tmp_path / "b.png").unlink()
    with pytest.raises(DataError, match=r"b\.png: cannot be read \(No such file"):
        images[1]


def test_a_truncated_image_that_was_only_opened_is_named():
    data = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)))
    images = read_images([RGB, Image.open(BytesIO(data[: len(data) // 2]))])
    with pytest.raises(DataError, match=r"images\[1\]: not a readable image"):
        images[1]


def test_an_image_whose_file_was_closed_is_named(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        pass
    with pytest.raises(DataError, match=r"images\[0\]: its file was closed before it was read"):
        read_images([image])[0]
    with Image.open(tmp_path / "a.png") as image:
        image.load()
    np.testing.assert_array_equal(read_images([image])[0], RGB)


# ------------------------------------------------------------------------------------------------------------ messages


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        (RGB, "images is a single image", r"\[image\]"),
        (RGB[:, :, 0], "images is a single image", r"\[image\]"),
        (Image.fromarray(RGB), "images is a single image", r"\[image\]"),
        (7, "images is a int", "a list of images"),
        (None, "images is a NoneType", "a list of images"),
        (
            [RGB, 7],
            r"images\[1\]: a int, expected a path, one of Pillow's images, or an array",
            "uint8 \\[height, width, 3\\]",
        ),
        ([RGB, None], r"images\[1\]: a NoneType", ""),
        ([RGB, RGB.tolist()], r"images\[1\]: a list", ""),
        ([RGB.astype(np.float32)], r"images\[0\]: an array of float32, expected uint8", r"255 \* array"),
        ([RGB > 9], r"images\[0\]: an array of bool", ""),
        ([RGB.astype(np.int64)], r"images\[0\]: an array of int64", ""),
        ([RGB.transpose(2, 0, 1)], r"images\[0\]: shape \[3, 7, 5\] is no image", "height, width, 3"),
        ([RGB[:, :, :2]], r"images\[0\]: shape \[7, 5, 2\] is no image", ""),
        ([RGB[None]], r"images\[0\]: shape \[1, 7, 5, 3\] is no image", ""),
        ([RGB[0, 0]], r"images\[0\]: shape \[3\] is no image", ""),
        ([RGB[:0]], r"images\[0\]: shape \[0, 5, 3\] is no image", ""),
        ([Image.new("RGB", (0, 4))], r"images\[0\]: shape \[4, 0\] is no image", ""),
        ([RGB, "no.png"], r"images\[1\]: no\.png: no such file", "files in a list"),
        ([RGB, "."], r"images\[1\]: \.: is a folder", "a folder is given alone"),
        ("no-folder", "no-folder: no such folder", "a list of paths"),
        (__file__, r"test_images\.py: is a file, expected a folder", r"\[path\]"),
    ],
)
def test_what_is_no_image_is_named_with_its_place_before_anything_is_read(source, message, hint):
    with pytest.raises(DataError, match=message) as error:
        read_images(source)
    assert re.search(hint, error.value.hint)


def test_a_folder_without_images_says_what_is_looked_for(tmp_path):
    (tmp_path / "user-1").mkdir()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match="holds no images") as error:
        read_images(tmp_path)
    assert "list of paths" in error.value.hint and ".webp" in error.value.hint


def test_an_image_of_too_many_pixels_is_named():
    huge = np.broadcast_to(np.uint8(0), (8_001, 8_000))
    with pytest.raises(DataError, match=r"images\[0\]: 8000 x 8001 pixels are too many"):
        read_images([huge])


def test_grey_values_without_a_range_are_named():
    with pytest.raises(DataError, match=r"images\[0\]: grey values from -3 to -3 have no known range"):
        read_images([Image.new("F", (2, 2), -3.0)])[0]


# ------------------------------------------------------------------------------------------------------------- batches


class Counted:
    """A sequence of arrays that counts how many were read, and how many are alive."""

    def __init__(self, count):
        self.count, self.reads, self.alive, self.most = count, 0, 0, 0
        self.lock = threading.Lock()

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        pixels = np.full((2, 2, 3), index, np.uint8)
        with self.lock:
            self.reads += 1
            self.alive += 1
            self.most = max(self.most, self.alive)
        weakref.finalize(pixels, self.free)
        return pixels

    def free(self):
        with self.lock:
            self.alive -= 1


@pytest.mark.parametrize(("count", "size"), [(0, 3), (1, 3), (3, 3), (7, 3), (5, 9)])
def test_batches_hold_all_images_in_order(count, size):
    parts = [[int(pixels[0, 0, 0]) for pixels in batch] for batch in batches(Counted(count), size)]
    assert [number for part in parts for number in part] == list(range(count))
    assert all(len(part) == size for part in parts[:-1])


def test_no_more_than_three_batches_are_in_memory():
    """The one that is used, the one before it until the loop moves on, and the one that is read ahead."""
    images = Counted(60)
    for number, _ in enumerate(batches(images, 4), start=1):
        assert images.reads <= 4 * (number + 1)
    assert images.reads == 60 and images.most <= 12


def test_an_error_while_reading_ahead_comes_out(tmp_path):
    folder_of(tmp_path, [f"{number}.png" for number in range(6)])
    (tmp_path / "4.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"4\.png: not a readable image"):
        for _ in batches(read_images(tmp_path), 2):
            pass


def test_one_image_that_stands_in_the_list_many_times_is_read_by_threads(tmp_path):
    """Pillow decodes an opened file at first use, which two threads must not do at once."""
    pixels = np.random.default_rng(1).integers(0, 256, (200, 200, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (batch,) = batches(read_images([Image.open(tmp_path / "a.png")] * 16), 16)
    assert all(np.array_equal(shown, pixels) for shown in batch)


def test_lazy_pixels_read_what_is_indexed():
    asked = []
    images = LazyPixels(lambda item: asked.append(item) or RGB + item, [5, 3, 9])
    assert len(images) == 3 and not asked
    np.testing.assert_array_equal(images[-1], RGB + 9)
    assert [pixels[0, 0, 0] for pixels in images[:2]] == [RGB[0, 0, 0] + 5, RGB[0, 0, 0] + 3]
    assert asked == [9, 5, 3]
    with pytest.raises(IndexError):
        images[3]
