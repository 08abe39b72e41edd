import gzip
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from rebeca.data.catalogue import Candidates
from rebeca.data.dataset import find_blocks
from rebeca.data.folder import read_folder
from rebeca.data.interactions import Interactions, like
from rebeca.data.splits import Part, SplitRule, divide
from rebeca.errors import DataError
from rebeca.pixels import decode_image
from tests.conftest import make_folder

SCALE = (1.0, 7.0)


def interactions(user, item, rating, users=None, items=None):
    n, m = users or max(user) + 1, items or max(item) + 1
    rating = np.asarray(rating, float)
    ids = tuple(f"u{i}" for i in range(n)), tuple(f"i{i}" for i in range(m))
    return Interactions(np.array(user), np.array(item), rating, rating >= 4, *ids)


def test_reads_a_folder(tmp_path):
    data = read_folder(make_folder(tmp_path), SCALE)
    assert (data.ratings.num_users, data.ratings.num_items, len(data.ratings)) == (12, 24, 288)
    assert data.catalogue.captions[3] == "picture 3"
    assert data.catalogue.pixels(0).shape == (24, 24, 3)
    assert set(data.block_of_user) == {0}


def test_compressed_parquet_and_zip_read_the_same(tmp_path):
    plain = read_folder(make_folder(tmp_path / "a"), SCALE)
    b = make_folder(tmp_path / "b")
    (b / "ratings.csv.gz").write_bytes(gzip.compress((b / "ratings.csv").read_bytes()))
    (b / "ratings.csv").unlink()
    with zipfile.ZipFile(b / "images.zip", "w") as archive:
        for path in (b / "images").iterdir():
            archive.write(path, path.name)
            path.unlink()
    (b / "images").rmdir()
    assert read_folder(b, SCALE).fingerprint() == plain.fingerprint()
    c = make_folder(tmp_path / "c")
    import pandas as pd

    pd.read_csv(c / "ratings.csv").to_parquet(c / "ratings.parquet")
    (c / "ratings.csv").unlink()
    assert read_folder(c, SCALE).fingerprint() == plain.fingerprint()


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("ratings.csv", "u0,i0,", "u0,i99,", r"ratings.csv: row 2: item 'i99' is not in items.csv"),
        ("ratings.csv", "u0,i1,", "u0,i0,", r"ratings.csv: row 3: user 'u0' rated item 'i0' twice"),
        ("items.csv", "i1,1.png", "i0,1.png", r"items.csv: row 3: item 'i0' is listed twice"),
        ("items.csv", "i1,1.png", "i1,none.png", r"items.csv: row 3: file 'none.png' is not in"),
        ("items.csv", "i1,1.png", "i1,../1.png", r"items.csv: row 3: file '../1.png' points outside"),
        ("items.csv", "i1,1.png", "i1,/etc/passwd", r"points outside the picture folder"),
        ("ratings.csv", "user,item", "person,item", r"ratings.csv: row 1: no column 'user'"),
        ("ratings.csv", "u0,i0,", ",i0,", r"ratings.csv: row 2: column 'user' is empty"),
    ],
)
def test_errors_name_file_row_and_value(tmp_path, file, old, new, message):
    folder = make_folder(tmp_path)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        read_folder(folder, SCALE)


