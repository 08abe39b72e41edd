"""``check run``: byte for byte on the same machine, within a tolerance elsewhere; what changed is named."""

import json
import shutil

import pandas as pd
import pytest

from tests.conftest import invoke


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
    from rebeca.ncf.judge import NCFJudge

    move_elsewhere(published)
    with monkeypatch.context() as patch:
        patch.setattr(NCFJudge, "fit", None)  # nothing may be trained
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
