"""Likeness of users, who wins with whom, and groups of alike taste."""

import numpy as np
import pytest

from benchmark.board.tables import Tables
from benchmark.figures.style import SIZES
from benchmark.figures.users import users


@pytest.fixture(scope="module")
def figures(tables):
    return {figure.name: figure for figure in users(tables)}


def test_which_figures_there_are(figures):
    assert list(figures) == ["likeness", "wins", "personas"]


def test_likeness_is_a_symmetric_table_of_correlations(tables, figures):
    data = figures["likeness"].data
    assert len(data) == len(tables.users) ** 2
    place = {user: i for i, user in enumerate(tables.users)}
    for _, cell in data.iterrows():
        expected = tables.likeness[place[cell["user"]], place[cell["other"]]]
        assert cell["likeness"] == pytest.approx(expected, abs=1e-4)
    assert (data[data["user"] == data["other"]]["likeness"] == 1).all()


def test_the_winner_is_behind_nobody(tables, figures):
    rows = [row for row in tables.board.rows if row.ranked]
    values = tables.table(tables.primary, rows)
    best = values.max(axis=1)
    for _, cell in figures["wins"].data.iterrows():
        user, row = tables.users.index(cell["user"]), [row.title for row in rows].index(cell["generator"])
        assert cell["behind"] == pytest.approx(best[user] - values[user, row])
    won = values >= best[:, None] - 1e-12
    totals = (won / won.sum(axis=1, keepdims=True)).sum(axis=0)
    assert figures["wins"].title.startswith(f"{rows[int(np.argmax(totals))].title} is the best for the most users, ")


def test_groups_are_the_personas(tables, figures):
    labels, _ = tables.personas
    data = figures["personas"].data
    for _, cell in data[data["measure"] == "preference"].iterrows():
        row = next(row for row in tables.board.rows if row.title == cell["generator"])
        own = labels == int(cell["persona"].removeprefix("persona ")) - 1
        assert cell["users"] == own.sum()
        assert cell["mean"] == pytest.approx(np.nanmean(tables.value(row.id, tables.primary)[own]))


@pytest.mark.parametrize("name", ["likeness", "wins", "personas"])
def test_they_are_drawn(figures, name):
    assert figures[name].draw(SIZES["page"]).to_dict()


def test_few_users_make_no_groups(miniature_tables):
    labels, silhouette = miniature_tables.personas
    assert not labels.any() and silhouette == 0
    likeness, wins = users(miniature_tables)
    assert (likeness.name, wins.name) == ("likeness", "wins")


def test_of_many_users_a_column_of_wins_is_the_mean_of_several(tables, figures, monkeypatch):
    monkeypatch.setattr("benchmark.figures.users.MOST_COLUMNS", 5)
    wins = users(tables)[1]
    assert wins.data["place"].nunique() == 5 and "means over 2 or 3 users" in wins.note
    assert wins.title == figures["wins"].title and wins.alt == figures["wins"].alt
    assert set(wins.data.iloc[0]["user"].split()[-3:]) == {"and", "2", "more"}
    whole = figures["wins"].data.groupby("generator")["behind"].sum()
    weights = wins.data["user"].str.extract(r"and (\d+) more")[0].astype(int) + 1
    binned = (wins.data["behind"] * weights).groupby(wins.data["generator"]).sum()
    assert binned.to_dict() == pytest.approx(whole.to_dict())


def test_of_many_users_a_sample_makes_the_groups_and_each_other_user_joins_the_nearest(tables, monkeypatch):
    everybody = tables.personas[0]
    monkeypatch.setattr("benchmark.board.tables.MOST_COMPARED", len(tables.users) - 2)
    sampled = Tables(tables.board, tables.rows)
    assert len(sampled.sampled) == len(tables.users) - 2
    assert sampled.likeness.shape == (len(tables.users), len(tables.users) - 2)
    assert sampled.likeness == pytest.approx(tables.likeness[:, sampled.sampled])
    labels = sampled.personas[0]
    assert len(labels) == len(everybody) and labels.max() >= 1
    assert set(np.unique(labels)) == set(range(labels.max() + 1))
    assert [figure.name for figure in users(sampled)] == ["likeness", "wins", "personas"]
