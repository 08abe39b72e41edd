import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.stats.personalisation import (
    Stratum,
    block_permutation,
    comparable,
    double_centred,
    filled,
    image_shuffle,
    own_set_rank,
    pair_means,
    permutations_within,
    personal_lift,
    strata_of,
    well_known,
)
from benchmark.stats.simulation import OWN_CANDIDATES, Shape, simulate_sets


def stratum(scores):
    return Stratum(np.arange(len(scores)), np.asarray(scores, float))


def test_lift_is_own_minus_others_in_the_mean():
    scores = np.random.default_rng(0).normal(size=(9, 9))
    others = (scores.sum(axis=1) - np.diag(scores)) / 8
    assert personal_lift(scores).mean() == pytest.approx((np.diag(scores) - others).mean())


def test_lift_ignores_leniency_and_set_quality():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(7, 7))
    shifted = scores + rng.normal(size=(7, 1)) + rng.normal(size=(1, 7))
    np.testing.assert_allclose(personal_lift(scores), personal_lift(shifted), atol=1e-12)


def test_double_centred_has_no_margins():
    centred = double_centred(np.random.default_rng(2).normal(size=(5, 5)))
    np.testing.assert_allclose(centred.sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(centred.sum(axis=1), 0, atol=1e-12)


def test_block_permutation_equals_enumeration():
    scores = np.random.default_rng(3).normal(size=(5, 5))
    every = np.array(list(itertools.permutations(range(5))))
    t1, t2 = block_permutation([stratum(scores)], [every])
    rows = np.arange(5)
    centred = double_centred(scores)
    assert t1.at_least == sum(scores[rows, p].mean() >= np.diag(scores).mean() - 1e-12 for p in every)
    assert t2.at_least == sum(np.median(centred[rows, p]) >= np.median(np.diag(centred)) - 1e-12 for p in every)
    assert t1.statistic == pytest.approx(np.diag(scores).mean())
    assert t1.null_mean == pytest.approx(scores.mean())


def test_users_move_within_their_stratum_only():
    # two strata of very different level: across them every permutation would lower the diagonal
    low, high = np.zeros((4, 4)), np.full((4, 4), 10.0)
    permutations = permutations_within([4, 4], 200, np.random.default_rng(0))
    t1, t2 = block_permutation([stratum(low), stratum(high)], permutations)
    assert t1.p == 1.0
    assert t2.p == 1.0
    assert t1.z is None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 12))
def test_p_is_in_range_and_does_not_depend_on_labels(seed, users):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(users, users)) + np.eye(users) * rng.normal()
    relabel = rng.permutation(users)
    permutations = permutations_within([users], 99, np.random.default_rng(1))
    _, before = block_permutation([stratum(scores)], permutations)
    back = np.argsort(relabel)
    moved = [back[permutations[0][:, relabel]]]
    _, after = block_permutation([stratum(scores[np.ix_(relabel, relabel)])], moved)
    assert 0 < before.p <= 1
    assert before.at_least == after.at_least


def test_a_planted_effect_is_found_and_grows():
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(40, 40))
    permutations = permutations_within([40], 499, rng)
    z = [block_permutation([stratum(noise + e * np.eye(40))], permutations)[1].z for e in (0.0, 1.0, 3.0)]
    assert z[0] < z[1] < z[2]
    assert block_permutation([stratum(noise + 3 * np.eye(40))], permutations)[1].p == 1 / 500


def test_block_test_holds_its_level_where_the_published_scheme_does_not():
    rejected = {"block": 0, "published": 0}
    runs, users, images = 200, 20, 6
    for run in range(runs):
        rng = np.random.default_rng(run)
        # sets of equal quality in the mean, images of a set alike, judges with tastes, nothing personal
        taste = rng.normal(size=(users, 3))
        sets = rng.normal(size=(users, 3)) * np.sqrt(0.6)
        look = np.repeat(sets, images, axis=0) + rng.normal(size=(users * images, 3)) * np.sqrt(0.4)
        scores = taste @ look.T
        owner = np.repeat(np.arange(users), images)
        table = scores.reshape(users, users, images).mean(axis=2)
        _, block = block_permutation([stratum(table)], permutations_within([users], 99, rng))
        rejected["block"] += block.p <= 0.05
        rejected["published"] += image_shuffle(scores, owner, 99, rng).p <= 0.05
    assert rejected["block"] <= 20  # 5 % of 200 is 10, standard deviation 3.1
    assert rejected["published"] > 24


def test_image_shuffle_observed_value():
    rng = np.random.default_rng(8)
    scores = rng.random((4, 12))
    owner = np.repeat(np.arange(4), 3)
    result = image_shuffle(scores, owner, 50, rng)
    assert result.statistic == pytest.approx(np.median([scores[u, owner == u].mean() for u in range(4)]))
    shuffled = rng.permutation(12)
    again = image_shuffle(scores[:, shuffled], owner[shuffled], 50, np.random.default_rng(0))
    assert again.statistic == pytest.approx(result.statistic)


def test_own_set_rank_with_ties():
    beats, reciprocal = own_set_rank(np.zeros((4, 4)))
    np.testing.assert_allclose(beats, 0.5)
    np.testing.assert_allclose(reciprocal, 1 / 2.5)
    beats, reciprocal = own_set_rank(np.eye(4))
    np.testing.assert_allclose(beats, 1)
    np.testing.assert_allclose(reciprocal, 1)


