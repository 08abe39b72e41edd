"""Image files become pixels or one message, and equal pixels have equal digests."""

import hashlib
import struct
import warnings
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, features

from rebeca import pixels as limits
from rebeca.errors import DataError
from rebeca.pixels import decode_image, pixels_digest

SIDES = st.integers(1, 9)
IMAGES = st.tuples(SIDES, SIDES).flatmap(lambda size: arrays(np.uint8, (*size, 3)))
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", *(("AVIF",) if features.check("avif") else ()))


def encoded(image, kind="PNG", **options):
    stream = BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(stream, kind, **options)
    return stream.getvalue()


def png_of_size(width, height):
    """A PNG whose header promises a size and whose pixels are missing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


SAMPLE = np.random.default_rng(0).integers(0, 256, (7, 5, 3)).astype(np.uint8)


@given(IMAGES, st.sampled_from(["PNG", "BMP", "TIFF"]))
def test_lossless_files_give_their_pixels_back(image, kind):
    decoded = decode_image(encoded(image, kind), "x")
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, image)


def paletted(mode, alpha=None):
    image = Image.new("P", (3, 2), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    if mode == "PA":
        image = image.convert("PA")
        image.putalpha(alpha)
    return image


MODES = {
    "1": (Image.new("1", (3, 2), 1), (255, 255, 255)),
    "L": (Image.new("L", (3, 2), 77), (77, 77, 77)),
    "LA": (Image.new("LA", (3, 2), (40, 127)), (148, 148, 148)),
    "La": (Image.new("La", (3, 2), (20, 127)), (148, 148, 148)),
    "P": (paletted("P"), (10, 20, 30)),
    "PA": (paletted("PA", 255), (10, 20, 30)),
    "PA, transparent": (paletted("PA", 0), (255, 255, 255)),
    "RGB": (Image.new("RGB", (3, 2), (10, 20, 30)), (10, 20, 30)),
    "RGBA": (Image.new("RGBA", (3, 2), (10, 20, 30, 255)), (10, 20, 30)),
    "RGBA, transparent": (Image.new("RGBA", (3, 2), (10, 20, 30, 0)), (255, 255, 255)),
    "RGBA, half": (Image.new("RGBA", (3, 2), (200, 100, 50, 128)), (227, 177, 152)),
    "RGBa, half": (Image.new("RGBA", (3, 2), (200, 100, 50, 128)).convert("RGBa"), (227, 177, 152)),
    "RGBX": (Image.new("RGBX", (3, 2), (10, 20, 30, 0)), (10, 20, 30)),
    "CMYK": (Image.new("CMYK", (3, 2), (0, 255, 255, 0)), (255, 0, 0)),
    "YCbCr": (Image.new("RGB", (3, 2), (200, 100, 50)).convert("YCbCr"), (200, 100, 50)),
    "LAB": (Image.new("LAB", (3, 2), (0, 128, 128)), (0, 0, 0)),
    "HSV": (Image.new("HSV", (3, 2), (0, 255, 200)), (200, 0, 0)),
    "I": (Image.new("I", (3, 2), 30 * 257), (30, 30, 30)),
    "I;16": (Image.new("I;16", (3, 2), 30 * 257), (30, 30, 30)),
    "I;16L": (Image.new("I;16L", (3, 2), 30 * 257), (30, 30, 30)),
    "I;16B": (Image.new("I;16B", (3, 2), 30 * 257), (30, 30, 30)),
    "I;16N": (Image.new("I;16N", (3, 2), 30 * 257), (30, 30, 30)),
    "F": (Image.new("F", (3, 2), 0.2), (51, 51, 51)),
}


@pytest.mark.parametrize("name", MODES)
def test_every_mode_of_pillow_becomes_rgb(name):
    """Whatever a format may open as, within the rounding of a change of colour space."""
    image, expected = MODES[name]
    shown = limits._as_shown(image, "x", {}, 1)
    assert shown.shape == (2, 3, 3) and shown.dtype == np.uint8
    assert (np.abs(shown.astype(int) - expected) <= (1 if image.mode in ("YCbCr", "LAB", "La") else 0)).all()


def test_no_mode_of_pillow_is_left_out():
    assert {image.mode for image, _ in MODES.values()} >= {*Image.MODES, "PA", "La", "RGBX", "RGBa"}


def png(depth, colour, row, transparent):
    """A PNG of one row, with a transparent value."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    width = len(row) * 8 // depth // (3 if colour == 2 else 1)
    parts = chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, 0)) + chunk(b"tRNS", transparent)
    return b"\x89PNG\r\n\x1a\n" + parts + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("depth", "colour", "row", "transparent", "expected"),
    [
        (16, 0, struct.pack(">2H", 1000, 30000), struct.pack(">H", 1000), [255, 117]),
        (16, 2, struct.pack(">6H", *[51400] * 3, *[30000] * 3), struct.pack(">3H", *[51400] * 3), [255, 117]),
        (16, 2, struct.pack(">6H", *[51400] * 3, *[200] * 3), struct.pack(">3H", *[200] * 3), [200, 255]),
        (8, 0, bytes([10, 20]), struct.pack(">H", 10), [255, 20]),
        (8, 2, bytes([10, 10, 10, 20, 20, 20]), struct.pack(">3H", 10, 10, 10), [255, 20]),
        (4, 0, bytes([0x3F]), struct.pack(">H", 3), [255, 255]),
        (4, 0, bytes([0x35]), struct.pack(">H", 3), [255, 85]),
        (2, 0, bytes([0b00011011]), struct.pack(">H", 1), [0, 255, 170, 255]),
        (1, 0, bytes([0b01010101]), struct.pack(">H", 0), [255] * 8),
    ],
)
def test_a_transparent_value_of_a_png_shows_white_at_any_depth(depth, colour, row, transparent, expected):
    """Pillow scales the pixels to 8 bits and leaves the transparent value as it was."""
    assert decode_image(png(depth, colour, row, transparent), "x")[0, :, 0].tolist() == expected


