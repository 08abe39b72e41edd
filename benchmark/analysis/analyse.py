"""From the rows of records to every number of the leaderboard. Pure: the same rows always give the same numbers.

``run`` and ``verify`` both call :func:`analyse`; the first on rows that it just computed, the second on those of
records.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchmark.analysis.agreement import agreement, validity
from benchmark.analysis.confirmation import copies_of, exceeds, excess_of, outside_of, unconfirmed
from benchmark.analysis.fits import Fits
from benchmark.analysis.inputs import READINGS, HeldOutRatings, Plan, Rows, lifts_of, with_lifts
from benchmark.analysis.items import HeldOutItems
from benchmark.analysis.means import Factors, Means
from benchmark.analysis.measures import AUDITOR, GAP, LIFT, VERIFIER, Measure, both_by, with_role
from benchmark.analysis.numbers import Interval, PermutationTest
from benchmark.analysis.results import (
    Analysis,
    Caution,
    Comparison,
    Family,
    GeneratorResults,
    Personal,
    Rank,
    Summary,
    TaskResults,
)
from benchmark.stats.comparison import Rules, compare, image_wins, paired_differences
from benchmark.stats.fits import FitEffects
from benchmark.stats.intervals import FEW_USERS, SKEWED, resampling_weights
from benchmark.stats.letters import letters_of
from benchmark.stats.personalisation import Stratum, block_permutation, own_set_rank, permutations_within
from benchmark.stats.random import stream
from benchmark.stats.ranks import rank_intervals, share_first
from rebeca.arrays import Bools, Floats, Ints
from rebeca.seeds import digest_of
from rebeca.ties import levels

MOST_WITHOUT = 0.05
"""Share of users, rounded up to whole users, whose preference a ranked generator may lack."""
Values = Mapping[str, Mapping[str, Floats]]
"""float64 [users] by generator and measure."""
Moved = dict[tuple[int, ...], list[Ints]]
"""Permutations by the sizes of strata: generators with equal strata share them."""


def analyse(
    plan: Plan, rows: Sequence[Rows], block: Ints, bootstrap_strata: Ints, ratings: HeldOutRatings | None = None
) -> Analysis:
    """Computes every number of the leaderboard.

    Args:
        plan: What was decided beforehand.
        rows: All generators.
        block: int [users]; users of one block can be permuted.
        bootstrap_strata: int [users]; users are resampled within these.
        ratings: Held-out ratings, where a scorer reads them; without them items are taken as given.
    """
    users = len(block)
    items = None if ratings is None else HeldOutItems.of(ratings, block, plan.reading, rows)
    weights = resampling_weights(users, plan.bootstrap, stream(plan.name, "bootstrap"), bootstrap_strata)
    readings = {row.id: {reading: row.values(reading) for reading in READINGS} for row in rows}
    lifts = {row.id: {scorer: lifts_of(row, scorer, plan.reading) for scorer in row.pairs} for row in rows}
    values = {
        row.id: readings[row.id][plan.reading] | {LIFT + scorer: lift for scorer, (lift, _) in lifts[row.id].items()}
        for row in rows
    }
    rows, withheld, excess = _withhold(plan, rows, values, weights)
    gaps = {row.id: {GAP: own} for row in rows if (own := gap_values(row, values[row.id])) is not None}
    ranks = {
        (row.id, scorer): _own_set_ranks(strata, users) for row in rows for scorer, (_, strata) in lifts[row.id].items()
    }
    factors = Factors(weights, Fits(plan, rows, values), items)
    means = Means(plan, rows, {name: own | gaps.get(name, {}) for name, own in values.items()}, ranks, factors)
    moved, generators = Moved(), dict[str, GeneratorResults]()
    for row in rows:
        summary = {key: _summary(means, row, key, readings[row.id]) for key in readings[row.id][plan.reading]}
        personal = {scorer: _personal(means, row, scorer, *lifts[row.id][scorer], moved) for scorer in row.pairs}
        gap = means.interval(row.id, GAP) if row.id in gaps else None
        generators[row.id] = GeneratorResults(summary, personal, gap, excess[row.id])
    measures = {measure for row in rows for measure in values[row.id] if Measure.parse(measure).scorer in row.scores}
    families = {measure: _family(plan, measure, rows, values, factors) for measure in sorted(measures)}
    return Analysis(
        generators,
        TaskResults(
            users,
            families,
            tuple(agreement(plan, rows, weights)),
            tuple(validity(plan, rows, values, weights)),
            cautions=tuple(_cautions(plan, users, rows, generators, families)),
            **withheld,
        ),
    )


def _withhold(
    plan: Plan, rows: Sequence[Rows], values: Values, weights: Ints
) -> tuple[list[Rows], dict[str, tuple[str, ...]], dict[str, dict[str, Interval]]]:
    """Withholds the ranks of generators whose images fail, lack users or are doubted.

    Returns:
        All rows; generators by the reason, by field of :class:`TaskResults`; the excess over the confirming judge.
    """
    failing = tuple(row.id for row in rows if row.ranked and row.failures > plan.most_failures)
    rows = _without_rank(rows, failing)
    incomplete = incomplete_generators(plan.primary, rows, values)
    rows = _without_rank(rows, incomplete)
    of_images = {
        row.id: with_lifts(row, "exclude") if plan.confirmation and row.failed.any() else values[row.id] for row in rows
    }
    excess = {row.id: excess_of(plan, row, of_images[row.id], weights) for row in rows}
    doubts = {
        "unconfirmed": [row.id for row in rows if row.ranked and unconfirmed(plan, excess[row.id])],
        "copying": [row.id for row in rows if row.ranked and exceeds(plan.most_copies, copies_of(row))],
        "outside": [row.id for row in rows if row.ranked and exceeds(plan.most_outside, outside_of(row))],
    }
    doubted = {reason: tuple(names) for reason, names in doubts.items()}
    rows = _without_rank(rows, [name for names in doubted.values() for name in names])
    return rows, {"failing": failing, "incomplete": incomplete} | doubted, excess


def _without_rank(rows: Sequence[Rows], unranked: Sequence[str]) -> list[Rows]:
    return [replace(row, ranked=row.ranked and row.id not in unranked) for row in rows]


def incomplete_generators(primary: str, rows: Sequence[Rows], values: Values) -> tuple[str, ...]:
    """Ranked generators that lack the preference of more users than are allowed, of those that any of them has."""
    known = {row.id: np.isfinite(values[row.id][primary]) for row in rows if row.ranked and primary in values[row.id]}
    anyone = np.logical_or.reduce(list(known.values())) if known else np.zeros(0, bool)
    allowed = math.ceil(MOST_WITHOUT * anyone.sum())
    return tuple(name for name, own in known.items() if (anyone & ~own).sum() > allowed)


def _summary(means: Means, row: Rows, measure: str, readings: Values) -> Summary:
    known, fits = np.isfinite(readings[means.plan.reading][measure]), means.factors.fits
    return Summary(
        interval=means.interval(row.id, measure),
        users=int(known.sum()),
        without=int((~known).sum()),
        exclude=_mean(readings["exclude"][measure]),
        worst=_mean(readings["worst"][measure]),
        by_fit=fits.means(measure, row.id),
        between_fits=fits.spread(measure, row.id),
        unanswered=int(np.isnan(row.scores[measure][~row.failed]).sum()) if measure in row.scores else 0,
    )


def gap_values(row: Rows, values: Mapping[str, Floats]) -> Floats | None:
    """float64 [users]; verifier minus auditor, both probabilities. None where one of both is missing."""
    verifier, auditor = with_role(row.cards, VERIFIER), with_role(row.cards, AUDITOR)
    return None if verifier is None or auditor is None else values[verifier] - values[auditor]


def _mean(values: Floats) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None


def _personal(means: Means, row: Rows, scorer: str, lifts: Floats, strata: Sequence[Stratum], moved: Moved) -> Personal:
    """What is reported about the lifts of all users under the deciding reading."""
    plan, fits = means.plan, means.factors.fits
    other = next(reading for reading in READINGS if reading != plan.reading)
    by_reading = {plan.reading: lifts, other: lifts_of(row, scorer, other)[0] if row.failed.any() else lifts}
    estimable = sum(len(stratum.users) for stratum in strata)
    counts = (estimable, len(lifts) - estimable, _mean(by_reading["exclude"]), _mean(by_reading["worst"]))
    if not strata:
        return Personal(*counts)
    mean_test, median_test = block_permutation(strata, _permutations(plan, strata, moved))
    return Personal(
        *counts,
        means.interval(row.id, LIFT + scorer),
        PermutationTest.of(median_test),
        PermutationTest.of(mean_test),
        *means.shares(row.id, scorer),
        fits.means(LIFT + scorer, row.id),
        fits.spread(LIFT + scorer, row.id),
    )


def _own_set_ranks(strata: Sequence[Stratum], users: int) -> Floats:
    """float64 [2, users]; share of other sets that the own set beats, and one over the own set's rank."""
    ranks = np.full((2, users), np.nan)
    for stratum in strata:
        ranks[:, stratum.users] = own_set_rank(stratum.scores)
    return ranks


