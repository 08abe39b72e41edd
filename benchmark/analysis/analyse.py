"""From the rows of records to every number of the leaderboard. Pure: the same rows always give the same numbers.

``run`` and ``verify`` both call :func:`analyse`; the first on rows that it just computed, the second on those of
records.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count, product
from string import ascii_lowercase

import numpy as np

from benchmark.analysis.agreement import agreement, validity
from benchmark.analysis.inputs import READINGS, Plan, Rows, lifts_of
from benchmark.analysis.measures import AUDITOR, GAP, LIFT, VERIFIER, Measure, both_by, with_role
from benchmark.analysis.results import (
    Analysis,
    Caution,
    Comparison,
    Family,
    GeneratorResults,
    Interval,
    PermutationTest,
    Personal,
    Rank,
    Summary,
    TaskResults,
)
from benchmark.stats.comparison import Rules, compare, image_wins, paired_differences
from benchmark.stats.intervals import FEW_USERS, SHARE, SKEWED, mean_interval, resampling_weights
from benchmark.stats.personalisation import Stratum, block_permutation, own_set_rank, permutations_within
from benchmark.stats.random import stream
from benchmark.stats.ranks import probability_first, rank_intervals
from rebeca.arrays import Bools, Floats, Ints
from rebeca.seeds import digest_of
from rebeca.ties import levels

MOST_WITHOUT = 0.05
"""Share of users, rounded up to whole users, whose preference a ranked generator may lack."""
Values = Mapping[str, Mapping[str, Floats]]
"""float64 [users] by generator and measure."""
Moved = dict[tuple[int, ...], list[Ints]]
"""Permutations by the sizes of strata: generators with equal strata share them."""


def analyse(plan: Plan, rows: Sequence[Rows], block: Ints, bootstrap_strata: Ints) -> Analysis:
    """Computes every number of the leaderboard.

    Args:
        plan: What was decided beforehand.
        rows: All generators.
        block: int [users]; users of one block can be permuted.
        bootstrap_strata: int [users]; users are resampled within these.
    """
    users = len(block)
    weights = resampling_weights(users, plan.bootstrap, stream(plan.name, "bootstrap"), bootstrap_strata)
    moved: Moved = {}
    generators: dict[str, GeneratorResults] = {}
    values: dict[str, dict[str, Floats]] = {}
    for row in rows:
        readings = {reading: row.values(reading) for reading in READINGS}
        decided = readings[plan.reading]
        summary = {measure: _summary(plan, row, measure, readings, weights) for measure in decided}
        lifts, personal = {}, {}
        for scorer in row.pairs:
            lifts[LIFT + scorer], personal[scorer] = _personal(plan, row, scorer, block, weights, moved)
        gap = gap_values(row, decided)
        generators[row.id] = GeneratorResults(
            summary, personal, None if gap is None else _mean_of(plan, row, Measure(GAP), gap, weights)
        )
        values[row.id] = decided | lifts
    incomplete = incomplete_generators(plan.primary, rows, values)
    rows = [replace(row, ranked=row.ranked and row.id not in incomplete) for row in rows]
    measures = {measure for row in rows for measure in values[row.id] if Measure.parse(measure).scorer in row.scores}
    families = {measure: _family(plan, measure, rows, values, weights) for measure in sorted(measures)}
    return Analysis(
        generators,
        TaskResults(
            users,
            families,
            tuple(agreement(plan, rows, weights)),
            tuple(validity(plan, rows, values, weights)),
            incomplete,
            tuple(_cautions(plan, users, rows, generators, families)),
        ),
    )


def incomplete_generators(primary: str, rows: Sequence[Rows], values: Values) -> tuple[str, ...]:
    """Ranked generators that lack the preference of more users than are allowed, of those that any of them has."""
    known = {row.id: np.isfinite(values[row.id][primary]) for row in rows if row.ranked and primary in values[row.id]}
    anyone = np.logical_or.reduce(list(known.values())) if known else np.zeros(0, bool)
    allowed = math.ceil(MOST_WITHOUT * anyone.sum())
    return tuple(name for name, own in known.items() if (anyone & ~own).sum() > allowed)


def _summary(plan: Plan, row: Rows, measure: str, readings: Values, weights: Ints) -> Summary:
    decided = readings[plan.reading][measure]
    known = np.isfinite(decided)
    return Summary(
        interval=_mean_of(plan, row, Measure(measure), decided, weights),
        users=int(known.sum()),
        without=int((~known).sum()),
        exclude=_mean(readings["exclude"][measure]),
        worst=_mean(readings["worst"][measure]),
    )


def gap_values(row: Rows, values: Mapping[str, Floats]) -> Floats | None:
    """float64 [users]; verifier minus auditor, both probabilities. None where one of both is missing."""
    verifier, auditor = with_role(row.cards, VERIFIER), with_role(row.cards, AUDITOR)
    return None if verifier is None or auditor is None else values[verifier] - values[auditor]


def _mean_of(plan: Plan, row: Rows, measure: Measure, values: Floats, weights: Ints) -> Interval:
    return Interval.of(mean_interval(values, weights, method=plan.interval, bounds=row.bounds(measure)))


def _mean(values: Floats) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None


def _personal(plan: Plan, row: Rows, scorer: str, block: Ints, weights: Ints, moved: Moved) -> tuple[Floats, Personal]:
    """Lifts of all users under the deciding reading, and what is reported about them."""
    decided, strata = lifts_of(row, scorer, plan.reading, block)
    other = next(reading for reading in READINGS if reading != plan.reading)
    lifts = {plan.reading: decided, other: lifts_of(row, scorer, other, block)[0] if row.failed.any() else decided}
    estimable = sum(len(stratum.users) for stratum in strata)
    counts = (estimable, len(block) - estimable, _mean(lifts["exclude"]), _mean(lifts["worst"]))
    if not strata:
        return decided, Personal(*counts)
    ranks = np.full((2, len(block)), np.nan)
    for stratum in strata:
        ranks[:, stratum.users] = own_set_rank(stratum.scores)
    mean_test, median_test = block_permutation(strata, _permutations(plan, strata, moved))
    lift = _mean_of(plan, row, Measure(scorer, is_lift=True), decided, weights)
    beats, reciprocal = (
        Interval.of(mean_interval(column, weights, method=plan.interval, bounds=SHARE)) for column in ranks
    )
    return decided, Personal(
        *counts, lift, PermutationTest.of(median_test), PermutationTest.of(mean_test), beats, reciprocal
    )


def _permutations(plan: Plan, strata: Sequence[Stratum], moved: Moved) -> list[Ints]:
    sizes = tuple(len(stratum.users) for stratum in strata)
    if sizes not in moved:
        moved[sizes] = permutations_within(sizes, plan.permutations, stream(plan.name, "block-permutation", str(sizes)))
    return moved[sizes]


def _family(plan: Plan, measure: str, rows: Sequence[Rows], values: Values, weights: Ints) -> Family:
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
    comparisons = _comparisons(plan, measure, [by_id[name] for name in ids], table, higher, weights)
    return Family(
        declared=plan.frozen and plan.decides(measure),
        hash=digest_of([plan.name, measure, ids, pairs]),
        generators=tuple(ids),
        users=int(common.sum()),
        left_out=int((~common).sum()),
        comparisons=comparisons,
        ranks=_ranks(plan, ids, comparisons, table if higher else -table, weights) if comparisons else {},
    )


def _comparisons(
    plan: Plan, measure: str, rows: Sequence[Rows], table: Floats, higher: bool, weights: Ints
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
    results = compare(differences, weights, rules, stream(plan.name, "sign-flips", measure), beats)
    return tuple(Comparison.of(a, b, result) for (a, b), result in zip(pairs, results, strict=True))


def _ranks(
    plan: Plan, ids: Sequence[str], comparisons: Sequence[Comparison], table: Floats, weights: Ints
) -> dict[str, Rank]:
    """Ranks by generator; ``table`` is float64 [users, generators], higher is better."""
    better = {}
    for pair in comparisons:
        better[pair.a, pair.b], better[pair.b, pair.a] = pair.verdict == "better", pair.verdict == "worse"
    first = dict(zip(ids, probability_first(table, weights).tolist(), strict=True))
    level = dict(zip(ids, levels(np.nanmean(table, axis=0)).tolist(), strict=True))
    limits = rank_intervals(ids, better)
    order = sorted(ids, key=lambda name: (-level[name], name))
    groups = _tie_groups(order, better) if plan.family == "all-pairs" else {}
    return {
        name: Rank(*limits[name], groups.get(name, ""), first[name], place) for place, name in enumerate(order, start=1)
    }


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
    unequal = tuple(row.id for row in rows if len(np.unique(row.images)) > 1)
    own = tuple(row.id for row in rows if row.shared is not None)
    cautions = [
        Caution("few-users", few),
        Caution("unequal-images", unequal),
        Caution("own-candidates", own),
        Caution("no-comparisons", alone),
    ]
    for measure in both_by(plan.primary):
        intervals = {name: _interval(results, measure) for name, results in generators.items()}
        skewed = tuple(n for n, interval in intervals.items() if interval and abs(interval.skewness or 0.0) > SKEWED)
        pairs = families[measure.key].comparisons if measure.key in families else ()
        differences = tuple(f"{pair.a} and {pair.b}" for pair in pairs if pair.skewed)
        cautions += [
            Caution("skewed-values", skewed, measure.key),
            Caution("skewed-differences", differences, measure.key),
        ]
    return [caution for caution in cautions if caution.where]


def _interval(results: GeneratorResults, measure: Measure) -> Interval | None:
    if measure.is_lift:
        personal = results.personal.get(measure.scorer)
        return None if personal is None else personal.lift
    summary = results.summary.get(measure.scorer)
    return None if summary is None else summary.interval


def _tie_groups(order: Sequence[str], better: Mapping[tuple[str, str], bool]) -> dict[str, str]:
    """A letter per group (a to z, aa, ...), from the best down; the next starts below a significantly better member."""
    names = ("".join(letters) for length in count(1) for letters in product(ascii_lowercase, repeat=length))
    groups: dict[str, str] = {}
    group, members = next(names), list[str]()
    for generator in order:
        if any(better.get((member, generator), False) for member in members):
            group, members = next(names), []
        members.append(generator)
        groups[generator] = group
    return groups