def test_inks_of_a_jpeg_are_not_inverted():
    """Programs of Adobe store CMYK inverted, and mark it."""
    data = encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95)
    assert b"Adobe" in data
    assert np.abs(decode_image(data, "x").astype(int) - (255, 0, 0)).max() <= 2


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_frames_the_first_is_taken(kind):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = encoded(
        frames[0], kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {})
    )
    assert (decode_image(data, "x") == (255, 0, 0)).all()


def test_hidden_colours_decide_nothing():
    """Two images that look alike are one image, whatever lies under their transparent pixels."""
    red, blue = (Image.new("RGBA", (4, 3), (*colour, 0)) for colour in ((255, 0, 0), (0, 0, 255)))
    palette = Image.new("P", (4, 3))
    palette.putpalette([9, 8, 7])
    seen = [encoded(red), encoded(blue), encoded(blue, "WEBP", lossless=True, exact=True)]
    seen.append(encoded(palette, "GIF", transparency=0))
    assert len({pixels_digest(decode_image(data, "x")) for data in seen}) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_stand_upright(orientation):
    """A camera stores the sensor's pixels and says in EXIF how to turn them."""
    turned = {
        1: SAMPLE, 2: SAMPLE[:, ::-1], 3: SAMPLE[::-1, ::-1], 4: SAMPLE[::-1], 5: SAMPLE.swapaxes(0, 1),
        6: np.rot90(SAMPLE, -1), 7: SAMPLE[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(SAMPLE),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(decode_image(encoded(SAMPLE, exif=exif), "x"), turned[orientation])


GREY = np.array([[0, 51], [128, 255]], np.uint8)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (GREY.astype(np.uint16) * 257, "PNG"),
        (GREY.astype(np.uint16) * 257, "TIFF"),
        (GREY.astype(np.int32) * 257, "TIFF"),
        (GREY.astype(np.float32) / 255, "TIFF"),
        (GREY.astype(np.float32), "TIFF"),
    ],
)
def test_grey_values_of_16_and_32_bits_keep_their_brightness(values, kind):
    decoded = decode_image(encoded(Image.fromarray(values), kind), "x")
    np.testing.assert_array_equal(decoded, np.repeat(GREY[:, :, None], 3, axis=2))


def tiff(values, bits, photometric):
    """A TIFF file of grey values, written by hand: Pillow writes no 12 bits, and no 16 bits where white is 0."""
    if bits == 12:
        pairs = [(int(a) << 12 | int(b)).to_bytes(3, "big") for a, b in values.reshape(-1, 2)]
        data = b"".join(pairs)
    else:
        data = values.astype("<u2").tobytes()
    height, width = values.shape
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: height, 279: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4 if tag == 279 else 3, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)


def test_bits_and_polarity_of_tiff_are_heeded():
    """12-bit values fill the whole range, and where white is 0 the values are turned round, as with 8 bits."""
    twelve = np.array([[0, 0x333], [0x800, 0xFFF]])
    np.testing.assert_array_equal(decode_image(tiff(twelve, 12, 1), "x")[:, :, 0], [[0, 51], [128, 255]])
    sixteen = GREY.astype(np.uint16) * 257
    np.testing.assert_array_equal(decode_image(tiff(sixteen, 16, 1), "x")[:, :, 0], GREY)
    np.testing.assert_array_equal(decode_image(tiff(sixteen, 16, 0), "x")[:, :, 0], 255 - GREY)


@pytest.mark.parametrize(
    "values", [np.full((2, 2), 1e6, np.float32), np.full((2, 2), -1, np.int32), np.full((2, 2), np.nan, np.float32)]
)
def test_grey_values_of_no_known_range_are_refused(values):
    with pytest.raises(DataError, match=r"^x: grey values from .* have no known range"):
        decode_image(encoded(Image.fromarray(values), "TIFF"), "x")


