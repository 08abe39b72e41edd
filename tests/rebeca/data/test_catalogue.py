"""Items and their files."""

import struct
import zlib

import numpy as np
import pytest

from rebeca.data.catalogue import Candidates, decode_image
from rebeca.data.folder import read_folder
from rebeca.errors import DataError
from tests.conftest import make_folder

SCALE = (1.0, 7.0)


def test_not_an_image(tmp_path):
    folder = make_folder(tmp_path)
    (folder / "images" / "0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"0\.png: not a readable image"):
        read_folder(folder, SCALE).catalogue.pixels(0)


def test_a_huge_header_is_refused_before_decoding():
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\x00" * 100)) + chunk(b"IEND", b"")
    with pytest.raises(DataError, match=r"60000 x 60000|decompression bomb"):
        decode_image(data, "bomb.png")


def test_candidates_of_per_user_splits_leave_out_what_was_rated():
    candidates = Candidates(("a", "b"), np.ones((1, 4), bool), np.zeros(2, int), (np.array([0, 1]), np.array([3])))
    assert candidates.of(0).tolist() == [2, 3]
    assert candidates.of(1).tolist() == [0, 1, 2]
