"""What the table of adversaries says of a row."""

import dataclasses

import pytest

from benchmark.analysis.numbers import Interval
from benchmark.analysis.results import Rank
from benchmark.stress.table import StressRow, has_first_letter, reaches


def interval(estimate, low=None, high=None):
    method = "none" if low is None else "bca"
    return Interval(estimate, low, high, method, 30, 0.0)


def row(**changes):
    values = {field.name: None for field in dataclasses.fields(StressRow)}
    values |= {"id": "attack", "title": "Attack", "adversary": True, "ranked": True, "first_letter": False}
    return StressRow(**(values | {"counted": True, "flags": ()} | changes))


@pytest.mark.parametrize(
    ("changes", "slips"),
    [
        ({}, True),
        ({"lift": interval(0.02)}, False),  # gained nothing
        ({"lift_known": interval(0.1, 0.01, 0.2)}, False),  # users do like it more than others do
        ({"lift_known": Interval(0.0, None, None, "constant", 30, None)}, True),  # nobody likes any of it
        ({"lift_known": interval(0.1)}, False),
        ({"ranked": False}, False),
        ({"adversary": False}, False),
        ({"lift_known": None}, False),
        ({"lift": None}, False),
    ],
)
def test_an_adversary_slips_if_it_is_ranked_by_a_lift_that_is_not_there(changes, slips):
    base = {"lift": interval(0.1, 0.05, 0.15), "lift_known": interval(0.01, -0.01, 0.03)}
    assert row(**(base | changes)).slips == slips


@pytest.mark.parametrize(
    ("rank", "first"),
    [
        (None, False),
        (Rank(1, 2, "a", 0.5, 1), True),
        (Rank(1, 4, "ab", 0.1, 3), True),
        (Rank(2, 4, "bc", 0.0, 4), False),
        (Rank(27, 29, "a2", 0.0, 28), False),  # the 27th letter
        (Rank(1, 3, "", 0.2, 2), True),
        (Rank(2, 3, "", 0.2, 2), False),
    ],
)
def test_the_first_letter_is_that_of_the_best(rank, first):
    assert has_first_letter(rank) == first


@pytest.mark.parametrize(
    ("own", "reference", "above"),
    [
        (interval(0.5), interval(0.6, 0.45, 0.7), True),
        (interval(0.4), interval(0.6, 0.45, 0.7), False),
        (None, interval(0.6, 0.45, 0.7), False),
        (interval(0.5), None, False),
        (interval(0.5), interval(0.4), False),  # nothing is known of the reference's end
        (interval(0.5), dataclasses.replace(interval(0.4), method="constant"), True),  # all users share its value
    ],
)
def test_who_reaches_the_reference(own, reference, above):
    assert reaches(own, reference) == above
