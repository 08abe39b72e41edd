"""Leaderboards and comparisons on a terminal."""

import json

import numpy as np
import pytest

from benchmark.commands.show import compare_generators, find_records
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
    with pytest.raises(SpecError) as never:
        find_records("tiny", [done / "nowhere"])
    assert "rebeca-bench run tiny" in str(never.value.hint)


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
    assert tables.board.finding in output.replace("\n", " ")
    assert "how well held-out ratings are predicted" in output and "verifier minus this" in output


def test_a_comparison_turns_round(done, records, tables):
    forth = compare_generators(records, "rebeca", "catalogue-random")
    back = compare_generators(records, "catalogue-random", "rebeca")
    assert [each.measure for each in forth] == [each.measure for each in back]
    means = [np.mean(tables.value(name, "ncf")) for name in ("rebeca", "catalogue-random")]
    assert forth[0].declared
    own = next(each for each in forth if each.measure == "ncf")
    assert own.comparison.difference.estimate == pytest.approx(means[0] - means[1])
    output = invoke("compare", "tiny", "rebeca", "catalogue-random", "--workdir", done / "w")
    assert "rebeca minus catalogue-random" in output and "adjusted over all pairs by max-T, level 0.05" in output
    assert f"{means[0] - means[1]:+.3f}" in output


def test_what_was_not_compared_is_said(done, records):
    with pytest.raises(SpecError, match="no generator 'rebecca'"):
        compare_generators(records, "rebecca", "rebeca")
    with pytest.raises(SpecError, match="were not compared"):
        compare_generators(records, "rebeca", "catalogue-verifier")


def test_json_holds_every_row(done, tables):
    board = json.loads(invoke("show", "tiny", "--workdir", done / "w", "--json"))
    assert [row["id"] for row in board["generators"]] == [row.id for row in tables.board.rows]
