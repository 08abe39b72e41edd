"""``check run``: byte for byte on the same machine, within a tolerance elsewhere; what changed is named."""

import json
import shutil

import pandas as pd
import pytest

from tests.conftest import TINY, invoke


@pytest.fixture
def published(done, tmp_path):
    """Records and weights of the tiny task in a folder of results."""
    results = tmp_path / "results"
    run = ("run", done / "tiny.yaml", "--workdir", done / "w", "--quiet")
    invoke(*run, "--publish", results, "--with-weights")
    return results


def check(done, results, *more, code=0):
    return invoke("check", "run", done / "tiny.yaml", "--against", results, *more, code=code)


def move_elsewhere(results):
    """Edits records as if they came from another processor."""
    for path in (results / "tiny" / "v1").rglob("*.json"):
        record = json.loads(path.read_text())
        record["provenance"]["processor"] = "another"
        path.write_text(json.dumps(record))


def test_the_same_machine_gives_every_byte(done, published):
    output = check(done, published)
    assert "every byte must be the same" in output
    assert "byte for byte, with the same verdicts" in output
    assert json.loads(check(done, published / "tiny" / "v1", "--json", "--quiet"))["machine"] == "the same"


def test_elsewhere_the_published_weights_are_used(done, published, monkeypatch):
    from rebeca.ncf.verifier import Verifier

    move_elsewhere(published)
    with monkeypatch.context() as patch:
        patch.setattr(Verifier, "fit", None)  # nothing may be trained
        report = json.loads(check(done, published, "--json", "--quiet"))
    assert report["differs"] == ["processor"]
    assert report["weights"] == "published"
    assert report["equal"]
    shutil.rmtree(published / "tiny" / "v1-weights")
    assert "weights trained here" in check(done, published)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_moved_is_named(done, published, elsewhere):
    path = published / "tiny" / "v1" / "rebeca" / "scores.parquet"
    scores = pd.read_parquet(path)
    row = scores.index[(scores.user == "u3") & (scores.replicate == 1) & (scores.scorer == "ncf")][0]
    scores.loc[row, "score"] += 3e-4
    scores.loc[(scores.user == "u5") & (scores.replicate == 2), "digest"] = "0" * 64
    scores.to_parquet(path)
    comparison = published / "tiny" / "v1" / "_task" / "comparison.json"
    record = json.loads(comparison.read_text())
    pair = record["results"]["families"]["ncf"]["comparisons"][0]
    pair["verdict"] = "better" if pair["verdict"] != "better" else "worse"
    comparison.write_text(json.dumps(record))
    if elsewhere:
        move_elsewhere(published)
    report = json.loads(check(done, published, "--json", "--quiet", code=1))
    assert report["users"] == ["u3", "u5"]
    assert report["images"] == [["rebeca", "u5", 2]]
    assert [score[:4] for score in report["scores"]] == [["rebeca", "ncf", "u3", 1]]
    assert report["verdicts"][0][:3] == ["ncf", pair["a"], pair["b"]]
    output = check(done, published, "--quiet", code=1)
    assert "scores: 1 moved" in output
    assert "users moved: 2 (u3, u5)" in output


def test_small_differences_elsewhere_are_none(done, published):
    move_elsewhere(published)
    path = published / "tiny" / "v1" / "rebeca" / "scores.parquet"
    scores = pd.read_parquet(path)
    scores["score"] += 3e-5
    scores.to_parquet(path)
    assert "within 0.0001 (largest 3e-05)" in check(done, published, "--quiet")


def test_another_task_is_refused(done, published, tmp_path):
    (done / "other.yaml").write_text(TINY.replace("steps: 4", "steps: 5"))
    output = invoke("check", "run", done / "other.yaml", "--against", published, "--quiet", code=2)
    assert "holds another task: generators differs" in output


def test_weights_with_embeddings_of_protected_images_are_not_published(done, tmp_path):
    shutil.copytree(done / "data", tmp_path / "data")
    (tmp_path / "tiny.yaml").write_text(TINY.replace("redistribute: true", "redistribute: false"))
    run = ("run", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w", "--quiet", "--publish", tmp_path / "results")
    assert "may not be redistributed" in invoke(*run, "--with-weights", code=2)
    invoke(*run)


def test_only_a_folder_of_its_own_is_continued_in(done, published, tmp_path):
    assert "holds something already" in check(done, published, "--workdir", done / "w", code=2)
    for _ in range(2):
        check(done, published, "--workdir", tmp_path / "check", "--quiet")


def test_weights_of_other_records_are_not_left_behind(done, published):
    assert (published / "tiny" / "v1-weights").is_dir()
    run = ("run", done / "tiny.yaml", "--workdir", done / "w", "--quiet")
    invoke(*run, "--publish", published)
    assert not (published / "tiny" / "v1-weights").exists()
