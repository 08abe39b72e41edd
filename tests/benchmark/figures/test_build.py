"""All figures of a task, as the page and as files."""

import csv
import json

import pytest

from benchmark.figures import build


def test_names_differ_and_every_figure_says_something(tables, miniature_tables):
    for some in (tables, miniature_tables):
        figures = [figure for _, figure in build.figures_of(some)]
        assert len({figure.name for figure in figures}) == len(figures) > 15
        for figure in figures:
            assert len(figure.data) > 0 and figure.title and len(figure.alt) > 20


def test_two_figures_of_one_name_are_refused(tables, monkeypatch):
    monkeypatch.setattr(build, "FAMILIES", {"a": (build.ranks,), "b": (build.ranks,)})
    with pytest.raises(RuntimeError, match="two figures are called rank-stability"):
        list(build.figures_of(tables))


def test_files_for_print(done, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "FAMILIES", {"Ranks": (build.ranks,)})
    written = build.write_figures(done / "w" / "records" / "tiny" / "v1", tmp_path / "out")
    assert {path.suffix for path in written} == {".csv", ".svg", ".pdf", ".png", ".json"}
    assert len(written) == 8
    (entry,) = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert (entry["name"], entry["heading"]) == ("rank-stability", "Ranks")
    with (tmp_path / "out" / "rank-stability.csv").open() as stream:
        assert next(csv.reader(stream))[:3] == ["generator", "rank", "share"]
