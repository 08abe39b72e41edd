"""Fits in the analysis of a task: verdicts are about methods, not about one fit of each."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmark.analysis.analyse import analyse
from benchmark.analysis.fits import Fits
from benchmark.analysis.inputs import Plan, Rows
from benchmark.analysis.measures import AUDITOR, VERIFIER
from benchmark.analysis.results import Analysis, Caution
from benchmark.stats.fits import FittedValues, fit_effects, half_widths
from benchmark.stats.intervals import Interval, mean_interval, widened
from rebeca.arrays import Floats, Ints
from rebeca.interfaces import ScorerCard

USERS, FITS, K = 30, 3, 6
PLAN = Plan("test", "ncf", "a", "all-pairs", 0.05, 0.05, 499, 299, "auto", "exclude", 0.05, True)


def card(role: str) -> ScorerCard:
    return ScorerCard(role, "probability", True, "Likes it.", role=role)


def rows(name: str, seed: int, sd_fits: float = 0.05, keys: tuple[str, ...] | None = None, use: str = "rebeca") -> Rows:
    """A generator of 3 fits; image k is of fit k mod 3, and each fit moves all its images."""
    rng = np.random.default_rng(seed)
    fits = np.tile(rng.normal(0, sd_fits, FITS), K // FITS)
    scores = 0.5 + fits + rng.normal(0, 0.05, (USERS, 1)) + rng.normal(0, 0.05, (USERS, K))
    personal = rng.normal(0, 0.02, FITS)
    pairs = np.stack(
        [
            scores[:, f::FITS].mean(axis=1)
            - (0.1 + personal[f] + rng.normal(0, 0.01, (USERS, 1))) * (1 - np.eye(USERS))
            for f in range(FITS)
        ]
    )
    auditor = scores + rng.normal(0, 0.01, scores.shape)
    digest = np.array([[f"{name}{u}{k}" for k in range(K)] for u in range(USERS)])
    return Rows(
        id=name,
        ranked=True,
        digest=digest,
        item=np.full(digest.shape, -1),
        failed=np.zeros(digest.shape, bool),
        scores={"ncf": scores, "auditor": auditor},
        lowest={"ncf": np.zeros(USERS), "auditor": np.zeros(USERS)},
        cards={"ncf": card(VERIFIER), "auditor": card(AUDITOR)},
        ranges={"ncf": (0.0, 1.0)},
        sets={"diversity": rng.random((FITS, USERS))},
        pairs={"ncf": pairs},
        procedure=use,
        fits=FITS,
        fit_keys=tuple(f"{name}{f}" for f in range(FITS)) if keys is None else keys,
    )


def run(generators: list[Rows], **changes: object) -> Analysis:
    block: Ints = np.zeros(USERS, np.int64)
    return analyse(dataclasses.replace(PLAN, **changes), generators, block, block)  # type: ignore[arg-type]


def by_fit(own: Rows) -> Floats:
    return np.stack([own.scores["ncf"][:, f::FITS].mean(axis=1) for f in range(FITS)])


def test_means_of_fits_are_reported() -> None:
    own = rows("a", 0)
    results = run([own, rows("b", 1)]).generators["a"]
    expected = by_fit(own).mean(axis=1)
    assert results.summary["ncf"].by_fit == pytest.approx(expected)
    assert results.summary["ncf"].between_fits == pytest.approx(expected.std(ddof=1))
    assert results.summary["diversity"].by_fit == pytest.approx(own.sets["diversity"].mean(axis=1))
    assert len(results.personal["ncf"].by_fit) == FITS
    assert np.mean(results.personal["ncf"].by_fit) == pytest.approx(results.personal["ncf"].lift.estimate)


def test_intervals_hold_the_error_of_fits() -> None:
    generators = [rows("a", 0), rows("b", 1)]
    summary = run(generators).generators["a"].summary["ncf"]
    values = [FittedValues(own.id, "rebeca", own.fit_keys, by_fit(own)) for own in generators]
    half = half_widths(fit_effects(values, 499, "test", "ncf").draws, 0.95)[0]
    alone = mean_interval(generators[0].scores["ncf"].mean(axis=1), np.ones((1, USERS), np.int64))
    expected = widened(alone, float(half), (0.0, 1.0))
    assert summary.interval.low == pytest.approx(expected.low) and summary.interval.high == pytest.approx(expected.high)
    assert summary.interval.high - summary.interval.low > 1.5 * (alone.high - alone.low)


def test_fits_add_nothing_to_a_measure_that_a_generator_lacks() -> None:
    """New images handed in have no observed ratings; pages ask for their interval in every segment of users."""
    generators = [rows("a", 0), dataclasses.replace(rows("b", 1), pairs={})]
    values = {"a": {"lift:ncf": np.zeros(USERS)}, "b": {}}
    unknown = Interval(np.nan, np.nan, np.nan, "none", 0)
    fits = Fits(PLAN, generators, values)
    assert fits.widened(unknown, "lift:ncf", "b", (-1.0, 1.0)) is unknown
    known = Interval(0.0, -0.01, 0.01, "student-t", USERS)
    assert fits.widened(known, "lift:ncf", "a", (-1.0, 1.0)).high > 0.01


def test_gap_has_the_error_of_fits_too() -> None:
    gap = run([rows("a", 0), rows("b", 1)]).generators["a"].gap
    one = run([rows("a", 0, keys=("same",)), rows("b", 1, keys=("other",))]).generators["a"].gap
    assert gap is not None and one is not None
    assert gap.estimate == one.estimate and gap.low < one.low


def test_equal_methods_differ_only_if_one_fit_is_taken_for_the_method() -> None:
    """Fits differ by more than users explain: as one fit each, most of these pairs would be told apart."""
    fitted = [rows(name, seed) for seed, name in enumerate("abcd")]
    single = [rows(name, seed, keys=(name,)) for seed, name in enumerate("abcd")]
    verdicts = [pair.verdict for pair in run(fitted).task.families["ncf"].comparisons]
    conditional = [pair.verdict for pair in run(single).task.families["ncf"].comparisons]
    assert not {"better", "worse"} & set(verdicts)
    assert {"better", "worse"} & set(conditional)


def test_variance_between_fits_is_in_the_family() -> None:
    family = run([rows("a", 0), rows("b", 1), rows("r", 2, keys=("only",), use="catalogue")]).task.families["ncf"]
    assert set(family.fits) == {"rebeca"}
    assert family.fits["rebeca"].total.degrees == 4
    assert run([rows("a", 0, keys=("x",)), rows("b", 1, keys=("y",))]).task.families["ncf"].fits == {}


def test_pairs_that_share_their_fits_are_compared_within_them() -> None:
    """One generator with a constant gain, same fits: found although the fits differ by far more."""
    base = rows("a", 0, sd_fits=0.2)
    better = dataclasses.replace(
        base, id="b", scores={name: scores + 0.03 for name, scores in base.scores.items()}, pairs={}
    )
    noise = np.random.default_rng(5).normal(0, 0.01, better.scores["ncf"].shape)
    better = dataclasses.replace(better, scores={name: scores + noise for name, scores in better.scores.items()})
    (shared,) = run([base, better]).task.families["ncf"].comparisons
    own = dataclasses.replace(better, fit_keys=("p", "q", "r"))
    (apart,) = run([base, own]).task.families["ncf"].comparisons
    assert shared.verdict == "worse" and apart.verdict == "inconclusive"
    assert shared.difference.estimate == apart.difference.estimate


def test_an_unranked_generator_changes_no_other() -> None:
    ranked = [rows("a", 0), rows("b", 1)]
    privileged = dataclasses.replace(rows("c", 2, sd_fits=0.3), ranked=False)
    alone, together = run(ranked), run([*ranked, privileged])
    assert together.task.families == alone.task.families
    assert {name: together.generators[name] for name in "ab"} == alone.generators
    own = together.generators["c"].summary["ncf"].interval
    assert own.high - own.low > 0.1


def test_unequal_variances_between_fits_are_named() -> None:
    generators = [rows(name, seed, sd_fits=0.2 if name == "a" else 0.0001) for seed, name in enumerate("abc")]
    cautions = run(generators).task.cautions
    assert Caution("unequal-fits", ("a", "b", "c"), "ncf") in cautions


def test_fits_of_which_nothing_is_known_are_named() -> None:
    """Every user misses the images of one fit."""
    broken = rows("b", 1, use="plug-in")
    missing = np.arange(USERS)[:, None] % FITS == np.arange(K) % FITS
    broken = dataclasses.replace(
        broken, scores={name: np.where(missing, np.nan, s) for name, s in broken.scores.items()}
    )
    task = run([rows("a", 0), broken]).task
    assert set(task.families["ncf"].fits) == {"rebeca"}
    assert Caution("unknown-fits", ("b",), "ncf") in task.cautions
    assert not any(caution.kind == "unknown-fits" for caution in run([rows("a", 0), rows("b", 1)]).task.cautions)


def test_the_order_of_generators_changes_nothing() -> None:
    generators = [rows(name, seed) for seed, name in enumerate("abc")]
    forwards, backwards = run(generators), run(generators[::-1])
    for name in "abc":
        assert forwards.generators[name].summary["ncf"].interval.low == pytest.approx(
            backwards.generators[name].summary["ncf"].interval.low
        )
        assert forwards.task.families["ncf"].ranks[name].low == backwards.task.families["ncf"].ranks[name].low


def test_generators_of_other_procedures_do_not_pool() -> None:
    """Models that somebody else fitted have a variance of their own."""
    mine, theirs = rows("a", 0, use="folder a"), rows("b", 1, sd_fits=0.3, use="folder b")
    alone = run([mine, rows("r", 2, keys=("only",), use="catalogue")]).generators["a"].summary["ncf"].interval
    beside = run([mine, theirs]).generators["a"].summary["ncf"].interval
    assert (alone.low, alone.high) == (beside.low, beside.high)


@pytest.mark.parametrize("answered", [2, 1])
def test_a_fit_without_any_image_hides_no_variance_of_the_others(answered: int) -> None:
    own = rows("a", 0, use="own")
    failed = np.zeros_like(own.failed)
    for fit in range(answered, FITS):
        failed[:, fit::FITS] = True
    scores = {scorer: np.where(failed, np.nan, values) for scorer, values in own.scores.items()}
    pairs = {"ncf": np.where(np.arange(FITS)[:, None, None] < answered, own.pairs["ncf"], np.nan)}
    lowest = {**own.lowest, "diversity": np.zeros(USERS)}
    own = dataclasses.replace(own, failed=failed, scores=scores, pairs=pairs, lowest=lowest)
    analysis = run([own, rows("b", 1)], most_failures=0.9)
    preference = analysis.generators["a"].summary["ncf"]
    assert preference.by_fit[answered:] == (None,) * (FITS - answered)
    assert (preference.between_fits is None) == (answered < 2)
    assert ("own" in analysis.task.families["ncf"].fits) == (answered > 1)
    assert analysis.generators["a"].personal["ncf"].estimable == 0
