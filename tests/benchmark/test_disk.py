"""Files are there whole or not at all."""

import hashlib

import pytest

from benchmark import disk


def test_a_digest_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert disk.file_digest(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    disk.write_atomically(path, b"new")
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("old")

    def fail(_):
        raise OSError("no space")

    monkeypatch.setattr(disk.os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        disk.write_atomically(path, b"new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def folder(path, text):
    path.mkdir()
    (path / "file").write_text(text)
    return path


@pytest.mark.parametrize("sync", [True, False])
def test_a_folder_takes_the_place_of_another(tmp_path, sync):
    place = folder(tmp_path / "place", "old")
    disk.replace_folder(folder(tmp_path / "new", "new"), place, sync)
    assert (place / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_what_was_cut_short_is_taken_back_first(tmp_path):
    """The old folder had stepped aside, and the new one was not in its place yet."""
    folder(tmp_path / ".place.old", "old")
    disk.replace_folder(folder(tmp_path / "new", "new"), tmp_path / "place")
    assert (tmp_path / "place" / "file").read_text() == "new"
    folder(tmp_path / ".place.old", "left over")
    disk.replace_folder(folder(tmp_path / "newer", "newer"), tmp_path / "place")
    assert (tmp_path / "place" / "file").read_text() == "newer"
    assert [path.name for path in tmp_path.iterdir()] == ["place"]
