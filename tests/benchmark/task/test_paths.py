"""Files that a task names lie where the task file says."""

import hashlib

from benchmark.task.paths import placed


class Folder:
    LOCATIONS = ("path",)
    CONTENTS = {"content": "path"}


class Kind:
    FILES = ("file",)
    PATHS = ("repository",)


def test_files_are_seen_from_the_task_file(tmp_path):
    (tmp_path / "weights").mkdir()
    raw = {"file": "e.npy", "repository": "weights", "other": "weights", "number": 3}
    placed_params = placed(Kind, raw, tmp_path)
    assert placed_params == {**raw, "file": str(tmp_path / "e.npy"), "repository": str(tmp_path / "weights")}
    assert raw["file"] == "e.npy"


def test_what_is_no_file_stays_as_it_is(tmp_path):
    for name in ("somebody/model", "x" * 5000, "a\0b"):
        assert placed(Kind, {"repository": name}, tmp_path) == {"repository": name}
    assert placed(Kind, {"file": None, "repository": ""}, tmp_path) == {"file": None, "repository": ""}


def test_a_folders_content_becomes_a_parameter(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"1")
    first = placed(Folder, {"path": "images", "more": 1}, tmp_path)
    assert first["path"] == str(tmp_path / "images") and first["more"] == 1
    (tmp_path / "images" / "a.png").write_bytes(b"2")
    assert placed(Folder, {"path": "images"}, tmp_path)["content"] != first["content"]
    assert placed(Folder, {"number": 1}, tmp_path) == {"number": 1}


def test_a_files_content_becomes_a_parameter(tmp_path):
    (tmp_path / "script.py").write_bytes(b"abc")
    assert placed(Folder, {"path": "script.py"}, tmp_path)["content"] == hashlib.sha256(b"abc").hexdigest()
    nothing = hashlib.sha256(b"").hexdigest()
    for name in ("missing", "x" * 5000, "a\0b"):
        assert placed(Folder, {"path": name}, tmp_path)["content"] == nothing
