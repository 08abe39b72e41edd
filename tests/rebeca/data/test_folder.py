"""Folder data sets: what is read, and how mistakes are named."""

import gzip
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from rebeca.data.folder import rating_scale, read_folder
from rebeca.errors import DataError
from tests.conftest import make_folder

SCALE = (1.0, 7.0)


def test_reads_a_folder(tmp_path):
    data = read_folder(make_folder(tmp_path), SCALE)
    assert (data.ratings.num_users, data.ratings.num_items, len(data.ratings)) == (12, 24, 288)
    assert data.catalogue.captions[3] == "image 3"
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
        ("items.csv", "i1,1.png", "i1,/etc/passwd", r"points outside the image folder"),
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


def test_the_scale_is_that_of_the_ratings(tmp_path):
    folder = make_folder(tmp_path, users=3, items=6)
    values = np.loadtxt(folder / "ratings.csv", delimiter=",", skiprows=1, usecols=2)
    assert rating_scale(folder) == (values.min(), values.max())
    (folder / "ratings.csv").write_text("user,item,rating\nu0,i0,3\nu0,i1,3\n")
    with pytest.raises(DataError, match="every rating is 3"):
        rating_scale(folder)
    (folder / "ratings.csv").unlink()
    with pytest.raises(DataError, match="no ratings"):
        rating_scale(folder)


def test_declared_blocks_are_taken_and_missing_parts_named(tmp_path):
    folder = make_folder(tmp_path, users=4, items=6)
    items = (folder / "items.csv").read_text().splitlines()
    rows = [f"{line},{'block' if k == 0 else 'ab'[k % 2]}" for k, line in enumerate(items)]
    (folder / "items.csv").write_text("\n".join(rows) + "\n")
    ratings = (folder / "ratings.csv").read_text().splitlines()
    kept = [line for line in ratings[1:] if (int(line[1]) + int(line.split(",")[1][1:])) % 2 == 0]
    (folder / "ratings.csv").write_text("\n".join([ratings[0], *kept]) + "\n")
    data = read_folder(folder, SCALE)
    assert data.catalogue.block.tolist() == [1, 0, 1, 0, 1, 0]
    assert data.block_of_user.tolist() == [1, 0, 1, 0]
    shutil.rmtree(folder / "images")
    with pytest.raises(DataError, match="no images"):
        read_folder(folder, SCALE)
    (folder / "images.zip").write_bytes(b"no archive")
    with pytest.raises(DataError, match="not a readable zip archive"):
        read_folder(folder, SCALE)
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        archive.writestr("0.png", b"")
    with pytest.raises(DataError, match=r"row 3: file '1\.png' is not in"):
        read_folder(folder, SCALE)
    with pytest.raises(DataError, match="no such folder"):
        read_folder(folder / "nowhere", SCALE)
