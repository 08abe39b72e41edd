"""Two scorers on the same images, and the board beside the ground truth; expected numbers are worked out by hand."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.analysis.agreement import agreement, validity
from benchmark.analysis.inputs import Plan, Rows
from benchmark.analysis.results import Inversion
from benchmark.stats.intervals import resampling_weights
from rebeca.interfaces import ScorerCard

PLAN = Plan("test", "ncf", "a", "all-pairs", 0.05, 0.05, 99, 99, "auto", "exclude", 0.05, True)
CARDS = {
    "ncf": ScorerCard("Verifier", "probability", True, "Likes it.", role="verifier"),
    "auditor": ScorerCard("Auditor", "probability", True, "Likes it.", role="auditor"),
    "other": ScorerCard("Other", "points", True, "Something else."),
    "known": ScorerCard("Ground truth", "points", True, "Knows.", is_ground_truth=True),
    "cost": ScorerCard("Ground truth", "points", False, "Knows what it costs.", is_ground_truth=True),
}


def weights(users, draws=99):
    return resampling_weights(users, draws, np.random.default_rng(0))


def rows(name, scores, digest=None, ranked=True):
    """A generator with these scores, float [users, images] per scorer; all images differ unless ``digest`` says."""
    scores = {scorer: np.array(values, float) for scorer, values in scores.items()}
    shape = next(iter(scores.values())).shape
    if digest is None:
        digest = [[f"{name}-{user}-{image}" for image in range(shape[1])] for user in range(shape[0])]
    return Rows(
        name, ranked, np.array(digest), np.full(shape, -1), np.zeros(shape, bool), scores, {},
        {scorer: CARDS[scorer] for scorer in scores}, {}, {}, {},
    )  # fmt: skip


THREE_USERS = {
    "ncf": [[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]],
    "other": [[1, 3, 2, 4], [4, 3, 2, 1], [5, 5, 5, 5]],
}
"""Correlations within user: 0.8 (1 - 6 x 2 / (4 x 15)), -1, and none for a constant."""


def test_correlations_within_users_by_hand():
    (pair,) = agreement(PLAN, [rows("a", THREE_USERS)], weights(3))
    assert (pair.a, pair.b, pair.images, pair.users, pair.without) == ("ncf", "other", 12, 3, 1)
    assert pair.within_user.pearson.estimate == pytest.approx(-0.1)
    assert pair.within_user.spearman.estimate == pytest.approx(-0.1)
    assert pair.within_user.pearson.n == 2


def test_pooled_correlations_are_over_all_images():
    (pair,) = agreement(PLAN, [rows("a", THREE_USERS)], weights(3))
    x, y = (np.ravel(THREE_USERS[name]) for name in ("ncf", "other"))
    assert pair.pooled.pearson.estimate == pytest.approx(np.corrcoef(x, y)[0, 1])
    ranks = np.tile([2.0, 5.0, 8.0, 11.0], 3), [1.5, 5.5, 3.5, 7.5, 7.5, 5.5, 3.5, 1.5, 10.5, 10.5, 10.5, 10.5]
    assert pair.pooled.spearman.estimate == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert pair.pooled.pearson.low <= pair.pooled.pearson.estimate <= pair.pooled.pearson.high


def test_spearman_sees_the_order_only():
    (pair,) = agreement(PLAN, [rows("a", {"ncf": [[1, 2, 3]], "other": [[1, 2, 100]]})], weights(1))
    assert pair.within_user.spearman.estimate == pytest.approx(1)
    assert pair.within_user.pearson.estimate == pytest.approx(np.corrcoef([1, 2, 3], [1, 2, 100])[0, 1])


def test_an_image_of_two_users_counts_for_both():
    same = [["p", "q", "r", "p"], ["p", "q", "r", "r"]]
    shared = rows("a", {"ncf": [[1, 2, 3, 1], [3, 2, 1, 1]], "other": [[1, 2, 3, 1], [1, 2, 3, 3]]}, digest=same)
    (pair,) = agreement(PLAN, [shared], weights(2))
    assert (pair.images, pair.users, pair.without) == (6, 2, 0)
    assert pair.within_user.pearson.estimate == pytest.approx(0)  # +1 and -1


def test_images_without_both_scores_are_left_out():
    nan = float("nan")
    scores = {"ncf": [[1, 2, 3, nan], [1, 2, 3, 4]], "other": [[2, 4, 6, 8], [nan] * 4]}
    (pair,) = agreement(PLAN, [rows("a", scores)], weights(2))
    assert (pair.images, pair.users, pair.without) == (3, 1, 0)
    assert pair.within_user.pearson.estimate == pytest.approx(1)
    assert pair.within_user.pearson.method == "none"  # one user has no interval


def test_only_ranked_generators_with_both_scorers_count():
    a, b = rows("a", THREE_USERS), rows("b", THREE_USERS)
    privileged = dataclasses.replace(
        rows("c", {"ncf": THREE_USERS["other"], "other": THREE_USERS["ncf"]}), ranked=False
    )
    assert list(agreement(PLAN, [a, privileged], weights(3))) == list(agreement(PLAN, [a], weights(3)))
    assert list(agreement(PLAN, [privileged], weights(3))) == []
    unscored = rows("d", {"ncf": THREE_USERS["ncf"]})
    assert list(agreement(PLAN, [a, b, unscored], weights(3))) == []
    nobody = rows("e", {"ncf": THREE_USERS["ncf"], "other": np.full((3, 4), np.nan)})
    assert list(agreement(PLAN, [nobody], weights(3))) == []
    assert list(agreement(PLAN, [rows("f", {"other": THREE_USERS["other"]})], weights(3))) == []


@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_repeated_images_add_nothing(seed, copies):
    scores = {name: np.random.default_rng([seed, place]).random((3, 4)) for place, name in enumerate(("ncf", "other"))}
    once = rows("a", scores)
    digest = np.tile(once.digest, copies)
    repeated = rows("a", {name: np.tile(values, copies) for name, values in scores.items()}, digest=digest)
    assert list(agreement(PLAN, [repeated], weights(3))) == list(agreement(PLAN, [once], weights(3)))
    elsewhere = rows("b", scores, digest=once.digest)
    assert list(agreement(PLAN, [once, elsewhere], weights(3))) == list(agreement(PLAN, [once], weights(3)))


@given(st.integers(0, 2**32 - 1))
def test_users_levels_do_not_change_what_is_within_them(seed):
    rng = np.random.default_rng(seed)
    scores = {"ncf": rng.random((3, 5)), "other": rng.random((3, 5))}
    (plain,) = agreement(PLAN, [rows("a", scores)], weights(3))
    shifted = scores | {"other": scores["other"] * [[2.0], [3.0], [4.0]] + [[5.0], [-6.0], [7.0]]}
    (moved,) = agreement(PLAN, [rows("a", shifted)], weights(3))
    assert moved.within_user.pearson.estimate == pytest.approx(plain.within_user.pearson.estimate, abs=1e-9)
    assert moved.within_user.spearman == plain.within_user.spearman


def known(*names, scorers=("ncf", "known")):
    """Generators of which only the scorers' cards matter."""
    return [rows(name, {scorer: np.zeros((2, 1)) for scorer in scorers}) for name in names]


