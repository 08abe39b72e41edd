"""The analysis of whole tasks on small made-up rows: every odd case has a named outcome."""

import dataclasses

import numpy as np
import pytest

from benchmark.analysis.analyse import analyse
from benchmark.analysis.inputs import Plan, Rows
from benchmark.analysis.measures import LIFT
from benchmark.analysis.results import Caution
from benchmark.stats.groups import Groups
from rebeca.interfaces import ScorerCard
from tests.builders import within_groups

USERS, K = 12, 4


def card(higher=True, **more):
    return ScorerCard("Verifier", "probability", higher, "Likes it.", **more)


def plan(**changes):
    base = Plan("test", "ncf", "a", "all-pairs", 0.05, 0.05, 499, 299, "auto", "exclude", 0.05, True)
    return dataclasses.replace(base, **changes)


def rows(name, scores, higher=True, ranked=True, lowest=0.0, failed=None, effect=0.0):
    """A generator whose sets everybody likes as their owner does, and owners a little more."""
    scores = np.array(scores, float)
    users, images = scores.shape
    failed = np.zeros((users, images), bool) if failed is None else failed
    scores[failed] = np.nan
    with np.errstate(invalid="ignore"):
        means = np.array([row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in scores])
    pairs = np.tile(means, (users, 1)) - effect * (1 - np.eye(users))
    digest = np.array([[f"{name}{u}{k}" for k in range(images)] for u in range(users)])
    return Rows(
        name, ranked, digest, np.full(failed.shape, -1), failed, {"ncf": scores}, {"ncf": np.full(users, lowest)},
        {"ncf": card(higher)}, {"ncf": (0.0, 1.0)}, {}, {"ncf": pairs[None]},
    )  # fmt: skip


def run(generators, block=None, **changes):
    users = len(generators[0].failed)
    block = np.zeros(users, np.int64) if block is None else block
    return analyse(plan(**changes), generators, block, np.zeros(users, np.int64))


def noise(seed=0, users=USERS):
    return np.random.default_rng(seed).random((users, K))


def comparison(analysis, measure="ncf"):
    return analysis.task.families[measure].comparisons[0]


def test_equal_images_are_identical():
    result = comparison(run([rows("a", noise()), rows("b", noise())]))
    assert result.verdict == "identical"
    assert result.test.p == 1
    assert result.difference.method == "constant"
    assert result.beats.estimate == pytest.approx(0.5)


def test_constant_scores_have_no_interval():
    analysis = run([rows("a", np.full((USERS, K), 0.5)), rows("b", np.full((USERS, K), 0.25))])
    assert analysis.generators["a"].summary["ncf"].interval.method == "constant"
    assert comparison(analysis).effect is None
    assert comparison(analysis).verdict == "better"
    personal = analysis.generators["a"].personal["ncf"]
    assert personal.median_double_centred.p == 1
    assert personal.median_double_centred.z is None


def test_one_user_is_described():
    analysis = run([rows("a", noise(0, 1)), rows("b", noise(1, 1))])
    assert analysis.generators["a"].personal["ncf"].estimable == 0
    assert analysis.generators["a"].personal["ncf"].lift is None
    assert comparison(analysis).verdict == "described"
    assert comparison(analysis).difference.method == "none"
    assert Caution("few-users", ("1",)) in analysis.task.cautions


def test_an_empty_user_leaves_and_is_counted():
    failed = np.zeros((USERS, K), bool)
    failed[3] = True
    analysis = run([rows("a", noise(0), failed=failed), rows("b", noise(1))], most_failures=0.1)
    summary = analysis.generators["a"].summary["ncf"]
    assert (summary.users, summary.without) == (USERS - 1, 1)
    assert comparison(analysis).difference.n == USERS - 1
    assert analysis.generators["a"].personal["ncf"].not_estimable == 1
    assert Caution("unequal-images", ("a",)) in analysis.task.cautions


def answered_for(users, name, scores):
    """A generator whose images the scorer does not answer for the other users."""
    scores = np.array(scores, float)
    scores[[u for u in range(USERS) if u not in users]] = np.nan
    return rows(name, scores)


def test_an_incomplete_generator_takes_no_rank_from_the_others():
    """Two submissions without a common user once left all generators without ranks."""
    complete = [rows("a", noise(0)), rows("b", noise(1) + 0.2), rows("c", noise(2))]
    halves = [answered_for(range(6), "d", noise(3)), answered_for(range(6, 12), "e", noise(4))]
    alone, together = run(complete).task, run([*complete, *halves]).task
    assert together.incomplete == ("d", "e") and alone.incomplete == together.failing == ()
    for measure in ("ncf", LIFT + "ncf"):
        assert together.families[measure] == alone.families[measure]
    assert sorted(alone.families["ncf"].ranks) == ["a", "b", "c"]


