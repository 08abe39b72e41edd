"""The command line itself."""

import json

import pytest
from click.testing import CliRunner

from benchmark.commands.main import main
from tests.conftest import invoke


def test_a_wrong_command_is_answered_with_the_right_one():
    result = CliRunner().invoke(main, ["rnu"])
    assert result.exit_code == 2 and "did you mean 'run'" in result.output


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_explains_itself(command):
    output = invoke(command, "--help")
    assert output.startswith("Usage: ") and len(output.splitlines()) > 4


def test_validate_says_what_was_read(tiny):
    assert f"{tiny}: the task file is fine (5 generators, hash " in invoke("validate", tiny)
    report = json.loads(invoke("validate", tiny, "--json"))
    assert report["spec"]["id"] == "tiny" and len(report["hash"]) == 64
    other = json.loads(invoke("validate", tiny, "--set", "images=2", "--json"))
    assert other["hash"] != report["hash"]


def test_a_run_gives_records_and_page_as_json(done):
    run = ("run", done / "tiny.yaml", "--workdir", done / "w", "--site", done / "site", "--quiet", "--json")
    report = json.loads(invoke(*run))
    assert report["records"] == str(done / "w" / "records" / "tiny" / "v1")
    assert report["page"] == str(done / "site" / "tasks" / "tiny" / "index.html")


def test_only_some_generators_make_another_task(done, tmp_path):
    run = ("run", done / "tiny.yaml", "--workdir", tmp_path / "w", "--site", tmp_path / "site")
    output = invoke(*run, "--only", "catalogue-random")  # and the reference, with which it is compared
    assert "2 generators" in output and "v1-modified-" in output
    assert (tmp_path / "site" / "index.html").is_file()
    assert "did you mean 'rebeca'" in invoke("run", done / "tiny.yaml", "--only", "rebecca", code=2)


def test_tasks_are_listed():
    output = invoke("tasks")
    assert "sprites" in output and "tinyworld-quick" in output


def test_verify_counts_numbers_and_attests(done, tmp_path):
    import shutil

    records = tmp_path / "tiny" / "v1"
    shutil.copytree(done / "w" / "records" / "tiny" / "v1", records)
    assert "all agree" in invoke("verify", records)
    invoke("verify", records, "--attest")
    statement = json.loads((records / "attestations" / "rebeca.json").read_text())
    assert statement["predicate"]["status"] == "verified"


def test_figures_are_written(done, tmp_path, monkeypatch):
    from benchmark.figures import build

    monkeypatch.setattr(build, "FAMILIES", {"Ranks": (build.ranks,)})
    output = invoke("figures", "tiny", "--workdir", done / "w", "--out", tmp_path / "f")
    assert "wrote" in output and (tmp_path / "f" / "rank-stability.csv").is_file()


def test_calibrate_on_records_and_on_a_given_shape(done):
    report = json.loads(invoke("calibrate", "tiny", "--workdir", done / "w", "--runs", 20, "--workers", 1, "--json"))
    assert report["shape"] == "estimated from records"
    assert (report["users"], report["images"]) == (12, 3)
    assert {line["quantity"] for line in report["summary"]} >= {"lift, interval", "max-T, one generator better"}
    given = ("--users", 6, "--images", 2, "--correlation", 0.2, "--runs", 20, "--workers", 1)
    assert "6 users x 2 images, correlation 0.2 (given)" in invoke("calibrate", "anything", *given)
    output = " ".join(invoke("calibrate", "anything", *given, "--fits", 2).split())
    assert "2 fits whose variance is 0.03 of that between users" in output
    assert "level: methods, no difference, all pairs" in output and "one fit, " not in output
    message = "2 images per user cannot be shared equally among 3 fits"
    assert message in invoke("calibrate", "anything", *given, "--fits", 3, code=2)
    assert "or give --users" in invoke("calibrate", "nothing", "--workdir", done / "w", code=2)