THREE = {
    "a": {"ncf": np.array([0.9, 0.7]), "known": np.array([3.0, 5.0])},
    "b": {"ncf": np.array([0.6, 0.6]), "known": np.array([1.0, 1.0])},
    "c": {"ncf": np.array([0.5, 0.5]), "known": np.array([2.0, 2.0])},
}
"""The board says a, b, c; the ground truth says a, c, b."""


def test_one_of_three_pairs_the_other_way_round():
    (order,) = validity(PLAN, known(*"abc"), THREE, weights(2))
    assert (order.measure, order.ground_truth, order.generators, order.users) == ("ncf", "known", ("a", "b", "c"), 2)
    assert order.tau.estimate == pytest.approx(1 / 3)
    (inversion,) = order.inversions
    assert (inversion.a, inversion.b, inversion.audited) == ("b", "c", None)
    assert inversion.judged == pytest.approx(0.1)
    assert inversion.ground_truth == pytest.approx(-1)


def test_the_auditor_may_side_with_the_ground_truth():
    audited = {"a": [0.9, 0.9], "b": [0.3, 0.4], "c": [0.5, 0.6]}
    values = {name: THREE[name] | {"auditor": np.array(audited[name])} for name in THREE}
    (order,) = validity(PLAN, known(*"abc", scorers=("ncf", "known", "auditor")), values, weights(2))
    assert order.inversions[0].audited == pytest.approx(-0.2)