def test_a_rounded_up_twentieth_of_the_users_may_lack_a_value():
    generators = [rows(name, noise(seed)) for seed, name in enumerate("abc")]
    for users, complete in ((range(1, 12), True), (range(2, 12), False)):
        analysis = run([*generators, answered_for(users, "d", noise(3) + 0.3)])
        family = analysis.task.families["ncf"]
        assert ("d" in family.ranks, analysis.task.incomplete) == ((True, ()) if complete else (False, ("d",)))
    (pair,) = [pair for pair in family.comparisons if (pair.a, pair.b) == ("a", "b")]
    assert pair.difference.n == USERS


def test_a_generator_is_ranked_by_its_mean_over_its_own_users():
    """The order on the page is that of the means on the page, also where one user has no images by one generator."""
    high = np.full((USERS, K), 0.5)
    high[0] = 0.0
    without = answered_for(range(1, 12), "b", np.full((USERS, K), 0.48))
    analysis = run([rows("a", high), without])
    estimates = {name: analysis.generators[name].summary["ncf"].interval.estimate for name in "ab"}
    assert estimates["b"] > estimates["a"]
    ranks = analysis.task.families["ncf"].ranks
    assert (ranks["b"].order, ranks["a"].order) == (1, 2)


def test_a_reference_without_values_leaves_a_leaderboard_without_comparisons():
    everything = np.ones((USERS, K), bool)
    for failures in ("exclude", "worst"):
        generators = [rows("a", noise(0), failed=everything), rows("b", noise(1)), rows("c", noise(2))]
        analysis = run(generators, family="against-reference", failures=failures)
        assert (analysis.task.failing, analysis.task.incomplete) == (("a",), ())
        assert Caution("no-comparisons", ("a",)) in analysis.task.cautions
        assert all(not family.comparisons and not family.ranks for family in analysis.task.families.values())
        assert analysis.generators["a"].summary["ncf"].interval.estimate is None


def test_failures_have_no_worst_score_where_the_scorer_does_not_answer():
    """Images that nobody had rated once had a mean of real ratings, that of the failures alone."""
    failed = np.zeros((USERS, K), bool)
    failed[:, 0] = True
    silent = dataclasses.replace(rows("a", noise(0), failed=failed, lowest=0.1))
    silent.scores["ncf"][:] = np.nan
    silent.pairs["ncf"][:] = np.nan
    analysis = run([silent, rows("b", noise(1))], failures="worst")
    summary = analysis.generators["a"].summary["ncf"]
    assert (summary.interval.estimate, summary.worst, summary.users) == (None, None, 0)
    assert summary.unanswered == USERS * (K - 1)
    assert analysis.generators["a"].personal["ncf"].lift is None
    one = rows("a", noise(0), failed=failed, lowest=0.1)
    one.scores["ncf"][4, 1:] = np.nan  # this user's valid images have no score, and the failure is no answer
    summary = run([one, rows("b", noise(1))], failures="worst").generators["a"].summary["ncf"]
    assert (summary.users, summary.without, summary.unanswered) == (USERS - 1, 1, K - 1)


@pytest.mark.parametrize("users", [3, 5, 12])
def test_intervals_stay_within_the_range_of_the_measure(users):
    rng = np.random.default_rng(users)
    generators = [
        rows(name, (rng.random((users, K)) < share).astype(float))
        for name, share in zip("abc", (0.1, 0.5, 0.97), strict=True)
    ]
    analysis = run(generators)
    for name in "abc":
        interval = analysis.generators[name].summary["ncf"].interval
        assert interval.low is None or 0 <= interval.low <= interval.estimate <= interval.high <= 1
    for measure, most in (("ncf", 1), (LIFT + "ncf", 2)):
        for pair in analysis.task.families[measure].comparisons:
            ends = [end for end in (pair.difference.low, pair.difference.high) if end is not None]
            assert all(-most <= end <= most for end in ends)
            assert pair.beats is None or pair.beats.low is None or 0 <= pair.beats.low <= pair.beats.high <= 1


