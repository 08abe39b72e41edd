"""Judges on held-out ratings beside their controls."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmark.runner.held_out_scores import others_mean, score_held_out
from rebeca.data.interactions import Interactions


@pytest.fixture(scope="module")
def path(prepared):
    return score_held_out(prepared.addresses, prepared.materials, [0.5], prepared.task.seeds, prepared.stages)


def test_every_held_out_rating_by_every_judge_and_control(prepared, path):
    table = pq.read_table(path).to_pandas()
    test = prepared.world.division.test
    held_out = table[table.split == "test"]
    assert set(held_out.judge) == {
        "verifier", "auditor", "population", "user mean", "users permuted", "others' mean"
    }  # fmt: skip
    for (_, share), rows in held_out.groupby(["judge", "share"], observed=True):
        assert rows.user.tolist() == test.user.tolist() and rows.item.tolist() == test.item.tolist()
        assert rows.label.tolist() == test.liked.tolist()
        assert share in (0.5, 1.0)
    assert set(held_out[held_out.share == 0.5].judge) == {"verifier"}
    train = table[table.split == "train"]
    assert set(train.judge) == {"verifier", "auditor"}


def test_scores_are_the_judges_own(prepared, path):
    table = pq.read_table(path).to_pandas()
    rows = table[(table.judge == "verifier") & (table.split == "test") & (table.share == 1)]
    scores = prepared.materials.judges["verifier"].catalogue_scores()
    assert rows.score.tolist() == scores[rows.user, rows.item].tolist()


def test_they_are_scored_once(prepared, path, monkeypatch):
    monkeypatch.setattr("benchmark.runner.held_out_scores.judge_tables", lambda *arguments: pytest.fail("again"))
    again = score_held_out(prepared.addresses, prepared.materials, [0.5], prepared.task.seeds, prepared.stages)
    assert again == path


def test_the_mean_of_others_leaves_the_own_rating_out():
    user, item = np.array([0, 1, 2, 0]), np.array([0, 0, 0, 1])
    rating = np.array([1.0, 2.0, 6.0, 5.0])
    rows = Interactions(user, item, rating, rating > 3, ("a", "b", "c"), ("x", "y"))
    assert others_mean(rows)[:3].tolist() == [4.0, 3.5, 1.5]
    assert np.isnan(others_mean(rows)[3])
