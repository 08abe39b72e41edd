"""The compact letter display says what the tests say, no more and no less."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.stats.letters import letters_of


def matrix(generators, pairs):
    differ = np.zeros((generators, generators), bool)
    for a, b in pairs:
        differ[a, b] = differ[b, a] = True
    return differ


@st.composite
def outcomes(draw):
    """Any outcome of the tests of one to nine generators."""
    generators = draw(st.integers(1, 9))
    pairs = list(combinations(range(generators), 2))
    return matrix(generators, [pair for pair in pairs if draw(st.booleans())])


@given(outcomes())
def test_two_generators_share_a_letter_exactly_where_they_are_not_significantly_different(differ):
    letters = letters_of(differ)
    for a, b in combinations(range(len(differ)), 2):
        assert bool(set(letters[a]) & set(letters[b])) == (not differ[a, b])


@given(outcomes())
def test_every_generator_has_a_letter_and_the_best_of_each_letter_stand_in_order(differ):
    letters = letters_of(differ)
    assert all(letters) and letters[0][0] == "a"
    holders = {}
    for generator, own in enumerate(letters):
        assert list(own) == sorted(own, key=lambda name: (len(name), name))
        for name in own:
            holders.setdefault(name, []).append(generator)
    in_order = [holders[name] for name in sorted(holders, key=lambda name: (len(name), name))]
    assert in_order == sorted(in_order)
    assert len(holders) == len({tuple(group) for group in in_order})


@given(outcomes())
def test_no_letter_can_be_taken_away(differ):
    """Each letter of each generator is needed: by a pair that shares no other, or as the generator's only one."""
    letters = [set(own) for own in letters_of(differ)]
    for generator, own in enumerate(letters):
        for name in own:
            left = own - {name}
            others = [other for k, other in enumerate(letters) if k != generator and name in other]
            assert not left or any(not left & other for other in others)


@pytest.mark.parametrize(
    ("generators", "pairs", "letters"),
    [
        (1, [], ["a"]),
        (3, [], ["a", "a", "a"]),
        (3, [(0, 1), (0, 2), (1, 2)], ["a", "b", "c"]),
        (3, [(0, 2)], ["a", "ab", "b"]),
        # what a greedy assignment gets wrong: the last two differ from the first, not from the second
        (4, [(0, 2), (0, 3)], ["a", "ab", "b", "b"]),
        (4, [(0, 2), (0, 3), (1, 3)], ["a", "ab", "bc", "c"]),
        # a worse mean with a wide interval is not told apart from the best
        (3, [(0, 1), (1, 2)], ["a", "b", "a"]),
        # swept: the fifth and sixth share letters with everybody without b
        (8, [(0, 6), (0, 7), (1, 6), (1, 7), (2, 7), (3, 7)], ["a", "a", "ab", "ab", "ac", "ac", "bc", "c"]),
    ],
)  # fmt: skip
def test_known_displays(generators, pairs, letters):
    assert ["".join(own) for own in letters_of(matrix(generators, pairs))] == letters


def test_more_than_26_letters_can_be_told_apart():
    letters = letters_of(~np.eye(60, dtype=bool))
    assert [own[0] for own in letters[24:28]] == ["y", "z", "a2", "b2"]
    assert letters[59] == ("h3",)
