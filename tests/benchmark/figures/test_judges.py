"""The judges on held-out ratings."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmark.figures.judges import judges
from benchmark.figures.style import SIZES


@pytest.fixture(scope="module")
def figures(tables):
    return {figure.name: figure for figure in judges(tables)}


def test_which_figures_there_are(figures):
    assert list(figures) == ["judges", "roc", "bootstrap-auc", "calibration", "learning-curve"]


def held_out(tables, judge):
    scores = tables.held_out
    own = (scores.judge == judge) & (scores.split == "test") & (scores.share == 1)
    return scores.user[own], scores.label[own], scores.score[own]


@pytest.mark.parametrize("judge", ["verifier", "auditor"])
def test_dots_are_means_within_users(tables, figures, judge):
    user, label, score = held_out(tables, judge)
    both = [u for u in np.unique(user) if len(np.unique(label[user == u])) > 1]
    areas = [roc_auc_score(label[user == u], score[user == u]) for u in both]
    dot = figures["judges"].data.set_index("judge").loc[judge]
    assert dot["auc"] == pytest.approx(np.mean(areas))
    assert dot["low"] <= dot["auc"] <= dot["high"] and dot["kind"] == "judge"


def test_the_pooled_curve_has_scikit_learns_area(tables, figures):
    _, label, score = held_out(tables, "verifier")
    curve = figures["roc"].data.query("judge == 'verifier' and ratings == 'held-out'")
    area = np.trapezoid(curve["true_positive"], curve["false_positive"])
    assert area == pytest.approx(roc_auc_score(label, score), abs=0.02)
    assert f"AUC is {roc_auc_score(label, score):.2f}" in figures["roc"].title


def test_draws_are_whole(figures):
    for _, bins in figures["bootstrap-auc"].data.groupby("judge"):
        assert bins["share"].sum() == pytest.approx(1.0)


def test_calibration_counts_every_rating(tables, figures):
    _, label, _ = held_out(tables, "verifier")
    bins = figures["calibration"].data.query("judge == 'verifier'")
    assert bins["ratings"].sum() == len(label)
    assert (bins["share"] * bins["ratings"]).sum() == pytest.approx(label.sum())


def test_the_learning_curve_ends_with_all_ratings(figures):
    curve = figures["learning-curve"].data
    assert curve["share"].tolist() == [0.5, 1.0]
    assert curve["estimate"].iloc[-1] == pytest.approx(figures["judges"].data.set_index("judge").loc["verifier", "auc"])


@pytest.mark.parametrize("name", ["judges", "roc", "bootstrap-auc", "calibration", "learning-curve"])
def test_they_are_drawn(figures, name):
    assert figures[name].draw(SIZES["page"]).to_dict()