@pytest.mark.parametrize(
    ("value", "message"), [("9", "outside the declared scale"), ("nan", "finite"), ("x", "finite")]
)
def test_impossible_ratings(tmp_path, value, message):
    folder = make_folder(tmp_path)
    lines = (folder / "ratings.csv").read_text().splitlines()
    lines[3] = f"u0,i2,{value}"
    (folder / "ratings.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match=f"row 4: rating '?{value}'? .*{message}"):
        read_folder(folder, SCALE)


def test_a_symbolic_link_out_of_the_folder_is_refused(tmp_path):
    folder = make_folder(tmp_path / "d")
    outside = tmp_path / "secret.png"
    Image.new("RGB", (4, 4)).save(outside)
    (folder / "images" / "0.png").unlink()
    (folder / "images" / "0.png").symlink_to(outside)
    with pytest.raises(DataError, match="points outside"):
        read_folder(folder, SCALE)


def test_not_a_picture(tmp_path):
    folder = make_folder(tmp_path)
    (folder / "images" / "0.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"0\.png: not a readable picture"):
        read_folder(folder, SCALE).catalogue.pixels(0)


def test_a_huge_header_is_refused_before_decoding():
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\x00" * 100)) + chunk(b"IEND", b"")
    with pytest.raises(DataError, match=r"60000 x 60000|decompression bomb"):
        decode_image(data, "bomb.png")


def test_blocks_are_found_from_the_ratings():
    ratings = interactions([0, 0, 1, 2, 2], [0, 1, 1, 2, 3], [1] * 5, items=5)
    users, items = find_blocks(ratings)
    assert users.tolist() == [0, 0, 1]
    assert items[:4].tolist() == [0, 0, 1, 1]
    assert items[4] not in (0, 1)


def test_oasis_has_four_blocks(shared):
    data = read_folder(shared / "data" / "oasis", SCALE)
    assert (data.ratings.num_users, data.ratings.num_items, len(data.ratings)) == (757, 414, 79_606)
    assert sorted(np.bincount(data.block_of_user).tolist()) == [104, 140, 145, 368]
    assert sorted(np.bincount(data.catalogue.block).tolist()) == [98, 98, 108, 110]


def grid(users=20, items=40, seed=0):
    rng = np.random.default_rng(seed)
    user, item = np.divmod(np.arange(users * items), items)
    return interactions(user, item, rng.integers(1, 8, users * items))


@pytest.mark.parametrize("kind", ["per-user", "held-out-items", "cold-users"])
@pytest.mark.parametrize("mode", ["shared", "disjoint"])
def test_nobody_sees_test_ratings(kind, mode):
    ratings = grid()
    share = kind == "held-out-items"
    rule = SplitRule(kind, 0.25 if share else 10, 0.2 if share else 6, mode)
    d = divide(ratings, rule, 4, np.zeros(40, int), 3)
    key = lambda r: set(zip(r.user.tolist(), r.item.tolist(), strict=True))  # noqa: E731
    parts = [key(p) for party in (d.generators, d.verifier, d.auditor) for p in (party.train, party.validation)]
    assert not any(part & key(d.test) for part in parts)
    if mode == "disjoint":
        assert sum(len(p) for p in parts) == len(set().union(*parts))
    else:
        assert parts[0] == parts[2] == parts[4]
    if share:
        assert d.test_items.sum() == 10
        assert not (d.test_items & d.validation_items).any()
        assert set(d.test.item) == set(np.flatnonzero(d.test_items))
    else:
        assert (d.test.ratings_per_user() == 10).all()
    if kind == "cold-users":
        assert d.cold.sum() == 4
        assert max(d.generators.train.ratings_per_user()[d.cold]) <= 5


def test_published_counts():
    # min(10, n) test ratings, then up to 10 validation ratings a person
    ratings = grid(users=6, items=50)
    d = divide(ratings, SplitRule("per-user", 10, 10, "shared"), 4, np.zeros(50, int), 42)
    assert (len(d.test), len(d.generators.validation), len(d.generators.train)) == (60, 60, 180)


def test_a_person_more_changes_nobody_elses_division():
    ratings = grid(users=8)
    fewer = ratings.where(ratings.user != 7)
    rule = SplitRule("per-user", 10, 6, "disjoint")
    a = divide(ratings, rule, 4, np.zeros(40, int), 1).generators.train
    b = divide(fewer, rule, 4, np.zeros(40, int), 1).generators.train
    mask = a.user != 7
    assert a.item[mask].tolist() == b.item.tolist()


def test_user_median_comes_from_training_ratings():
    train = interactions([0, 0, 0], [0, 1, 2], [1, 2, 3])
    rows = interactions([0, 0], [3, 4], [2, 3], items=5)
    assert like(rows, "user-median", train).liked.tolist() == [False, True]
    with pytest.raises(DataError, match="user-median"):
        like(interactions([1], [0], [3], users=2), "user-median", interactions([0], [0], [1], users=2))


def test_candidates_of_per_user_splits_leave_out_what_was_rated():
    candidates = Candidates(("a", "b"), np.ones((1, 4), bool), np.zeros(2, int), (np.array([0, 1]), np.array([3])))
    assert candidates.of(0).tolist() == [2, 3]
    assert candidates.of(1).tolist() == [0, 1, 2]


def test_smaller_shares_of_ratings_are_parts_of_larger_ones():
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(5), [1, 2, 7, 20, 30])
    train = interactions(user, rng.permutation(60), rng.integers(1, 8, 60), users=6)
    part = Part(train, train.where(np.zeros(60, bool)))
    kept = [{*zip(t.user, t.item, strict=True)} for t in (part.thinned(s, 3).train for s in (0.1, 0.5, 1.0))]
    assert kept[0] < kept[1] < kept[2]
    assert len(kept[2]) == 60
    assert part.thinned(0.5, 3).train.ratings_per_user().tolist() == [1, 1, 4, 10, 15, 0]
    assert {*zip(*[iter(part.thinned(0.5, 4).train.item)], strict=True)} != {(i,) for _, i in kept[1]}
    assert len(part.thinned(0.5, 3).validation) == 0