def test_infinities_are_refused():
    scores = noise()
    scores[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinite"):
        run([rows("a", scores), rows("b", noise(1))])


def test_failures_count_as_the_worst_score_in_means_and_lifts():
    failed = np.zeros((USERS, K), bool)
    failed[:, 0] = True
    generators = [rows("a", noise(0), failed=failed, lowest=-1.0, effect=0.4), rows("b", noise(1))]
    kept, worst = run(generators), run(generators, failures="worst")
    values = noise(0)[:, 1:]
    for analysis, decided in ((kept, values.mean()), (worst, (values.sum(axis=1) - 1).mean() / K)):
        summary = analysis.generators["a"].summary["ncf"]
        assert summary.interval.estimate == pytest.approx(decided)
        assert summary.exclude == pytest.approx(values.mean())
        assert summary.worst == pytest.approx((values.sum(axis=1) - 1).mean() / K)
        personal = analysis.generators["a"].personal["ncf"]
        assert personal.exclude == pytest.approx(0.4)
        # own means fall by a K-th of their distance to the worst score, others' opinions on average do not
        assert personal.worst == pytest.approx(0.4 - (values.mean() + 1) / K)
    assert worst.generators["a"].personal["ncf"].estimable == USERS
    assert Caution("unequal-images", ("a",)) not in worst.task.cautions


def test_lower_can_be_better():
    low, high = rows("a", noise(0), higher=False, effect=-0.3), rows("b", noise(1) + 2, higher=False)
    analysis = run([low, high])
    assert comparison(analysis).verdict == "better"
    assert comparison(analysis).difference.estimate < 0
    assert comparison(analysis).prefer.share == 1
    assert comparison(analysis).beats.estimate == 1
    ranks = analysis.task.families["ncf"].ranks
    assert (ranks["a"].order, ranks["b"].order) == (1, 2)
    assert ranks["a"].share_first == 1
    # own images score .3 lower than others': that is personal
    assert analysis.generators["a"].personal["ncf"].lift.estimate == pytest.approx(0.3)
    assert analysis.task.families[LIFT + "ncf"].ranks["a"].order == 1


def test_what_was_not_frozen_is_exploratory():
    generators = [rows("a", noise(0)), rows("b", noise(1))]
    assert run(generators).task.families["ncf"].declared
    assert not run(generators, frozen=False).task.families["ncf"].declared


def test_unranked_generators_are_not_compared():
    analysis = run([rows("a", noise(0)), rows("b", noise(1)), rows("c", noise(2), ranked=False)])
    assert analysis.task.families["ncf"].generators == ("a", "b")
    assert "c" in analysis.generators


def test_users_are_moved_within_blocks():
    block = np.repeat([0, 1], USERS // 2)
    generator = rows("a", noise(0), effect=0.2)
    pairs = {"ncf": within_groups(Groups.of(block), generator.pairs["ncf"])}
    analysis = run([dataclasses.replace(generator, pairs=pairs, group=block)], block=block)
    assert analysis.generators["a"].personal["ncf"].estimable == USERS
    assert analysis.generators["a"].personal["ncf"].lift.estimate == pytest.approx(0.2)


def test_skewed_differences_are_marked_with_both_intervals():
    skewed = np.exp(np.random.default_rng(0).normal(size=(40, 1)) * 1.5) + np.zeros((40, K))
    unlimited = [dataclasses.replace(each, ranges={}) for each in (rows("a", skewed), rows("b", noise(1, 40)))]
    analysis = run(unlimited)
    difference = comparison(analysis).difference
    assert difference.skewness > 1
    assert difference.method == "student-t"
    assert difference.bootstrap_t.high > difference.high
    assert {(c.kind, c.measure) for c in analysis.task.cautions} >= {
        ("skewed-values", "ncf"),
        ("skewed-differences", "ncf"),
    }
    declared = comparison(run(unlimited, interval="bootstrap-t")).difference
    assert (declared.method, declared.bootstrap_t) == ("bootstrap-t", None)
    assert declared.high == pytest.approx(difference.bootstrap_t.high)


def test_agreement_counts_every_image_of_a_user_once():
    a, b = rows("a", noise(0)), rows("b", noise(1))
    cards = {"ncf": card(), "auditor": card()}
    with_auditor = [
        dataclasses.replace(r, scores=r.scores | {"auditor": -2 * r.scores["ncf"]}, cards=cards) for r in (a, b)
    ]
    (agreement,) = run(with_auditor).task.agreement
    assert (agreement.a, agreement.b) == ("ncf", "auditor")
    assert agreement.images == 2 * USERS * K
    for kind in ("within_user", "pooled"):
        for name in ("pearson", "spearman"):
            assert getattr(getattr(agreement, kind), name).estimate == pytest.approx(-1)
    same = [with_auditor[0], dataclasses.replace(with_auditor[0], id="b")]
    assert run(same).task.agreement[0].images == USERS * K


def test_a_pair_does_not_depend_on_who_else_is_there():
    pair = [rows("a", noise(0)), rows("b", noise(1))]
    alone, with_third = run(pair), run([*pair, rows("c", noise(2))])
    for name in ("p", "at_least"):
        assert getattr(comparison(alone).test, name) == getattr(comparison(with_third).test, name)
    assert comparison(alone).difference == comparison(with_third).difference
    assert alone.generators["a"] == with_third.generators["a"]


def test_bigger_shifts_give_smaller_p():
    p = [comparison(run([rows("a", noise(0) + shift), rows("b", noise(1))])).test.p for shift in (0, 0.1, 0.3, 1)]
    assert p == sorted(p, reverse=True)
    assert p[-1] < 0.01
