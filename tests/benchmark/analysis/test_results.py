"""Results seen from the other side, and numbers that do not exist."""

import dataclasses

import numpy as np
import pytest

from benchmark.analysis.measures import Measure, all_with_role, both_by, with_role
from benchmark.analysis.numbers import Ends, Interval
from benchmark.analysis.results import Comparison, Rank
from benchmark.stats import comparison, intervals
from rebeca.interfaces import ScorerCard


def compared(seed=0, users=20):
    random = np.random.default_rng(seed)
    weights = intervals.resampling_weights(users, 99, random)
    a, b = random.random((users, 3)) ** 3, random.random((users, 3))
    beats = comparison.image_wins(a, b)
    difference = (a.mean(axis=1) - b.mean(axis=1))[:, None]
    rules = comparison.Rules(99, 0.05, 0.02)
    (result,) = comparison.compare(difference, weights, rules, np.random.default_rng(1), beats[:, None])
    return Comparison.of("a", "b", result)


def test_twice_reversed_is_the_same():
    pair = compared()
    again = pair.reversed().reversed()
    for field in dataclasses.fields(pair):
        if field.name not in ("prefer", "beats"):
            assert getattr(again, field.name) == getattr(pair, field.name)
    assert again.prefer.share == pytest.approx(pair.prefer.share)
    assert again.beats.low == pytest.approx(pair.beats.low)


def test_a_pair_seen_from_the_other_side():
    pair = compared()
    other = pair.seen_from("b")
    assert (other.a, other.b) == ("b", "a") and pair.seen_from("a") is pair
    assert other.difference.estimate == -pair.difference.estimate
    assert (other.difference.low, other.difference.high) == (-pair.difference.high, -pair.difference.low)
    assert other.prefer.share == 1 - pair.prefer.share
    assert {pair.verdict, other.verdict} in ({"better", "worse"}, {pair.verdict})
    assert other.p == pair.p


def test_what_does_not_exist_is_none():
    nothing = Interval.of(intervals.mean_interval(np.array([np.nan]), np.ones((3, 1))))
    assert (nothing.estimate, nothing.low, nothing.high, nothing.method) == (None, None, None, "none")
    assert not nothing.known and nothing.turned(lambda value: -value) == nothing
    assert Ends(None, 2.0).turned(lambda value: -value) == Ends(-2.0, None)


def test_a_rank_in_words():
    assert Rank(2, 2, "a", 0.5, 1).text == "2" and Rank(2, 4, "a", 0.5, 1).text == "2–4"


@pytest.mark.parametrize("key", ["ncf", "lift:ncf", "precision@5"])
def test_keys_of_measures_are_read_back(key):
    assert Measure.parse(key).key == key


def test_words_of_measures():
    preference, lift = both_by("ncf")
    assert (preference.kind, preference.label, preference.slug) == ("preference", "ncf", "preference")
    assert (lift.kind, lift.label, lift.slug) == ("personal lift", "personal lift, ncf", "lift")


def test_scorers_are_known_by_their_roles():
    cards = {
        "mine": ScorerCard("Mine", "probability", True, "", role="verifier"),
        "one": ScorerCard("One", "score", True, "", role="aesthetic"),
        "two": ScorerCard("Two", "score", True, "", role="aesthetic"),
    }
    assert with_role(cards, "verifier") == "mine" and with_role(cards, "auditor") is None
    assert all_with_role(cards, "aesthetic") == ["one", "two"]
