"""Weights on disk: what cannot be read is one message, what is not the file's fault stays what it is."""

from __future__ import annotations

import errno

import pytest
import torch
from safetensors.torch import load_file

from rebeca.errors import MissingDependency
from rebeca.hashes import tree_hash
from rebeca.weights import load_checkpoint, reading, save_checkpoint, save_weights


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "no room"), RuntimeError("CUDA out of memory. Tried"), MemoryError()]
)
def test_a_full_disk_and_exhausted_memory_are_not_called_damaged_weights(error):
    with pytest.raises(type(error)), reading("weights", MissingDependency):
        raise error


def test_a_library_that_cannot_read_a_file_is_one_message():
    with pytest.raises(MissingDependency, match=r"weights \(first line\)"), reading("weights", MissingDependency, "x"):
        raise ValueError("first line\nsecond line")
    with pytest.raises(MissingDependency, match=r"weights \(EOFError\)"), reading("weights", MissingDependency):
        raise EOFError


def test_a_folder_is_known_by_names_and_contents(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(b"1")
    first = tree_hash(tmp_path)
    (tmp_path / "sub" / "a").rename(tmp_path / "b")
    assert tree_hash(tmp_path) != first
    assert tree_hash(tmp_path / "nowhere") == tree_hash(tmp_path / "sub")


def test_tensors_go_to_disk_and_back(tmp_path):
    save_weights(tmp_path / "w.safetensors", {"a": torch.arange(6.0).view(2, 3).T})
    assert torch.equal(load_file(tmp_path / "w.safetensors")["a"], torch.arange(6.0).view(2, 3).T)


def test_a_checkpoint_is_whole_or_set_aside(tmp_path):
    path = tmp_path / "sub" / "a.checkpoint"
    assert load_checkpoint(path, "cpu") is None
    save_checkpoint(path, {"step": 3, "x": torch.ones(2)})
    state = load_checkpoint(path, "cpu")
    assert state["step"] == 3 and torch.equal(state["x"], torch.ones(2))
    path.write_bytes(path.read_bytes()[:-1])
    assert load_checkpoint(path, "cpu") is None
    assert [file.name for file in path.parent.iterdir()] == ["a.damaged"]
