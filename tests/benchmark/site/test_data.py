"""Data that pages load and visitors download."""

import csv
import io
import json

import numpy as np
import pytest

from benchmark.site import data
from benchmark.site.images import Gallery, make_gallery


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
    scripts = data.segments_scripts(tables)
    index = value_of(scripts["segments"])
    assert [entry["id"] for entry in index["segments"]] == [segment.id for segment in tables.segments[1:]]
    assert set(scripts) == {"segments", *(f"segment-{segment.id}" for segment in tables.segments[1:])}
    column = index["columns"].index(tables.primary)
    for entry, segment in zip(index["segments"], tables.segments[1:], strict=True):
        assert entry["users"] == segment.users.sum()
        cells_of = value_of(scripts[f"segment-{segment.id}"])["cells"]
        for row, cells in zip(tables.board.rows, cells_of, strict=True):
            expected = tables.value(row.id, tables.primary)[segment.users].mean()
            assert cells[column][0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("most", [data.SCRIPT, 500, 1])
def test_a_generators_scripts_carry_every_users_value_once(tables, most):
    row = tables.board.rows[0]
    scripts = data.generator_scripts(tables, row, Gallery(), most)
    first = value_of(scripts[f"generator-{row.id}"])
    names = [f"generator-{row.id}", *(f"generator-{row.id}/{k}" for k in range(2, first["parts"] + 1))]
    assert list(scripts) == names and len(names) == {data.SCRIPT: 1, 1: len(tables.users)}.get(most, len(names))
    for column in tables.board.measures.everything():
        values = [v for name in names for v in value_of(scripts[name])["values"][column.key]]
        assert values == [data.short(v) for v in tables.value(row.id, column.key).tolist()]


def test_shown_users_have_their_own_preference_and_that_of_others(tables, tmp_path, monkeypatch):
    row, gallery = tables.board.rows[0], make_gallery(tables, tmp_path, None)
    pairs = tables.rows[row.id].mean_pairs(tables.primary)
    for most in (data.MOST_OTHERS, 4):
        monkeypatch.setattr(data, "MOST_OTHERS", most)
        shown = value_of(data.generator_scripts(tables, row, gallery)[f"generator-{row.id}"])
        for user in gallery.by_generator[row.id]:
            assert shown["own"][str(user)] == pytest.approx(tables.value(row.id, tables.primary)[user], rel=1e-4)
            others = np.sort(np.delete(pairs[:, user], user))
            drawn = shown["others"][str(user)]
            assert len(drawn) == min(most, len(others))
            assert (drawn[0], drawn[-1]) == pytest.approx((others[0], others[-1]), abs=6e-4)


@pytest.mark.parametrize("most", [data.SCRIPT, 3000])
def test_names_are_complete_and_no_script_is_larger_than_its_limit(most):
    users = [("\u00e9" * 200) + str(u) for u in range(3)]
    scripts = data.names_scripts(users, most)
    assert [name for script in scripts.values() for name in value_of(script)["names"]] == users
    assert list(scripts) == [f"users/{k}" for k in range(1, len(scripts) + 1)]
    assert len(scripts) == (1 if most == data.SCRIPT else 2)
    assert all(len(script) < most + 50 for script in scripts.values())


def test_pages_show_every_interval_that_records_have(tables):
    """The page would compute others over users alone, without the variance between fits."""
    families = tables.board.record.results.families
    shown = {column.key for column in tables.board.measures.everything()}
    compared = {key for key, family in families.items() if family.comparisons}
    assert set(value_of(data.pairs_script(tables.board))["pairs"]) == shown & compared
    assert len(shown & compared) > 2
