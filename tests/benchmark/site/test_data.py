"""Data that pages load and readers download."""

import csv
import io
import json

import numpy as np
import pytest

from benchmark.site import data
from benchmark.site.images import Gallery


def value_of(script):
    assert script.isascii() and script.startswith("rebecaData=") and script.endswith(";\n")
    return json.loads(script.removeprefix("rebecaData=")[:-2])


def test_a_script_cannot_be_ended_from_inside():
    script = data.script({"a": "</script>\u2028é"})
    assert "<" not in script
    assert value_of(script) == {"a": "</script>\u2028é"}


def test_numbers_are_short_and_missing_ones_nothing():
    assert data.short(0.123456789) == 0.12346
    assert data.short(float("nan")) is None and data.short(None) is None


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_no_spreadsheet_calculates_a_title(text):
    assert data.plain(text) == f"'{text}"
    assert data.plain(f"a{text}") == f"a{text}"


def test_table_and_json_say_the_same(tables):
    board = json.loads(data.leaderboard_json(tables.board))
    rows = list(csv.DictReader(io.StringIO(data.leaderboard_csv(tables.board))))
    assert [row["id"] for row in rows] == [row["id"] for row in board["generators"]]
    for row, one in zip(rows, board["generators"], strict=True):
        assert float(row[tables.primary]) == one["cells"][tables.primary][0]
        assert one["cells"][tables.primary][0] == pytest.approx(np.mean(tables.value(row["id"], tables.primary)))
        assert row["rank low"] == ("" if one["rank"] is None else str(one["rank"]["low"]))


def test_pairs_are_differences_of_means(tables):
    found = value_of(data.pairs_script(tables.board))
    for measure, pairs in found["pairs"].items():
        for a, b, difference, low, high, p, verdict in pairs:
            assert a < b
            means = [np.nanmean(tables.value(found["ids"][i], measure)) for i in (a, b)]
            assert difference == pytest.approx(means[0] - means[1], rel=1e-3, abs=1e-6)
            assert low <= difference <= high and 0 < p <= 1 and verdict


def test_segments_are_means_over_their_users(tables):
    found = value_of(data.segments_script(tables))
    assert [one["id"] for one in found["segments"]] == [segment.id for segment in tables.segments[1:]]
    column = found["columns"].index(tables.primary)
    for one, segment in zip(found["segments"], tables.segments[1:], strict=True):
        assert one["users"] == segment.users.sum()
        for row, cells in zip(tables.board.rows, one["cells"], strict=True):
            expected = tables.value(row.id, tables.primary)[segment.users].mean()
            assert cells[column][0] == pytest.approx(expected, rel=1e-4)


def test_a_generators_script_carries_everybodys_values(tables):
    row = tables.board.rows[0]
    found = value_of(data.generator_script(tables, row, Gallery()))
    values = found["values"][tables.primary]
    assert values == pytest.approx(tables.value(row.id, tables.primary), rel=1e-4)
