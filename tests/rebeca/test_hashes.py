"""Hashes of files are kept for as long as size and time stay, and never where they cannot be trusted."""

import hashlib
import json
import os
import time

import pytest

from rebeca.hashes import file_hash, tree_hash

OLD = time.time_ns() - 60_000_000_000


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "rebeca-bench" / "hashes.json"


def write(path, data, at=OLD):
    path.write_bytes(data)
    os.utime(path, ns=(at, at))


def test_a_file_is_hashed_again_when_size_or_time_changed(kept, tmp_path):
    path = tmp_path / "file"
    write(path, b"one")
    first = file_hash(path)
    assert first == hashlib.sha256(b"one").hexdigest()
    stored = json.loads(kept.read_text())
    stored[str(path)][2] = "f" * 64
    kept.write_text(json.dumps(stored))
    assert file_hash(path) == "f" * 64  # kept
    write(path, b"other")
    assert file_hash(path) == hashlib.sha256(b"other").hexdigest()
    write(path, b"othes", OLD + 1)
    assert file_hash(path) == hashlib.sha256(b"othes").hexdigest()
    kept.write_text("{]")  # damaged: it only saves time
    assert file_hash(path) == hashlib.sha256(b"othes").hexdigest()


def test_what_has_just_changed_is_not_kept(kept, tmp_path):
    """Two edits within one tick of the clock leave the same time."""
    path = tmp_path / "file"
    now = time.time_ns()
    write(path, b"one", now)
    first = file_hash(path)
    write(path, b"two", now)
    assert file_hash(path) != first


def test_a_tree_is_its_names_and_contents(kept, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "x", b"1")
    first = tree_hash(tmp_path / "a")
    assert first == tree_hash(tmp_path / "b")
    (tmp_path / "b" / "x").rename(tmp_path / "b" / "y")
    assert tree_hash(tmp_path / "b") != first
    assert tree_hash(tmp_path / "nowhere") == tree_hash(tmp_path / "neither")


def test_what_is_kept_is_parsed_once(kept, tmp_path, monkeypatch):
    path = tmp_path / "file"
    write(path, b"one")
    first = file_hash(path)
    assert file_hash(path) == first
    monkeypatch.setattr(json, "loads", lambda text: pytest.fail("it was parsed again"))
    assert file_hash(path) == first
