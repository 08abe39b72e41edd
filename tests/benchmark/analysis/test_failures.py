"""Failing does not pay: what failed images count in means, sets, lifts and tests, and who loses the rank."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.analysis.inputs import lifts_of, with_lifts
from benchmark.analysis.measures import LIFT, worst_of_sets
from benchmark.stats.comparison import image_wins
from rebeca.interfaces import ScorerCard
from tests.benchmark.analysis.test_analyse import USERS, K, noise, rows, run

NAN = float("nan")


def failing(everyone, failed, lowest, name="a", sets=None):
    """A generator of whose images some failed; ``everyone`` is float [judges, users, K], before the failures."""
    users = len(failed)
    valid = np.where(failed[None], np.nan, everyone)
    count = (~failed).sum(axis=1)
    pairs = np.where(count > 0, np.nansum(valid, axis=2) / np.maximum(count, 1), np.nan)
    own = valid[np.arange(users), np.arange(users)].copy()
    base = rows(name, own, failed=failed)
    lowest = {"ncf": np.broadcast_to(lowest, users).astype(float)} | {
        measure: worst for measure, (_, worst) in (sets or {}).items()
    }
    return dataclasses.replace(
        base,
        lowest=lowest,
        pairs={"ncf": pairs[None]},
        sets={measure: values[None] for measure, (values, _) in (sets or {}).items()},
    )


def lift_of(row, reading="worst"):
    return lifts_of(row, "ncf", reading)[0]


def test_opinions_by_hand():
    """User 1 lost one of two images: the worst score of the user's own, and an average of others' sets for others."""
    everyone = np.array([
        [[0.8, 0.6], [0.2, 0.4], [0.3, 0.1]],
        [[0.5, 0.5], [0.9, 0.7], [0.1, 0.3]],
        [[0.4, 0.2], [0.6, 0.8], [1.0, 1.0]],
    ])  # fmt: skip
    failed = np.array([[False, False], [False, True], [False, False]])
    pairs, images = failing(everyone, failed, [0.0, 0.1, 0.0]).opinions("ncf", "worst")
    assert images.tolist() == [[2, 2, 2]]
    expected = [
        [0.7, (0.2 + (0.2 + 0.2) / 2) / 2, 0.2],  # user 0: 0.2 for the image, 0.2 and 0.2 for the others' sets
        [0.5, (0.9 + 0.1) / 2, 0.2],
        [0.3, (0.6 + (0.3 + 0.6) / 2) / 2, 1.0],
    ]
    np.testing.assert_allclose(pairs, [expected])
    kept, images = failing(everyone, failed, 0.0).opinions("ncf", "exclude")
    assert images.tolist() == [[2, 1, 2]]
    np.testing.assert_allclose(kept[0, :, 1], [0.2, 0.9, 0.6])


def test_a_user_without_any_image_has_the_worst_value_and_a_lift():
    failed = np.zeros((USERS, K), bool)
    failed[3] = True
    everyone = np.random.default_rng(0).random((USERS, USERS, K)) / 2 + 0.4
    row = failing(everyone, failed, 0.1)
    assert row.values("worst")["ncf"][3] == pytest.approx(0.1)
    assert np.isnan(row.values("exclude")["ncf"][3]) and np.isnan(lift_of(row, "exclude")[3])
    lifts = lift_of(row)
    assert np.isfinite(lifts).all() and lifts.argmin() == 3


def test_an_unknown_worst_score_leaves_failures_out():
    failed = np.zeros((USERS, K), bool)
    failed[:2, 0] = True
    everyone = np.random.default_rng(0).random((USERS, USERS, K))
    lowest = np.where(np.arange(USERS) == 1, np.nan, 0.0)
    row = failing(everyone, failed, lowest)
    both = [row.values(reading)["ncf"] for reading in ("exclude", "worst")]
    assert (both[0] != both[1]).tolist() == [True] + [False] * (USERS - 1)
    assert np.isnan(lift_of(row)).tolist() == [False, True] + [False] * (USERS - 2)  # another number of images


@st.composite
def cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    users, images = draw(st.integers(3, 9)), draw(st.integers(1, 5))
    lowest = draw(st.sampled_from([0.0, 0.2]))
    everyone = lowest + (1 - lowest) * np.floor(rng.random((users, users, images)) * 5) / 4
    failed = rng.random((users, images)) < draw(st.sampled_from([0.1, 0.5, 0.9]))
    failed[:2, 0] = False  # with one set there is nobody to compare with
    return everyone, failed, lowest


@given(case=cases())
def test_failing_never_raises_a_mean_nor_wins_a_round(case):
    """Whatever fails, for every user: images that are no worse than the worst score."""
    everyone, failed, lowest = case
    whole, some = (failing(everyone, mask, lowest) for mask in (np.zeros_like(failed), failed))
    assert (some.values("worst")["ncf"] <= whole.values("worst")["ncf"] + 1e-12).all()
    own = [row.read("ncf", "worst") for row in (whole, some)]
    rival = np.random.default_rng(1).random((len(failed), 3))
    before, after = (image_wins(scores, rival) for scores in own)
    assert (after <= before + 1e-12).all()


@given(case=cases())
def test_failing_raises_no_lift_unless_others_like_what_failed(case):
    """Of images that others like equally, none is worth withholding, whatever their own users think of them."""
    everyone, failed, lowest = case
    users = len(failed)
    alike = np.broadcast_to(everyone[:, :1, :1], everyone.shape).copy()
    alike[np.arange(users), np.arange(users)] = everyone[np.arange(users), np.arange(users)]
    whole, some = (failing(alike, mask, lowest) for mask in (np.zeros_like(failed), failed))
    assert lift_of(some).mean() <= lift_of(whole).mean() + 1e-12


@given(case=cases())
def test_the_mean_lift_is_own_minus_others_also_with_failures(case):
    everyone, failed, lowest = case
    row = failing(everyone, failed, lowest)
    (pairs,), (images,) = row.opinions("ncf", "worst")
    assert (images == failed.shape[1]).all()
    np.testing.assert_allclose(np.diag(pairs), row.values("worst")["ncf"])
    others = pairs[~np.eye(len(pairs), dtype=bool)]
    assert lift_of(row).mean() == pytest.approx(np.diag(pairs).mean() - others.mean())


CARDS = {True: ScorerCard("D", "cosine distance", True, "-"), False: ScorerCard("D", "cosine distance", False, "-")}


@pytest.mark.parametrize(("higher", "limits", "worst"), [(True, (0, 2), 0), (False, (0, 2), 2), (True, None, NAN)])
def test_the_worst_value_of_a_set_is_the_end_of_its_range(higher, limits, worst):
    np.testing.assert_equal(worst_of_sets(CARDS[higher], limits), worst)


def test_a_set_of_which_half_failed_keeps_half_of_its_value():
    failed = np.zeros((5, 4), bool)
    failed[0, :2] = failed[1, :3] = failed[2] = True
    values = np.array([0.6, NAN, NAN, 0.8, NAN])
    sets = {
        "diversity": (values, np.zeros(5)),
        "endless": (values, np.full(5, NAN)),
        "none": (values * NAN, np.zeros(5)),
    }
    row = failing(np.ones((5, 5, 4)), failed, 0.0, sets=sets)
    worst, kept = row.values("worst"), row.values("exclude")
    np.testing.assert_allclose(worst["diversity"], [0.3, 0, 0, 0.8, NAN])
    for measure, reading in (("diversity", kept), ("endless", kept), ("endless", worst)):
        np.testing.assert_array_equal(reading[measure], values)
    assert np.isnan(worst["none"]).all()


def some_failed(count, users=USERS, images=10):
    """The first ``count`` images of all users together."""
    failed = np.zeros(users * images, bool)
    failed[:count] = True
    return failed.reshape(users, images)


@pytest.mark.parametrize(
    ("count", "most", "ranked"), [(6, 0.05, True), (7, 0.05, False), (0, 0.0, True), (1, 0.0, False)]
)
def test_more_failures_than_declared_cost_the_rank(count, most, ranked):
    """Exactly the declared share is allowed: 6 of 120 images are 5 %."""
    rng = np.random.default_rng(0)
    lossy = rows("b", rng.random((USERS, 10)), failed=some_failed(count))
    others = [rows(name, rng.random((USERS, 10))) for name in "ac"]
    analysis = run([*others, lossy], most_failures=most, failures="worst")
    assert analysis.task.failing == (() if ranked else ("b",))
    for measure in ("ncf", LIFT + "ncf"):
        family = analysis.task.families[measure]
        assert ("b" in family.ranks) == ("b" in family.generators) == ranked
        assert any("b" in (pair.a, pair.b) for pair in family.comparisons) == ranked
    assert analysis.generators["b"].summary["ncf"].interval.estimate is not None  # it is still shown


def test_a_generator_that_fails_too_often_changes_nobody_elses_results():
    complete = [rows("a", noise(0)), rows("b", noise(1)), rows("c", noise(2))]
    lossy = rows("d", noise(3), failed=noise(4) < 0.5)
    alone, together = (run(generators, failures="worst").task for generators in (complete, [*complete, lossy]))
    assert together.failing == ("d",) and together.families == alone.families
    assert together.agreement == alone.agreement


def test_privileged_generators_have_no_rank_to_lose():
    lossy = rows("b", noise(1), failed=noise(2) < 0.5, ranked=False)
    assert run([rows("a", noise(0)), lossy]).task.failing == ()


def test_the_test_of_personalisation_keeps_its_level_with_failures():
    """Nothing is personal, and a tenth of the images failed: the sets of all users stay exchangeable."""
    rejected, runs = 0, 120
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        users, images = 16, 4
        quality, leniency = rng.normal(size=(users, images)), rng.normal(size=(users, 1, 1))
        everyone = quality[None] + leniency + 0.5 * rng.normal(size=(users, users, images))
        row = failing(everyone, rng.random((users, images)) < 0.1, everyone.min(axis=(1, 2)))
        row = dataclasses.replace(row, ranges={})
        personal = run([row], failures="worst", permutations=99, bootstrap=99).generators["a"].personal["ncf"]
        assert personal.estimable == users
        rejected += personal.median_double_centred.p <= 0.05
    assert rejected <= 12  # 5 % of 120 are 6, three standard errors more 13


def test_both_readings_are_the_same_without_failures():
    row = rows("a", noise(0), effect=0.2)
    kept, worst = (with_lifts(row, reading) for reading in ("exclude", "worst"))
    for measure in kept:
        np.testing.assert_array_equal(kept[measure], worst[measure])