@pytest.mark.parametrize("scores", [np.ones((1, 1)), np.ones((3, 2)), np.full((3, 3), np.nan), np.full((3, 3), np.inf)])
def test_a_stratum_that_cannot_be_permuted_is_refused(scores):
    with pytest.raises(ValueError, match="two or more users"):
        stratum(scores)


def test_strata_have_equal_blocks_and_images():
    pairs = np.random.default_rng(0).random((7, 7))
    block, images = np.array([0, 0, 0, 1, 1, 1, 1]), np.array([2, 2, 3, 2, 2, 0, 0])
    strata, left = strata_of(pairs, block, images)
    assert [s.users.tolist() for s in strata] == [[0, 1], [3, 4]]
    assert left == 3  # alone with three images, and two without any
    pairs[0, 1] = np.nan
    assert strata_of(pairs, block, images)[1] == 5


def test_equal_sets_tie_whatever_the_rounding():
    scores = np.random.default_rng(1).random((9, 1)) + np.zeros((9, 9)) + 0.1
    permutations = permutations_within([9], 99, np.random.default_rng(0))
    t1, t2 = block_permutation([stratum(scores)], permutations)
    assert (t1.p, t2.p) == (1, 1)
    assert not personal_lift(scores).any()


def test_means_of_pairs_by_hand():
    scores = np.array([[1.0, 3.0, 5.0, 7.0], [0.0, np.nan, 2.0, 4.0]])
    means, count = pair_means(scores, np.array([0, 0, 1, 1]))
    # the second user judges the first image only, so that user 0 is compared by it alone
    assert means.tolist() == [[1.0, 6.0], [0.0, 3.0]]
    assert count.tolist() == [[2, 2], [1, 2]]


def test_own_images_weigh_as_often_as_others_judge_them():
    scores = np.array([[1.0, 3.0, 0.0, 0.0], [8.0, np.nan, 0.0, 0.0], [8.0, 8.0, 0.0, 0.0]])
    means, _ = pair_means(scores, np.array([0, 0, 1, 2]))
    assert means[0, 0] == (1.0 + 2.0) / 2  # the second user compares with 1, the third with the mean of 1 and 3


def test_images_are_judged_that_could_be_shown_or_that_nobody_could():
    may_show = np.array([[True, False, False], [True, True, False]])
    assert comparable(may_show, np.array([1, 1, 0])).tolist() == [[True, False, True], [True, True, True]]


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 9))
def test_gaps_hold_leniency_plus_quality_and_change_no_lift_by_themselves(seed, m):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(m, 1)) + rng.normal(size=(1, m))
    gaps = scores.copy()
    gaps[0, 1] = gaps[2, 3] = np.nan
    np.testing.assert_allclose(filled(gaps), scores, atol=1e-9)
    order = rng.permutation(m)
    np.testing.assert_allclose(filled(gaps[np.ix_(order, order)]), filled(gaps)[np.ix_(order, order)], atol=1e-9)
    assert filled(scores) is scores


def test_users_with_few_scores_are_left_out():
    pairs = np.random.default_rng(0).random((6, 6))
    pairs[:, 2] = np.nan
    pairs[4, :3] = np.nan
    assert well_known(pairs).tolist() == [0, 1, 3, 4, 5]
    (stratum,), left = strata_of(pairs, np.zeros(6, int), np.full(6, 3))
    assert stratum.users.tolist() == [0, 1, 3, 4, 5] and left == 1
    assert not len(well_known(np.full((3, 3), np.nan)))


def retrieved(seed, judged):
    """Lift and T2's p of impersonal retrieval, with candidates per user; by all images or those judged."""
    rng = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        if not judged:
            patch.setattr("benchmark.stats.simulation.comparable", lambda may_show, owner: np.ones_like(may_show))
        scores, owner = simulate_sets(Shape(30, 4, 0.0), OWN_CANDIDATES, 0.0, rng)
    (stratum,), _ = strata_of(pair_means(scores, owner)[0], np.zeros(30, int), np.full(30, 4))
    _, test = block_permutation([stratum], permutations_within([len(stratum.users)], 99, rng))
    return personal_lift(stratum.scores).mean(), test.p


def test_impersonal_retrieval_has_no_lift_though_users_have_candidates_of_their_own():
    """By all images it has a negative one: a user's ratings raise other users' sets, and never the own one."""
    lifts, p = np.transpose([retrieved(seed, judged=True) for seed in range(200)])
    assert abs(lifts.mean()) < 3 * lifts.std() / np.sqrt(200)
    assert (p <= 0.05).mean() <= 0.08 and (p > 0.95).mean() <= 0.08
    lifts, p = np.transpose([retrieved(seed, judged=False) for seed in range(40)])
    assert lifts.mean() < -10 * lifts.std() / np.sqrt(40) and (p > 0.95).mean() > 0.2


def test_personal_retrieval_is_found_among_candidates_of_each_users_own():
    found = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        scores, owner = simulate_sets(Shape(30, 4, 0.0), OWN_CANDIDATES, 0.15, rng)
        (stratum,), left = strata_of(pair_means(scores, owner)[0], np.zeros(30, int), np.full(30, 4))
        assert left <= 1
        permutations = permutations_within([len(stratum.users)], 99, rng)
        found += block_permutation([stratum], permutations)[1].p <= 0.05
    assert found >= 38
