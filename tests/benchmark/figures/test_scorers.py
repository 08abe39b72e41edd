"""Scorers beside each other."""

import numpy as np
import pytest

from benchmark.figures.scorers import scorers
from benchmark.figures.style import SIZES


@pytest.fixture(scope="module")
def figures(miniature_tables):
    return {figure.name: figure for figure in scorers(miniature_tables)}


def test_which_figures_there_are(figures, tables):
    assert list(figures) == ["decoding", "bland-altman", "hpsv2-verifier", "laion-verifier", "prompts"]
    assert [figure.name for figure in scorers(tables)] == ["bland-altman"]


def test_decoding_shows_the_references_images(miniature_tables, figures):
    scores = miniature_tables.rows[miniature_tables.board.reference].scores
    before, after = scores["ncf-prior"].ravel(), scores["ncf"].ravel()
    data = figures["decoding"].data
    assert data["before"].tolist() == pytest.approx(before) and data["after"].tolist() == pytest.approx(after)
    assert f"correlation {np.corrcoef(before, after)[0, 1]:.2f}" in figures["decoding"].alt


def test_bland_altman_by_hand(tables):
    (figure,) = scorers(tables)
    verifier, auditor = (tables.value(tables.board.reference, name) for name in ("ncf", "auditor"))
    assert figure.data["difference"].tolist() == pytest.approx(verifier - auditor)
    assert figure.data["mean"].tolist() == pytest.approx((verifier + auditor) / 2)
    assert f"is {(verifier - auditor).mean():.3f} on average".replace("-", "−") in figure.title


@pytest.mark.parametrize("scorer", ["hpsv2", "laion"])
def test_beauty_stands_beside_preference(miniature_tables, figures, scorer):
    for _, point in figures[f"{scorer}-verifier"].data.iterrows():
        row = next(row for row in miniature_tables.board.rows if row.title == point["generator"])
        assert point["preference"] == pytest.approx(np.nanmean(miniature_tables.value(row.id, "ncf")))
        assert point["aesthetics"] == pytest.approx(np.nanmean(miniature_tables.value(row.id, scorer)))


def test_levels_of_prompts_begin_with_none(figures):
    levels = figures["prompts"].data.drop_duplicates("generator").set_index("generator")["level"]
    assert levels.iloc[0] == "no prompt"
    assert levels["persona"] == "words: persona" and levels["published"] == "words: published-2"


@pytest.mark.parametrize("name", ["decoding", "bland-altman", "hpsv2-verifier", "laion-verifier", "prompts"])
def test_they_are_drawn(figures, name):
    assert figures[name].draw(SIZES["page"]).to_dict()


def test_of_many_users_some_are_drawn_and_all_count(tables, monkeypatch):
    (whole,) = scorers(tables)
    monkeypatch.setattr("benchmark.figures.scorers.MOST_DOTS", 5)
    (some,) = scorers(tables)
    assert len(some.data) == 5 and (some.title, some.alt) == (whole.title, whole.alt)
    assert f"5 of {len(whole.data)} users are drawn" in some.note and "drawn" not in whole.note
