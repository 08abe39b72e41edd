"""Tastes have a peak, and are about what is shown as well as about colours."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import MEADOW, draw_scenes
from rebeca.tinyworld.taste import (
    ASPECTS,
    COMMON,
    CONTENT,
    SHARED,
    Seen,
    draw_ratings,
    draw_tastes,
    matches,
    rate,
    see,
)

USERS = 30


@pytest.fixture(scope="module")
def seen():
    return see(render(draw_scenes(1000, 5, "catalogue")))


@pytest.fixture(scope="module")
def tastes(seen):
    return draw_tastes(USERS, 5, seen)


def test_matches_are_shares_and_a_certain_ideal_matches_itself(seen, tastes):
    matched = matches(tastes.ideals, seen)
    assert matched.shape == (len(ASPECTS), USERS + 1, len(seen))
    assert matched.min() >= 0 and matched.max() <= 1
    itself = matches(COMMON, COMMON)[:, 0, 0]
    assert np.allclose(itself, 1)


def test_a_place_counts_only_where_the_thing_is_wanted_and_there(seen):
    place = ASPECTS.index("place of the disc")
    nothing = replace(COMMON, things=np.zeros_like(COMMON.things))
    assert not matches(nothing, seen)[place].any() and not matches(COMMON, nothing)[place].any()


def test_utilities_are_standardised_over_the_postcards(seen, tastes):
    utility = tastes.utility(seen)
    assert np.allclose(utility.mean(axis=1), 0, atol=1e-9) and np.allclose(utility.std(axis=1), 1)
    assert (tastes.weights >= 0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 1e6))
def test_no_image_is_liked_without_end(seen, tastes, seed, size):
    rng = np.random.default_rng(seed)
    wild = replace(seen.take(slice(0, 5)), colours=rng.normal(0, size, (5, 8)), horizon=rng.normal(0, size, (5, 1)))
    sums = tastes.weights.sum(axis=0)
    most = (np.sqrt(SHARED) * sums[-1] + np.sqrt(1 - SHARED) * sums[:-1] - tastes.shift) / tastes.scale
    assert (tastes.utility(wild) <= most[:, None] + 1e-9).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_more_of_a_colour_is_not_better(tastes, seed):
    """From the ideal on, a match of colours falls in every direction."""
    direction = np.random.default_rng(seed).normal(size=8)
    steps = np.linspace(0, 5, 11)[:, None] * direction
    along = Seen(*(np.repeat(getattr(COMMON, f.name), 11, axis=0) for f in fields(Seen)))
    along = replace(along, colours=tastes.ideals.colours[:1] + steps)
    match = matches(tastes.ideals, along)[ASPECTS.index("colours"), 0]
    assert match[0] == 1 and (np.diff(match) < 0).all()


def test_the_ideal_postcard_is_among_the_best(seen, tastes):
    own = Seen(*(getattr(tastes.ideals, f.name)[:USERS] for f in fields(Seen)))
    of_own = tastes.utility(own).diagonal()
    better = (tastes.utility(seen) > of_own[:, None]).mean(axis=1)
    assert np.mean(better) < 0.02


def test_most_users_care_for_what_is_shown(seen, tastes):
    bare = replace(seen, things=np.zeros_like(seen.things), trees=np.zeros_like(seen.trees))
    best = tastes.utility(seen).argmax(axis=1)
    users = np.arange(USERS)
    fall = tastes.utility(seen)[users, best] - tastes.utility(bare)[users, best]
    assert np.median(fall) > 0.8 and (fall > 0.3).mean() > 0.7


def test_some_care_for_content_and_some_for_colours(seen, tastes):
    matched = matches(tastes.ideals, seen)
    parts = np.einsum("au,aun->aun", tastes.weights, matched).var(axis=2)[:, :USERS]
    share = parts[-1] / parts.sum(axis=0)
    assert (share > 0.4).sum() >= 3 and (share < 0.2).sum() >= 3
    assert (parts[: len(CONTENT)].sum(axis=0) / parts.sum(axis=0) > 0.6).sum() >= 3


def test_the_common_taste_does_not_depend_on_the_users(seen):
    first, second = draw_tastes(1, 3, seen), draw_tastes(4, 8, seen)
    assert np.allclose(first.common(seen), second.common(seen))
    assert first.ideals.ground[-1, MEADOW] == 1
    assert np.isclose(first.common(seen).std(), 1)


def test_worlds_share_the_common_taste_almost(seen):
    """Aspects are weighed by how they differ in the world's postcards, which are other ones."""
    other = see(render(draw_scenes(1000, 6, "catalogue")))
    first, second = draw_tastes(1, 5, seen), draw_tastes(1, 5, other)
    assert np.corrcoef(first.common(seen), second.common(seen))[0, 1] > 0.99


def test_users_see_an_image_at_the_size_of_postcards_only():
    """A pattern that resampling removes hardly changes what is seen."""
    postcard = render(draw_scenes(1, 5, "catalogue"))[0]
    large = postcard.repeat(8, axis=0).repeat(8, axis=1).astype(int)
    board = 40 * (1 - 2 * (np.indices(large.shape[:2]).sum(axis=0) % 2))[..., None] * np.array([1, -1, 0])
    seen = see([large.astype(np.uint8), np.clip(large + board, 0, 255).astype(np.uint8)])
    for part in fields(Seen):
        plain, patterned = getattr(seen, part.name)
        assert np.abs(plain - patterned).max() < 0.5, part.name


@pytest.mark.parametrize("shape", [(64, 64), (64, 64, 4), (0, 64, 3)])
def test_other_arrays_are_refused(shape):
    with pytest.raises(ValueError, match="expected uint8"):
        see([np.zeros(shape, np.uint8)])


def test_floats_are_refused():
    with pytest.raises(ValueError, match="expected uint8"):
        see([np.zeros((64, 64, 3))])


def test_equal_postcards_give_no_taste(seen):
    tastes = draw_tastes(2, 5, seen.take(np.zeros(3, int)))
    assert np.isfinite(tastes.utility(seen)).all() and not tastes.utility(seen.take(np.zeros(3, int))).any()
    assert len(see([])) == 0 and tastes.utility(see([])).shape == (2, 0)


def test_ratings_follow_the_utility(seen, tastes):
    utility = tastes.utility(seen)
    user, item, rating = draw_ratings(tastes, utility, 5)
    assert set(np.unique(rating)) == {1.0, 2.0, 3.0, 4.0, 5.0}
    assert len(set(zip(user.tolist(), item.tolist(), strict=True))) == len(user)
    for index in range(USERS):
        own = user == index
        assert np.corrcoef(rating[own], utility[index, item[own]])[0, 1] > 0.7


def test_leniency_moves_ratings(seen, tastes):
    utility = tastes.utility(seen)
    lenient, strict = (
        rate(utility, np.full((USERS, 1), leniency), np.random.default_rng(1)).mean() for leniency in (0.5, -0.5)
    )
    assert lenient > strict + 0.5