def _permutations(plan: Plan, strata: Sequence[Stratum], moved: Moved) -> list[Ints]:
    sizes = tuple(len(stratum.users) for stratum in strata)
    if sizes not in moved:
        moved[sizes] = permutations_within(sizes, plan.permutations, stream(plan.name, "block-permutation", str(sizes)))
    return moved[sizes]


def _family(plan: Plan, measure: str, rows: Sequence[Rows], values: Values, factors: Factors) -> Family:
    """Comparisons of one measure among the ranked generators that have it.

    A pair is compared on the users that both have; the ranks' bootstrap takes each generator's mean over the drawn
    users that it has. Ties are claimed only where every pair was tested.
    """
    by_id = {row.id: row for row in rows}
    ids = [row.id for row in rows if row.ranked and np.isfinite(values[row.id].get(measure, np.array([]))).any()]
    table = np.column_stack([values[name][measure] for name in ids]) if ids else np.empty((0, 0))
    common: Bools = np.asarray(np.isfinite(table).all(axis=1))
    pairs = pairs_of(plan, ids)
    higher = not pairs or Measure.parse(measure).is_lift or by_id[ids[0]].higher(measure)
    effects = factors.fits.effects(measure, ids)
    comparisons = _comparisons(plan, measure, [by_id[name] for name in ids], table, higher, effects, factors)
    added = None if effects is None else effects.draws[: len(factors.users)] * (1 if higher else -1)
    return Family(
        declared=plan.frozen and plan.decides(measure),
        hash=digest_of([plan.name, measure, ids, pairs]),
        generators=tuple(ids),
        users=int(common.sum()),
        left_out=int((~common).sum()),
        comparisons=comparisons,
        ranks=_ranks(plan, ids, comparisons, table if higher else -table, factors.users, added) if comparisons else {},
        fits={} if effects is None else effects.procedures,
    )


