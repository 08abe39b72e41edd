"""Data that pages load and visitors download."""

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
    for row, generator in zip(rows, board["generators"], strict=True):
        assert float(row[tables.primary]) == generator["cells"][tables.primary][0]
        assert generator["cells"][tables.primary][0] == pytest.approx(np.mean(tables.value(row["id"], tables.primary)))
        assert row["rank low"] == ("" if generator["rank"] is None else str(generator["rank"]["low"]))


def test_pairs_are_differences_of_means(tables):
    script = value_of(data.pairs_script(tables.board))
    for measure, pairs in script["pairs"].items():
        for a, b, difference, low, high, p, verdict in pairs:
            assert a < b
            means = [np.nanmean(tables.value(script["ids"][i], measure)) for i in (a, b)]
            assert difference == pytest.approx(means[0] - means[1], rel=1e-3, abs=1e-6)
            assert low <= difference <= high and 0 < p <= 1 and verdict


def test_segments_are_means_over_their_users(tables):
    script = value_of(data.segments_script(tables))
    assert [entry["id"] for entry in script["segments"]] == [segment.id for segment in tables.segments[1:]]
    column = script["columns"].index(tables.primary)
    for entry, segment in zip(script["segments"], tables.segments[1:], strict=True):
        assert entry["users"] == segment.users.sum()
        for row, cells in zip(tables.board.rows, entry["cells"], strict=True):
            expected = tables.value(row.id, tables.primary)[segment.users].mean()
            assert cells[column][0] == pytest.approx(expected, rel=1e-4)


def test_a_generators_script_carries_all_users_values(tables):
    row = tables.board.rows[0]
    values = value_of(data.generator_script(tables, row, Gallery()))["values"][tables.primary]
    assert values == pytest.approx(tables.value(row.id, tables.primary), rel=1e-4)


def test_pages_show_every_interval_that_records_have(tables):
    """The page would compute others over users alone, without the variance between fits."""
    families = tables.board.record.results.families
    shown = {column.key for column in tables.board.measures.everything()}
    compared = {key for key, family in families.items() if family.comparisons}
    assert set(value_of(data.pairs_script(tables.board))["pairs"]) == shown & compared
    assert len(shown & compared) > 2
