"""Who loses the rank: rows that the confirming judge does not confirm, and rows of undeclared near-copies."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.analysis.confirmation import copies_of, exceeds
from benchmark.analysis.measures import LIFT
from rebeca.interfaces import ScorerCard
from tests.benchmark.analysis.test_analyse import USERS, card, noise, rows, run

ASKED = {"preference": 0.05, "lift": 0.03}
CONFIRMING = ScorerCard("Confirming judge", "expected likes", True, "Confirms.", role="confirming")
COPIES = ScorerCard("Near-copies", "share", False, "Copies.", role="copies")


def confirmed(row, lower=0.0, less_lift=0.0):
    """The row with a confirming judge whose preference and lift are lower by given amounts."""
    own = row.scores["ncf"] - lower
    others = row.pairs["ncf"] - lower + less_lift * (1 - np.eye(len(row.failed)))
    return dataclasses.replace(
        row,
        scores=row.scores | {"confirming": own},
        lowest=row.lowest | {"confirming": row.lowest["ncf"]},
        cards=row.cards | {"confirming": CONFIRMING},
        pairs=row.pairs | {"confirming": others},
    )


def copying(row, copies):
    copies = np.where(row.failed, np.nan, np.asarray(copies, float))
    return dataclasses.replace(
        row,
        scores=row.scores | {"near-copies": copies},
        lowest=row.lowest | {"near-copies": np.ones(len(row.failed))},
        cards=row.cards | {"near-copies": COPIES},
    )


def three(**changes):
    return [
        confirmed(rows("a", noise(0))),
        confirmed(rows("b", noise(1), effect=0.1), **changes),
        confirmed(rows("c", noise(2))),
    ]


@pytest.mark.parametrize(
    ("changes", "measure", "excess"),
    [
        ({"lower": 0.06}, "ncf", 0.06),
        ({"lower": 0.04}, None, 0.04),
        ({"lower": -0.5}, None, -0.5),
        ({"less_lift": 0.04}, LIFT + "ncf", 0.04),
        ({"less_lift": 0.02}, None, 0.02),
    ],
)
def test_a_difference_that_clearly_exceeds_the_margin_costs_the_rank(changes, measure, excess):
    """All users have the same difference here, so its interval is a point."""
    analysis = run(three(**changes), confirmation=ASKED)
    lost = measure is not None
    assert analysis.task.unconfirmed == (("b",) if lost else ())
    key = measure or (LIFT + "ncf" if "less_lift" in changes else "ncf")
    assert analysis.generators["b"].excess[key].estimate == pytest.approx(excess)
    for family in (analysis.task.families["ncf"], analysis.task.families[LIFT + "ncf"]):
        assert ("b" in family.generators) == ("b" in family.ranks) == (not lost)
    assert analysis.generators["b"].summary["ncf"].interval.estimate is not None  # it is still shown


@pytest.mark.parametrize(("lift", "confirming", "excess"), [(0.0, -0.2, 0.0), (-0.1, -0.3, -0.1), (0.2, -0.3, 0.2)])
def test_a_negative_lift_by_the_confirming_judge_counts_as_none(lift, confirming, excess):
    """A row without a lift by the verifier overstates nothing, however little others may like it less."""
    row = confirmed(rows("b", noise(1), effect=lift), less_lift=lift - confirming)
    analysis = run([confirmed(rows("a", noise(0))), row], confirmation=ASKED)
    assert analysis.generators["b"].personal["confirming"].lift.estimate == pytest.approx(confirming)
    assert analysis.generators["b"].excess[LIFT + "ncf"].estimate == pytest.approx(excess)
    assert analysis.task.unconfirmed == (("b",) if excess > ASKED["lift"] else ())


def test_a_confirming_lift_about_0_is_no_cliff():
    """Just below and just above 0, the same users' spread decides."""
    spread = np.random.default_rng(3).normal(0, 0.2, (USERS, USERS)) * (1 - np.eye(USERS))
    lows = []
    for shift in (-1e-6, 1e-6):
        row = confirmed(rows("b", noise(1), effect=0.06))
        lift = run([row], confirmation=ASKED).generators["b"].personal["confirming"].lift.estimate
        moved = row.pairs["confirming"] + spread + (lift + shift) * (1 - np.eye(USERS))
        moved = dataclasses.replace(row, pairs=row.pairs | {"confirming": moved})
        first = run([moved], confirmation=ASKED).generators["b"].personal["confirming"].lift.estimate
        exact = moved.pairs["confirming"] + (first - shift) * (1 - np.eye(USERS))
        analysis = run([dataclasses.replace(row, pairs=row.pairs | {"confirming": exact})], confirmation=ASKED)
        assert analysis.generators["b"].personal["confirming"].lift.estimate == pytest.approx(shift, abs=1e-9)
        lows.append(analysis.generators["b"].excess[LIFT + "ncf"].low)
    assert lows[0] == pytest.approx(lows[1], abs=1e-4)


def test_a_wide_interval_costs_nobody_the_rank():
    """The mean is above the margin, but a few users make it."""
    row = confirmed(rows("b", noise(1)))
    row.scores["confirming"][:2] -= 0.9
    analysis = run([confirmed(rows("a", noise(0))), row], confirmation=ASKED)
    assert analysis.generators["b"].excess["ncf"].estimate > ASKED["preference"]
    assert analysis.generators["b"].excess["ncf"].low < ASKED["preference"] and analysis.task.unconfirmed == ()