def _comparisons(
    plan: Plan,
    measure: str,
    rows: Sequence[Rows],
    table: Floats,
    higher: bool,
    effects: FitEffects | None,
    factors: Factors,
) -> tuple[Comparison, ...]:
    """Every pair of the family; ``table`` is float64 [users, generators]."""
    ids = [row.id for row in rows]
    pairs = pairs_of(plan, ids)
    if not pairs:
        return ()
    values = dict(zip(ids, table.T, strict=True))
    differences = np.column_stack([paired_differences(values[a], values[b]) for a, b in pairs])
    beats = None
    if not Measure.parse(measure).is_lift:
        scores = {row.id: row.read(measure, plan.reading) for row in rows}
        beats = np.column_stack([image_wins(scores[a], scores[b], higher) for a, b in pairs])
    margin = plan.margin if plan.decides(measure) else None
    low, high = rows[0].bounds(Measure.parse(measure))
    rules = Rules(plan.permutations, plan.alpha, margin, higher, plan.interval, (low - high, high - low))
    first, second = (np.array([ids.index(name) for name in side]) for side in zip(*pairs, strict=True))
    fits = None if effects is None else effects.pairs(first, second)
    drawn = factors.items
    items = None if drawn is None else drawn.of_pairs(rows, Measure.parse(measure), pairs, differences)
    rng = stream(plan.name, "sign-flips", measure)
    results = compare(differences, factors.users, rules, rng, beats, fits, items)
    return tuple(Comparison.of(a, b, result) for (a, b), result in zip(pairs, results, strict=True))


