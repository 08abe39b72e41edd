"""Random groups of users: everybody in one, none too large, and lifts within them are right on average."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.stats.groups import Groups, divided
from benchmark.stats.personalisation import personal_lift
from benchmark.stats.random import stream


def test_members_targets_and_places():
    groups = Groups.of(np.array([7, 3, 7, 7]))
    assert groups.label.tolist() == [1, 0, 1, 1]
    assert groups.members.tolist() == [[1, -1, -1], [0, 2, 3]]
    assert groups.place.tolist() == [0, 0, 1, 2]
    assert groups.targets.tolist() == [[0, 2, 3], [1, -1, -1], [0, 2, 3], [0, 2, 3]]
    assert [own.tolist() for own in groups.each()] == [[1], [0, 2, 3]]
    assert Groups.of(np.zeros(3, np.int64)).targets.tolist() == [[0, 1, 2]] * 3
    assert Groups.of(np.zeros(0, np.int64)).each() == []


def test_without_a_limit_blocks_stay_whole():
    block = np.array([0, 1, 0, 1])
    assert divided(block, None, np.random.default_rng(0)) is block


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=80), st.integers(2, 30), st.integers(0, 9))
def test_groups_divide_blocks_evenly(labels, most, seed):
    block = np.array(labels)
    group = divided(block, most, np.random.default_rng(seed))
    for label in np.unique(group):
        assert len(np.unique(block[group == label])) == 1
    for label in np.unique(block):
        sizes = np.unique(group[block == label], return_counts=True)[1]
        assert sizes.max() <= most and sizes.max() - sizes.min() <= 1
        assert len(sizes) == -(-int((block == label).sum()) // most)


def test_lifts_within_groups_are_right_on_average_over_divisions():
    """The mean over all divisions is the lift among all users, also where tastes come in kinds."""
    rng, users = np.random.default_rng(1), 60
    kind = rng.integers(0, 3, users)
    scores = (
        rng.normal(size=(users, 1)) + rng.normal(size=(1, users)) + 0.8 * (kind[:, None] == kind) + 0.5 * np.eye(users)
    )
    whole = personal_lift(scores).mean()
    means = []
    for draw in range(400):
        groups = Groups.of(divided(np.zeros(users, np.int64), 12, stream("divisions", draw)))
        means.append(np.concatenate([personal_lift(scores[np.ix_(own, own)]) for own in groups.each()]).mean())
    assert np.mean(means) == pytest.approx(whole, abs=3 * np.std(means) / np.sqrt(len(means)))
    assert np.std(means) < 0.05
