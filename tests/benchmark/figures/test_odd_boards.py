"""Figures of boards that are odd: each is drawn or says why not, and costs no other figure."""

from dataclasses import replace

import numpy as np
import pytest

from benchmark.figures import build
from benchmark.figures.style import SIZES, Undrawn, attempt, present, svg
from tests.conftest import TINY, invoke, make_folder, tables_of

RATINGS = "user,item,rating\n"


def every_figure(tables):
    """Figures, and names of those that are not drawn."""
    figures = [figure for _, figure in build.figures_of(tables)]
    undrawn = [figure for figure in figures if isinstance(figure, Undrawn)]
    for figure in figures:
        if not isinstance(figure, Undrawn):
            drawn = attempt(figure.name, lambda figure=figure: svg(figure, SIZES["page"]))
            assert isinstance(drawn, Undrawn) or "<svg" in drawn
            undrawn += [drawn] if isinstance(drawn, Undrawn) else []
    assert all(figure.reason for figure in undrawn)
    return figures, undrawn


def run(folder, text, *more):
    make_folder(folder / "data")
    (folder / "task.yaml").write_text(text)
    invoke("run", folder / "task.yaml", "--workdir", folder / "w", "--quiet", *more)
    (records,) = (folder / "w" / "records" / "tiny").iterdir()
    return tables_of(records)


@pytest.mark.parametrize("users", [1, 2])
def test_few_users(users, tmp_path):
    _, undrawn = every_figure(run(tmp_path, TINY, "--limit-users", users))
    assert undrawn == []


def test_one_generator(tmp_path):
    head, tail = TINY.split("  - {id: rebeca-no-user")
    _, undrawn = every_figure(run(tmp_path, head + tail[tail.index("scorers:") :]))
    assert undrawn == []


@pytest.fixture
def odd(done):
    """The finished board, which a test may damage; nothing of it is shared."""
    return tables_of(done / "w" / "records" / "tiny" / "v1")


def changed(tables, change):
    for row in tables.board.rows:
        rows = tables.rows[row.id]
        scores = {name: change(row, np.array(values, float)) for name, values in rows.scores.items()}
        pairs = {name: change(row, np.array(values, float)) for name, values in rows.pairs.items()}
        tables.rows[row.id] = replace(rows, scores=scores, pairs=pairs)
        tables.values[row.id] = {
            name: change(row, np.array(values, float)) for name, values in tables.values[row.id].items()
        }
    return tables


CHANGES = {
    "constants": lambda row, values: np.full_like(values, 0.5),
    "nothing": lambda row, values: np.full_like(values, np.nan),
    "no reference": lambda row, values: np.full_like(values, np.nan) if row.id == "rebeca" else values,
    "zeros": lambda row, values: np.zeros_like(values),
    "huge": lambda row, values: values * 1e300,
}


@pytest.mark.parametrize("name", CHANGES)
def test_odd_values(name, odd):
    figures, undrawn = every_figure(changed(odd, CHANGES[name]))
    assert len(undrawn) < len(figures)  # those of judges and training rest on other numbers


def test_a_guidance_that_a_fit_chose_is_no_place_on_the_grid(miniature_tables, monkeypatch):
    row = miniature_tables.board.rows[0]
    params = row.record.generator.params | {"prior_guidance": "validation"}
    generator = row.record.generator.model_copy(update={"params": params})
    other = replace(row, record=row.record.model_copy(update={"generator": generator}))
    board = replace(miniature_tables.board, rows=[other, *miniature_tables.board.rows[1:]])
    monkeypatch.setattr(miniature_tables, "board", board)
    figures, undrawn = every_figure(miniature_tables)
    assert undrawn == [] and any(figure.name.startswith("guidance") for figure in figures)


def test_one_that_fails_costs_no_other():
    figures = present({"good": lambda: "drawn", "none": lambda: None, "bad": lambda: float("validation")})
    assert figures == ["drawn", Undrawn("bad", "ValueError: could not convert string to float: 'validation'")]


def test_a_mistake_of_the_program_is_not_hidden():
    with pytest.raises(RuntimeError, match="a bug"):
        attempt("x", lambda: (_ for _ in ()).throw(RuntimeError("a bug")))


def test_the_page_names_what_cannot_be_drawn(done, tmp_path, monkeypatch):
    def broken(tables):
        raise ValueError("no <values> at all")

    monkeypatch.setattr(build, "FAMILIES", {"Ranks": (build.ranks,), "Broken": (broken,)})
    records = done / "w" / "records" / "tiny" / "v1"
    invoke("site", "build", records, "--out", tmp_path / "site")
    page = (tmp_path / "site" / "tasks" / "tiny" / "figures.html").read_text()
    assert "<code>broken</code>: cannot be drawn: ValueError: no &lt;values&gt; at all" in page
    assert "rank-stability.svg" in page
    build.write_figures(records, tmp_path / "print")
    assert '"cannot be drawn": "ValueError: no <values> at all"' in (tmp_path / "print" / "figures.json").read_text()
