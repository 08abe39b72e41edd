"""Weights that tasks need, and stand-ins for them."""

import json

import pytest

from benchmark.commands.weights import describe, needed
from rebeca.published import ALL
from tests.conftest import invoke

TASKS = ("flickr-aes", "flickr-aes-cross-guidance", "flickr-aes-prompts", "flickr-aes-smoke")


def test_a_task_names_what_it_needs():
    assert {weights.name for weights in needed(None)} == set(ALL)
    assert {weights.name for weights in needed("flickr-aes")} < set(ALL)
    assert needed("sprites") == []


def test_random_weights_are_listed_as_such(published):
    rows = {weights.name: weights for weights in describe("flickr-aes")}
    assert set(rows) == {weights.name for weights in needed("flickr-aes")}
    output = invoke("weights", "list", "flickr-aes")
    assert all(name in output for name in rows)
    assert "random weights: everything runs" in invoke("weights", "check", "flickr-aes")
    assert {row["name"] for row in json.loads(invoke("weights", "check", "flickr-aes", "--json"))} == set(rows)


def test_misspelt_names_have_a_hint(published):
    assert "did you mean 'flickr-aes'" in invoke("weights", "fetch", "flickr-aess", code=2)


@pytest.mark.parametrize("layout", ["laion"])
def test_stand_ins_are_written(tmp_path, layout):
    output = invoke("dev", "make-weights", "--layout", layout, "--out", tmp_path)
    assert output.startswith(f"{layout:12s} tiny, random: {tmp_path}")
    assert "did you mean 'laion'" in invoke("dev", "make-weights", "--layout", "laoin", "--out", tmp_path, code=2)


def test_synthetic_data_are_written_and_prepared(tmp_path):
    make = ("dev", "make-data", "flickr-aes", "--root", tmp_path / "d", "--users", 4, "--items", 20)
    prepare = ("data", "prepare", "flickr-aes", "--root", tmp_path / "d")
    assert "next: rebeca-bench data prepare flickr-aes" in invoke(*make, "--ratings", 8)
    assert f"ready: --set data.path={tmp_path / 'd'}" in invoke(*prepare)


@pytest.mark.parametrize("task", TASKS)
def test_every_published_task_names_its_weights(task):
    names = {row["name"] for row in json.loads(invoke("weights", "list", task, "--json"))}
    assert {"sd15", "ip-adapter-sd15", "vit-h", "vit-g", "vit-l", "hpsv2.0", "laion-v2"} == names


def test_missing_weights_stop_a_run_with_all_their_names(tmp_path, monkeypatch):
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path))
    output = invoke("weights", "check", "flickr-aes", code=4)
    assert output.count("neither in") == 7 and "rebeca-bench weights fetch sd15" in output


def test_a_gated_repository_and_one_out_of_reach_are_named(tmp_path, monkeypatch):
    import huggingface_hub
    from huggingface_hub import errors

    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path))
    assert "by hand" in invoke("weights", "fetch", "laion-v2", code=4)
    assert "cannot be reached from here" in invoke("weights", "fetch", "sd15", code=4)

    def raising(error):
        def download(*_, **__):
            raise error

        return download

    gated = errors.GatedRepoError.__new__(errors.GatedRepoError)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", raising(gated))
    assert "asks for its licence to be accepted first" in invoke("weights", "fetch", "vit-h", code=4)
    gone = errors.RepositoryNotFoundError.__new__(errors.RepositoryNotFoundError)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", raising(gone))
    assert "is not on the hub any more" in invoke("weights", "fetch", "vit-h", code=4)


def test_random_weights_are_not_taken_for_fetched_ones(published):
    assert "holds random weights" in invoke("weights", "fetch", "sd15", code=4)


def test_a_hub_that_only_warns_is_still_out_of_reach(tmp_path, monkeypatch):
    """With something in the folder already, the hub's client warns and returns."""
    import huggingface_hub

    (tmp_path / "h94--IP-Adapter" / "models").mkdir(parents=True)
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(tmp_path))
    assert "cannot be reached from here" in invoke("weights", "fetch", "vit-g", code=4)


def test_what_was_fetched_is_checked(tmp_path, monkeypatch):
    import huggingface_hub

    asked = {}

    def download(repository, revision, local_dir, allow_patterns):
        asked.update(repository=repository, revision=revision, patterns=allow_patterns)
        from pathlib import Path

        for name in allow_patterns:
            path = Path(local_dir) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"something else")

    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    output = invoke("weights", "fetch", "ip-adapter-sd15", code=4)
    assert "the published file has 289b45f16d04" in output
    assert asked["repository"] == "h94/IP-Adapter" and asked["revision"].startswith("018e4027")
    assert asked["patterns"] == ["models/ip-adapter_sd15.safetensors"]
