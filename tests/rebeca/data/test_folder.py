"""Folder data sets: what is read, and how mistakes are named."""

import gzip
import shutil
import zipfile

import pytest
from PIL import Image

from rebeca.data.folder import read_folder
from rebeca.data.options import RatingRules, TableLayout
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
        (
            "ratings.csv",
            "u0,i0,",
            "u0,i99,",
            r"ratings.csv: row 2: item 'i99' is not listed; that concerns 1 rating of 1 item .'i99'.",
        ),
        ("ratings.csv", "u0,i1,", "u0,i0,", r"ratings.csv: row 3: user 'u0' rated item 'i0' twice"),
        ("items.csv", "i1,1.png", "i0,1.png", r"items.csv: row 3: item 'i0' is listed twice"),
        ("items.csv", "i1,1.png", "i1,none.png", r"items.csv: row 3: file 'none.png' is not in"),
        ("items.csv", "i1,1.png", "i1,../1.png", r"items.csv: row 3: file '../1.png' points outside"),
        ("items.csv", "i1,1.png", "i1,/etc/passwd", r"items.csv: row 3: file '/etc/passwd' is an absolute path"),
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
    with pytest.raises(DataError, match=f"row 4: .*rating.* '?{value}'?.*{message}"):
        read_folder(folder, SCALE)


def test_a_symbolic_link_out_of_the_folder_is_refused(tmp_path):
    folder = make_folder(tmp_path / "d")
    outside = tmp_path / "secret.png"
    Image.new("RGB", (4, 4)).save(outside)
    (folder / "images" / "0.png").unlink()
    (folder / "images" / "0.png").symlink_to(outside)
    with pytest.raises(DataError, match="points outside"):
        read_folder(folder, SCALE)


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
    with pytest.raises(DataError, match=r"items\.csv: a file, not a folder"):
        read_folder(folder / "items.csv", SCALE)


def test_archives_of_a_folder_and_of_macos_are_read(tmp_path):
    """The names in the table are without the archive's own folder, and composed; macOS writes decomposed ones."""
    folder = make_folder(tmp_path, users=3, items=6)
    plain = read_folder(folder, SCALE).fingerprint()
    items = (folder / "items.csv").read_text()
    (folder / "items.csv").write_text(items.replace(",3.png", ",\u00e9.png"))
    files = {path.name: path.read_bytes() for path in (folder / "images").iterdir()}
    files["e\u0301.png"] = files.pop("3.png")
    shutil.rmtree(folder / "images")
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(f"photos/{name}", data)
            archive.writestr(f"__MACOSX/photos/._{name}", b"of macOS")
    assert read_folder(folder, SCALE).fingerprint() == plain
    (folder / "images" / "photos").mkdir(parents=True)
    for name, data in files.items():
        (folder / "images" / "photos" / name).write_bytes(data)
    (folder / "images" / ".DS_Store").write_bytes(b"of macOS")
    assert read_folder(folder, SCALE).fingerprint() == plain


def test_all_files_that_are_missing_are_named(tmp_path):
    folder = make_folder(tmp_path, users=3, items=6)
    for k in (1, 4):
        (folder / "images" / f"{k}.png").unlink()
    with pytest.raises(DataError, match=r"row 3: file '1\.png' is not in .*\n  row 6: file '4\.png' is not in"):
        read_folder(folder, SCALE)
    (folder / "items.csv").write_text("item,file\na,b\\1.png\n")
    (folder / "ratings.csv").write_text("user,item,rating\nu,a,3\n")
    with pytest.raises(DataError, match="has a backslash; write / between folders"):
        read_folder(folder, SCALE)


def test_tables_that_are_missing_or_there_twice(tmp_path):
    folder = make_folder(tmp_path, users=3, items=6)
    (folder / "ratings.tsv").write_text("")
    with pytest.raises(DataError, match=r"ratings\.csv and ratings\.tsv are both there") as raised:
        read_folder(folder, SCALE)
    assert "ratings: {file: ratings.csv}" in raised.value.hint
    assert len(read_folder(folder, SCALE, ratings=TableLayout(file="ratings.csv")).ratings) == 18
    (folder / "ratings.tsv").rename(folder / "votes.tsv")
    (folder / "ratings.csv").unlink()
    with pytest.raises(DataError, match=r"no ratings\.csv \(found: items\.csv, votes\.tsv\)"):
        read_folder(folder, SCALE)


def test_what_the_rules_leave_out_is_noted(tmp_path):
    folder = make_folder(tmp_path, users=3, items=6)
    with (folder / "ratings.csv").open("a") as stream:
        stream.write("u0,zz,3\n")
    data = read_folder(folder, SCALE, rules=RatingRules(unlisted="drop"))
    assert data.notes == ("left out: 1 rating of 1 item ('zz') not in the list",) and len(data.ratings) == 18