def _ranks(
    plan: Plan,
    ids: Sequence[str],
    comparisons: Sequence[Comparison],
    table: Floats,
    weights: Ints,
    added: Floats | None,
) -> dict[str, Rank]:
    """Ranks by generator; ``table`` is float64 [users, generators], higher is better, ``added`` what fits add to it."""
    better = {}
    for pair in comparisons:
        better[pair.a, pair.b], better[pair.b, pair.a] = pair.verdict == "better", pair.verdict == "worse"
    first = dict(zip(ids, share_first(table, weights, added).tolist(), strict=True))
    level = dict(zip(ids, levels(np.nanmean(table, axis=0)).tolist(), strict=True))
    limits = rank_intervals(ids, better)
    order = sorted(ids, key=lambda name: (-level[name], name))
    letters = dict.fromkeys(order, "")
    if plan.family == "all-pairs":
        differ = np.array([[better[a, b] or better[b, a] if a != b else False for b in order] for a in order])
        letters = {name: "".join(own) for name, own in zip(order, letters_of(differ), strict=True)}
    return {name: Rank(*limits[name], letters[name], first[name], place) for place, name in enumerate(order, start=1)}


def pairs_of(plan: Plan, ids: Sequence[str]) -> list[tuple[str, str]]:
    if plan.family == "all-pairs":
        return [(a, b) for i, a in enumerate(ids) for b in ids[i + 1 :]]
    return [(plan.reference, b) for b in ids if b != plan.reference] if plan.reference in ids else []


def _cautions(
    plan: Plan,
    users: int,
    rows: Sequence[Rows],
    generators: Mapping[str, GeneratorResults],
    families: Mapping[str, Family],
) -> list[Caution]:
    """Where tests or intervals may not keep their level here, see docs/reports/calibration.md."""
    few = (str(users),) if users < FEW_USERS else ()
    compared = any(families[measure.key].comparisons for measure in both_by(plan.primary) if measure.key in families)
    alone = () if compared or plan.family == "all-pairs" else (plan.reference,)
    uneven = tuple(row.id for row in rows if len(set(_counted(plan, row))) > 1)
    own = tuple(row.id for row in rows if row.shared is not None)
    cautions = [
        Caution("few-users", few),
        Caution("unequal-images", uneven),
        Caution("own-candidates", own),
        Caution("no-comparisons", alone),
    ]
    for measure in both_by(plan.primary):
        intervals = {name: results.interval(measure) for name, results in generators.items()}
        skewed = tuple(n for n, interval in intervals.items() if interval and abs(interval.skewness or 0.0) > SKEWED)
        pairs = families[measure.key].comparisons if measure.key in families else ()
        differences = tuple(f"{pair.a} and {pair.b}" for pair in pairs if pair.skewed)
        spreads = families[measure.key].fits if measure.key in families else {}
        differing = [use for use, spread in spreads.items() if spread.equal is not None and spread.equal < plan.alpha]
        fitted = [row for row in rows if row.ranked and len(row.fit_keys) > 1 and measure.key in families]
        unequal = tuple(row.id for row in fitted if row.procedure in differing)
        unknown = tuple(row.id for row in fitted if row.procedure not in spreads)
        cautions += [
            Caution("unequal-fits", unequal, measure.key),
            Caution("unknown-fits", unknown, measure.key),
            Caution("skewed-values", skewed, measure.key),
            Caution("skewed-differences", differences, measure.key),
        ]
    for key, family in families.items():
        drawn = tuple(f"{pair.a} and {pair.b}" for pair in family.comparisons if pair.items is not None)
        cautions.append(Caution("drawn-items", drawn, key))
    return [caution for caution in cautions if caution.where]


def _counted(plan: Plan, row: Rows) -> list[int]:
    """By user: images that count in the primary scorer's means, which failures do under ``worst``."""
    scores = row.read(plan.primary, plan.reading) if plan.primary in row.scores else np.where(row.failed, np.nan, 0.0)
    counted: list[int] = np.isfinite(scores).sum(axis=1).tolist()
    return counted
