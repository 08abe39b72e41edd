"""Divisions into training, validation and test ratings."""

import numpy as np
import pytest

from rebeca.data.splits import SplitRule, divide
from tests.builders import grid


@pytest.mark.parametrize("kind", ["per-user", "held-out-items", "cold-users"])
@pytest.mark.parametrize("mode", ["shared", "disjoint"])
def test_nobody_sees_test_ratings(kind, mode):
    ratings = grid()
    share = kind == "held-out-items"
    rule = SplitRule(kind, 0.25 if share else 10, 0.2 if share else 6, mode)
    d = divide(ratings, rule, 4, np.zeros(40, int), 3)
    key = lambda r: set(zip(r.user.tolist(), r.item.tolist(), strict=True))  # noqa: E731
    parts = [key(p) for party in (d.generators, d.verifier, d.auditor) for p in (party.train, party.validation)]
    assert not any(part & key(d.test) for part in parts)
    if mode == "disjoint":
        assert sum(len(p) for p in parts) == len(set().union(*parts))
    else:
        assert parts[0] == parts[2] == parts[4]
    if share:
        assert d.test_items.sum() == 10
        assert not (d.test_items & d.validation_items).any()
        assert set(d.test.item) == set(np.flatnonzero(d.test_items))
    else:
        assert (d.test.ratings_per_user() == 10).all()
    if kind == "cold-users":
        assert d.cold.sum() == 4
        assert max(d.generators.train.ratings_per_user()[d.cold]) <= 5


def test_published_counts():
    # min(10, n) test ratings, then up to 10 validation ratings per user
    ratings = grid(users=6, items=50)
    d = divide(ratings, SplitRule("per-user", 10, 10, "shared"), 4, np.zeros(50, int), 42)
    assert (len(d.test), len(d.generators.validation), len(d.generators.train)) == (60, 60, 180)


def test_a_user_more_changes_nobody_elses_division():
    ratings = grid(users=8)
    fewer = ratings.where(ratings.user != 7)
    rule = SplitRule("per-user", 10, 6, "disjoint")
    a = divide(ratings, rule, 4, np.zeros(40, int), 1).generators.train
    b = divide(fewer, rule, 4, np.zeros(40, int), 1).generators.train
    mask = a.user != 7
    assert a.item[mask].tolist() == b.item.tolist()
