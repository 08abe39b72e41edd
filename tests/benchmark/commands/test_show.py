"""Leaderboards and comparisons on a terminal."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmark.board.board import read_board
from benchmark.board.plain_rows import compare_generators
from benchmark.records.find import find_records
from rebeca.errors import SpecError
from tests.conftest import invoke


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(scope="module")
def records(done):
    return done / "w" / "records" / "tiny" / "v1"


def test_records_are_found_by_folder_task_file_or_id(done, records):
    roots = [done / "nowhere", done / "w" / "records"]
    assert find_records(str(records), []) == records
    assert find_records(str(done / "tiny.yaml"), roots) == find_records("tiny", roots) == records


def test_missing_records_have_a_hint(done):
    with pytest.raises(SpecError) as misspelt:
        find_records("tinny", [done / "w" / "records"])
    assert "did you mean 'tiny'" in str(misspelt.value.hint)
    with pytest.raises(SpecError) as bundled:
        find_records("tinyworld-quik", [done / "w" / "records"])
    assert "did you mean 'tinyworld-quick'" in str(bundled.value.hint)
    for task in ("tinyworld-quick", str(done / "tiny.yaml")):
        with pytest.raises(SpecError) as never:
            find_records(task, [done / "nowhere"])
        assert f"rebeca-bench run {task}" in str(never.value.hint)


def test_the_board_is_printed_in_its_order(done, tables):
    output = invoke("show", "tiny", "--workdir", done / "w")
    assert output.startswith("A tiny task: 12 users")
    lines = [
        next(line for line in output[output.index("\nrank ") :].splitlines() if f"  {row.title} " in line)
        for row in tables.board.rows
    ]
    places = [output.index(line) for line in lines]
    assert places == sorted(places)
    for row, line in zip(tables.board.rows, lines, strict=True):
        assert f"{np.mean(tables.value(row.id, 'ncf')):.3f}" in line
    assert tables.board.finding in " ".join(output.split())
    assert "how well held-out ratings are predicted" in output and "verifier minus this" in output


def test_a_comparison_turns_round(done, records, tables):
    forth = compare_generators(read_board(records), "rebeca", "catalogue-random")
    back = compare_generators(read_board(records), "catalogue-random", "rebeca")
    assert [each.measure for each in forth] == [each.measure for each in back]
    means = [np.mean(tables.value(name, "ncf")) for name in ("rebeca", "catalogue-random")]
    assert forth[0].declared
    assert [each.measure for each in forth][:2] == ["ncf", "lift:ncf"]
    own = next(each for each in forth if each.measure == "ncf")
    assert own.comparison.difference.estimate == pytest.approx(means[0] - means[1])
    output = invoke("compare", "tiny", "rebeca", "catalogue-random", "--workdir", done / "w")
    assert "rebeca minus catalogue-random" in output and "adjusted over all pairs by max-T, level 0.05" in output
    assert f"{means[0] - means[1]:+.3f}" in output


def test_what_was_not_compared_is_said(done, records):
    with pytest.raises(SpecError, match="no generator 'rebecca'"):
        compare_generators(read_board(records), "rebecca", "rebeca")
    with pytest.raises(SpecError, match="were not compared\\n  hint: rows without a rank are described"):
        compare_generators(read_board(records), "rebeca", "catalogue-verifier")
    board = read_board(records)
    spec = board.record.spec
    analysis = spec.analysis.model_copy(update={"family": "against-reference"})
    record = board.record.model_copy(update={"spec": spec.model_copy(update={"analysis": analysis})})
    board = replace(board, record=record)
    with pytest.raises(SpecError, match="hint: the task compares ranked generators with 'rebeca' only"):
        compare_generators(board, "rebeca", "catalogue-verifier")


def test_json_holds_every_row(done, tables):
    board = json.loads(invoke("show", "tiny", "--workdir", done / "w", "--json"))
    assert [row["id"] for row in board["generators"]] == [row.id for row in tables.board.rows]
    assert {row["status"] for row in board["generators"]} == {"self-reported"}


def test_records_of_another_content_or_of_a_modified_task_are_named(tiny, tmp_path):
    work = ("--workdir", tmp_path / "w")
    invoke("run", tiny, *work, "--quiet")
    assert "caution: the records" not in invoke("show", tiny, *work) and "newer" not in invoke("show", "tiny", *work)
    invoke("run", tiny, *work, "--quiet", "--set", "images=2")
    output = invoke("show", tiny, *work)
    (modified,) = (tmp_path / "w" / "records" / "tiny").glob("v1-modified-*")
    assert f"caution: newer records of this task, modified or of an older version: {modified}" in output
    assert f"of the modified task {modified.name[-8:]}" in invoke("show", modified)
    tiny.write_text(tiny.read_text().replace("images: 3", "images: 4"))
    assert "by now: run it again" in invoke("show", tiny, *work)


def test_one_user_is_no_shape_to_simulate(tiny, tmp_path):
    invoke("run", tiny, "--workdir", tmp_path / "w", "--quiet", "--limit-users", 1)
    output = invoke("calibrate", "tiny", "--workdir", tmp_path / "w", "--runs", 20, code=2)
    assert "have 1 user, and a simulation takes 2 or more" in output


def test_verify_looks_only_where_records_lie(done, tmp_path):
    deep = tmp_path / "a" / "b" / "c" / "d" / "v1" / "_task"
    deep.mkdir(parents=True)
    assert "name <records>/<task>/v<version>" in invoke("verify", tmp_path, code=7)
    for folder in (done / "w", done / "w" / "records", done / "w" / "records" / "tiny"):
        assert f"did you mean {done / 'w' / 'records' / 'tiny' / 'v1'}?" in invoke("verify", folder, code=7)


def test_a_comparison_names_measures_as_the_leaderboard_does(done):
    output = invoke("compare", "tiny", "rebeca", "catalogue-random", "--workdir", done / "w")
    sentences, table = output.split("\n\n", 1)
    assert [name in sentences for name in (" on preference", " on personal lift", "ncf")] == [True, True, False]
    assert [line.partition("  ")[0] for line in table.splitlines()[2:4]] == ["preference", "personal lift"]


def test_ranks_and_auc_are_explained_below_the_table(done):
    output = invoke("show", "tiny", "--workdir", done / "w")
    assert "\nrank: 2–3 means second or third" in output and "(AUC: 0.5 is chance, 1 is perfect)" in output