def test_heic_is_named_with_a_remedy():
    with pytest.raises(DataError, match=r"^x: a HEIC image") as raised:
        decode_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "x")
    assert "convert it to PNG" in raised.value.hint


def test_warnings_of_pillow_are_not_passed_on():
    """Damaged EXIF changes no pixel."""
    data = encoded(SAMPLE, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(decode_image(data, "x"), SAMPLE)


def test_a_palette_is_looked_up():
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 9, 8, 7])
    image.putpixel((1, 0), 1)
    assert decode_image(encoded(image), "x").tolist() == [[[0, 0, 0], [9, 8, 7]]]


def test_the_limit_itself_is_allowed(monkeypatch):
    monkeypatch.setattr(limits, "MOST_PIXELS", 35)
    assert decode_image(encoded(SAMPLE), "x").shape == (7, 5, 3)
    monkeypatch.setattr(limits, "MOST_PIXELS", 34)
    with pytest.raises(DataError, match=r"^cat\.png: 5 x 7 pixels are too many \(at most 34\)"):
        decode_image(encoded(SAMPLE), "cat.png")


@pytest.mark.parametrize("side", [8_001, 10_000, 20_000])
def test_a_header_is_enough_to_refuse_a_large_image(side):
    """Below Pillow's own limit, above the one it warns at, and above the one where it refuses."""
    with pytest.raises(DataError, match=r"^big\.png: .*too many.*at most 64,000,000"):
        decode_image(png_of_size(side, side), "big.png")


def test_a_refused_image_is_one_message_without_a_warning():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        with pytest.raises(DataError):
            decode_image(png_of_size(10_000, 10_000), "x")
        assert list(warnings.filters) == before
    assert caught == []


@pytest.mark.parametrize("data", [b"", b"no image", b"\x89PNG\r\n\x1a\n", b"<svg/>"])
def test_what_is_no_image_is_named(data):
    with pytest.raises(DataError, match=r"^a/b\.png: not a readable"):
        decode_image(data, "a/b.png")


@pytest.mark.parametrize("kind", FORMATS)
def test_half_a_file_is_named(kind):
    data = encoded(np.kron(SAMPLE, np.ones((8, 8, 1), np.uint8)), kind)
    with pytest.raises(DataError, match=r"^half: not a readable"):
        decode_image(data[: len(data) // 2], "half")


@pytest.mark.parametrize("kind", FORMATS)
@given(changes=st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), max_size=5), kept=st.floats(0.5, 1.0))
def test_damage_gives_pixels_or_one_message(kind, changes, kept):
    data = bytearray(encoded(SAMPLE, kind))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        decoded = decode_image(bytes(data[: round(kept * len(data))]), "damaged")
    except DataError as error:
        assert str(error).startswith("damaged: ")
    else:
        assert decoded.dtype == np.uint8 and decoded.ndim == 3 and decoded.shape[2] == 3


@pytest.mark.parametrize(
    "error",
    [RuntimeError("Failed to decode frame 0"), NotImplementedError("pixel format 0"), AttributeError("no stkoffset")],
)
def test_decoders_that_fail_in_their_own_way_are_named_too(monkeypatch, error):
    """Pillow's decoders of AVIF, DDS and SPIDER raise these for damaged files."""

    def fail(_, mode):
        raise error

    monkeypatch.setattr(Image.Image, "convert", fail)
    with pytest.raises(DataError, match=rf"^x\.avif: not a readable .*\({error}\)"):
        decode_image(encoded(SAMPLE), "x.avif")


def test_a_digest_by_hand():
    pixels = np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)
    assert pixels_digest(pixels) == hashlib.sha256(b"1x2:\x01\x02\x03\x04\x05\x06").hexdigest()


@given(IMAGES, st.sampled_from(["PNG", "BMP", "TIFF"]))
def test_the_file_plays_no_part_in_the_digest(image, kind):
    assert pixels_digest(decode_image(encoded(image, kind), "x")) == pixels_digest(image)


@given(IMAGES)
def test_the_layout_in_memory_plays_no_part_in_the_digest(image):
    assert pixels_digest(np.asfortranarray(image)) == pixels_digest(image)
    assert pixels_digest(image[::-1][::-1]) == pixels_digest(image)


@given(IMAGES, st.data())
def test_any_other_pixel_is_another_digest(image, data):
    other = image.copy()
    place = tuple(data.draw(st.integers(0, size - 1)) for size in image.shape)
    other[place] ^= data.draw(st.integers(1, 255))
    assert pixels_digest(other) != pixels_digest(image)


def test_the_same_bytes_in_another_shape_are_another_image():
    values = np.arange(18, dtype=np.uint8)
    assert pixels_digest(values.reshape(2, 3, 3)) != pixels_digest(values.reshape(3, 2, 3))
