"""``run --profile``."""

import json

from benchmark.runner import profile
from tests.conftest import invoke


def test_a_run_says_where_its_time_went(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(profile, "SHORTEST", 0.0)  # a fast machine needs less for its few images
    output = invoke("run", tiny, "--workdir", tmp_path / "w", "--profile", tmp_path / "p")
    assert (tmp_path / "p" / "stages.txt").read_text() in output
    stages = [line.split()[0] for line in output.partition("peak MB\n")[2].partition("\n\n")[0].splitlines()]
    assert stages[:2] == ["data", "encode"] and {"fit", "images", "score", "analyse", "page", "between", "all"} < set(
        stages
    )
    trace = json.loads((tmp_path / "p" / "trace.json").read_text())
    names = {event["name"] for event in trace["traceEvents"]}
    assert {"run", "generator 'rebeca': fit", "judge 'ncf': fit", "judge_report"} < names
    assert any(name.startswith("decoder ") for name in names) and any(name.startswith("scorer ") for name in names)


def test_what_cannot_be_written_is_said_before_the_first_fit(tiny, tmp_path):
    (tmp_path / "p").write_text("")
    run = ("run", tiny, "--workdir", tmp_path / "w", "--profile", tmp_path / "p")
    assert "(it is a file)" in invoke(*run, code=6)
    assert not (tmp_path / "w").exists()
    assert (tmp_path / "p").read_text() == ""


def test_quiet_prints_the_result_and_a_dry_run_writes_no_profile(done, tmp_path):
    run = ("run", done / "tiny.yaml", "--workdir", done / "w", "--site", done / "site", "--profile", tmp_path / "p")
    invoke(*run, "--dry-run")
    assert not (tmp_path / "p").exists()
    report = json.loads(invoke(*run, "--quiet", "--json"))
    assert report["records"] and (tmp_path / "p" / "trace.json").is_file()