def test_an_auditor_that_did_not_score_everybody_is_not_asked():
    values = THREE | {"a": THREE["a"] | {"auditor": np.array([0.9, 0.9])}}
    (order,) = validity(PLAN, known(*"abc", scorers=("ncf", "known", "auditor")), values, weights(2))
    assert order.inversions[0].audited is None


def test_equal_orders_have_no_inversions():
    values = {name: {"ncf": row["ncf"], "known": 10 * row["ncf"]} for name, row in THREE.items()}
    (order,) = validity(PLAN, known(*"abc"), values, weights(2))
    assert order.tau.estimate == 1
    assert order.inversions == ()


def test_a_ground_truth_that_is_better_low_turns_round():
    values = {name: {"ncf": row["ncf"], "cost": -row["known"]} for name, row in THREE.items()}
    (order,) = validity(PLAN, known(*"abc", scorers=("ncf", "cost")), values, weights(2))
    assert order.tau.estimate == pytest.approx(1 / 3)
    assert order.inversions == (Inversion("b", "c", pytest.approx(0.1), pytest.approx(-1), None),)


def test_lifts_are_compared_with_lifts():
    lifts = {"a": (0.1, 0.3), "b": (0.2, 0.1)}
    values = {
        name: THREE[name] | {"lift:ncf": np.full(2, judged), "lift:known": np.full(2, truth)}
        for name, (judged, truth) in lifts.items()
    }
    preference, lift = validity(PLAN, known(*"ab"), values, weights(2))
    assert (preference.measure, preference.tau.estimate) == ("ncf", 1)
    assert (lift.measure, lift.ground_truth, lift.tau.estimate) == ("lift:ncf", "lift:known", -1)
    assert [(inversion.a, inversion.b) for inversion in lift.inversions] == [("b", "a")]


def test_users_without_a_value_of_every_generator_are_left_out():
    values = {name: {key: np.append(row[key], 99.0) for key in row} for name, row in THREE.items()}
    values["b"]["known"][2] = np.nan
    (order,) = validity(PLAN, known(*"abc"), values, weights(3))
    assert order.users == 2
    assert order.tau.estimate == pytest.approx(1 / 3)
    assert order.inversions[0].ground_truth == pytest.approx(-1)


def test_generators_that_nobody_scored_are_left_out():
    values = THREE | {"b": {"ncf": THREE["b"]["ncf"], "known": np.full(2, np.nan)}}
    (order,) = validity(PLAN, known(*"abc"), values, weights(2))
    assert order.generators == ("a", "c")


@pytest.mark.parametrize(
    ("generators", "values"),
    [
        (known("a"), THREE),
        (known(*"ab", scorers=("ncf", "other")), THREE),
        ([known("a")[0], dataclasses.replace(known("b")[0], ranked=False)], THREE),
        (known(*"ab"), THREE | {"b": {"ncf": THREE["b"]["ncf"]}}),
        (
            known(*"ab"),
            {
                name: {"ncf": np.ones(2), "known": np.array(utility)}
                for name, utility in (("a", [1, np.nan]), ("b", [np.nan, 1]))
            },
        ),
    ],
    ids=["one generator", "no ground truth", "one ranked", "one measured", "no user in common"],
)
def test_nothing_is_said_without_two_generators_of_the_same_users(generators, values):
    assert list(validity(PLAN, generators, values, weights(2))) == []
