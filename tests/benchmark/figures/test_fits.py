"""Spread between fits: every fit beside the mean."""

from dataclasses import replace

import pytest

from benchmark.board.board import Board
from benchmark.board.tables import Tables
from benchmark.figures.build import figures_of
from benchmark.figures.fits import fits
from benchmark.figures.style import SIZES, svg

BY_FIT = {"rebeca": (0.3, 0.4, 0.5), "rebeca-no-user": (0.35, 0.36, 0.37)}
SPREAD = {"rebeca": 0.1, "rebeca-no-user": 0.01}


def fitted(row):
    """The row as if its generator had been fitted three times."""
    if row.id not in BY_FIT:
        return row
    spread = {"by_fit": BY_FIT[row.id], "between_fits": SPREAD[row.id]}
    summary = {**row.record.summary, "ncf": replace(row.record.summary["ncf"], **spread)}
    record = row.record.model_copy(update={"summary": summary, "fits": row.record.fits * 3})
    return replace(row, record=record)


@pytest.fixture(scope="module")
def several(tables):
    board = tables.board
    rows = [fitted(row) for row in board.rows]
    return Tables(Board(board.folder, board.record, rows), tables.rows)


def test_points_are_fits_and_the_widest_spread_is_the_finding(several):
    (figure,) = fits(several)
    shown = figure.data.groupby("generator")["value"].apply(tuple).to_dict()
    assert shown == {several.board.titles[name]: values for name, values in BY_FIT.items()}
    title = several.board.titles["rebeca"]
    assert figure.title == f"Between fits, the preference of {title} varies most: a standard deviation of 0.10"
    (claim,) = figure.claims
    assert (claim.subject, claim.measure, claim.value) == ("rebeca", "between fits:ncf", 0.1)
    assert f"{title}: 0.10 over 3 fits" in figure.alt
    drawn = svg(figure, SIZES["page"])
    assert title in drawn and several.board.titles["catalogue-random"] not in drawn


def test_without_several_fits_there_is_no_figure(tables):
    assert fits(tables) == []


def test_other_figures_say_how_many_fits_they_are_about(tables, several):
    assert several.board.scope.models.startswith("methods, 3 fits each; one fit of ")
    for board, words in ((tables, "these fitted models"), (several, several.board.scope.models)):
        titles = {figure.name: figure.title for _, figure in figures_of(board)}
        assert titles["rank-stability"].endswith(f"({words})") and titles["ecdf"].endswith(f"({words})")