def test_what_failures_count_is_no_part_of_the_excess():
    """The two judges have other worst scores, which say nothing about the images that exist."""
    failed = np.zeros((USERS, 4), bool)
    failed[:, 0] = True
    row = confirmed(rows("b", noise(1), failed=failed), lower=0.01)
    row = dataclasses.replace(row, lowest=row.lowest | {"confirming": np.full(USERS, -0.9)})
    others = [confirmed(rows("a", noise(0)))]
    analysis = run([*others, row], confirmation=ASKED, failures="worst", most_failures=0.5)
    assert analysis.generators["b"].excess["ncf"].estimate == pytest.approx(0.01)
    assert analysis.generators["b"].excess[LIFT + "ncf"].estimate == pytest.approx(0.0, abs=1e-9)


def test_where_nothing_is_declared_nothing_changes():
    plain = run([rows("a", noise(0)), rows("b", noise(1))])
    silent = run([confirmed(rows("a", noise(0))), confirmed(rows("b", noise(1)), lower=0.9)])
    assert silent.task.unconfirmed == () and silent.generators["b"].excess == {}
    assert silent.task.families["ncf"] == plain.task.families["ncf"]
    alone = run([rows("a", noise(0)), rows("b", noise(1))], confirmation=ASKED)  # nobody was asked
    assert alone.task.families == plain.task.families


def test_a_row_that_loses_its_rank_changes_nobody_elses_results():
    honest = [confirmed(rows(name, noise(seed))) for seed, name in enumerate("abc")]
    fooled = confirmed(rows("d", noise(3)), lower=0.5)
    alone, together = (run(each, confirmation=ASKED).task for each in (honest, [*honest, fooled]))
    assert together.unconfirmed == ("d",) and together.families == alone.families


def test_privileged_generators_have_no_rank_to_lose():
    fooled = confirmed(rows("b", noise(1), ranked=False), lower=0.5)
    analysis = run([confirmed(rows("a", noise(0))), fooled], confirmation=ASKED)
    assert analysis.task.unconfirmed == () and analysis.generators["b"].excess["ncf"].estimate == pytest.approx(0.5)


@pytest.mark.parametrize(("share", "most", "ranked"), [(0.5, 0.05, False), (0.25, 0.25, True), (1.0, None, True)])
def test_more_undeclared_near_copies_than_declared_cost_the_rank(share, most, ranked):
    copies = np.arange(4)[None].repeat(USERS, axis=0) < 4 * share
    others = [copying(rows(name, noise(seed)), np.zeros((USERS, 4))) for seed, name in enumerate("ac")]
    analysis = run([*others, copying(rows("b", noise(5)), copies)], most_copies=most)
    assert analysis.task.copying == (() if ranked else ("b",))
    assert ("b" in analysis.task.families["ncf"].ranks) == ranked


@pytest.mark.parametrize(("inside", "most", "ranked"), [(0.25, 0.5, False), (0.5, 0.5, True), (0.0, None, True)])
def test_more_images_outside_the_world_than_declared_cost_the_rank(inside, most, ranked):
    support = ScorerCard("In the world", "share", True, "Could be items.", role="support")
    share = np.arange(4)[None].repeat(USERS, axis=0) < 4 * inside
    row = dataclasses.replace(copying(rows("b", noise(1)), share), cards={"ncf": card(), "near-copies": support})
    analysis = run([rows("a", noise(0)), rows("c", noise(2)), row], most_outside=most)
    assert analysis.task.outside == (() if ranked else ("b",))
    assert ("b" in analysis.task.families["ncf"].ranks) == ranked and analysis.task.copying == ()


def test_exactly_the_declared_share_is_allowed():
    """One of twenty images of every user; the sum of these shares may be rounded up."""
    copies = np.arange(20)[None].repeat(50, axis=0) < 1
    row = SimpleNamespace(cards={"near-copies": COPIES}, scores={"near-copies": copies.astype(float)})
    assert copies_of(row) == pytest.approx(0.05)
    assert not exceeds(0.05, copies_of(row)) and not exceeds(0.05, np.nextafter(0.05, 1)) and exceeds(0.05, 0.0501)


def test_failed_images_are_no_copies():
    failed = np.zeros((USERS, 4), bool)
    failed[:, 1:] = True
    copies = np.ones((USERS, 4))
    copies[1:, 0] = 0
    row = copying(rows("b", noise(1), failed=failed), copies)
    analysis = run([rows("a", noise(0)), row], most_copies=0.05, most_failures=0.9)
    assert analysis.task.copying == ("b",)  # 1 of 12 images that exist
    assert run([rows("a", noise(0)), row], most_copies=0.09, most_failures=0.9).task.copying == ()


def test_reasons_are_kept_together():
    failed = np.zeros((USERS, 4), bool)
    failed[:, 0] = True
    generators = [
        confirmed(rows("a", noise(0))),
        confirmed(rows("b", noise(1)), lower=0.4),
        copying(rows("c", noise(2)), np.ones((USERS, 4))),
        rows("d", noise(3), failed=failed),
    ]
    assert run(generators, confirmation=ASKED, most_copies=0.1).task.unranked == {"b", "c", "d"}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.0, 0.3), st.floats(0.0, 0.3))
def test_a_larger_margin_never_takes_a_rank(seed, margin, more):
    rng = np.random.default_rng(seed)
    row = confirmed(rows("b", noise(1)), lower=rng.normal(0.05, 0.1, (USERS, 1)))
    lost = [
        run([confirmed(rows("a", noise(0))), row], confirmation={"preference": each}).task.unconfirmed
        for each in (margin, margin + more)
    ]
    assert lost[0] or not lost[1]
