"""From one value a person to everything the board says. Pure: the same rows always give the same numbers.

``run`` and ``verify`` both call :func:`analyse`; the first on rows that it just made, the second on those of records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.scoring import strata_of
from benchmark.stats.comparison import compare
from benchmark.stats.intervals import FEW_USERS, kept_weights, mean_interval, resampling_weights
from benchmark.stats.personalisation import (
    Stratum,
    block_permutation,
    own_set_rank,
    permutations_within,
    personal_lift,
)
from benchmark.stats.random import stream
from benchmark.stats.ranks import probability_first, rank_intervals
from rebeca.arrays import Floats, Ints

LIFT = "lift:"
"""Prefix of the measure that holds a scorer's personal lift."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One generator, reduced to people.

    Attributes:
        id: The generator.
        ranked: False for rows that need the judge, held-out ratings or the truth.
        values: float64 [people] a measure; NaN where a person has none.
        worst: The same, with every failure counted as the person's lowest score over the training catalogue.
        compared: Measures that generators are compared by: those of picture scorers.
        pairs: float64 [people, people] a scorer that everybody can be asked by: S[judge, target].
        pictures: int [people]; valid pictures.
    """

    id: str
    ranked: bool
    values: Mapping[str, Floats]
    worst: Mapping[str, Floats]
    compared: frozenset[str]
    pairs: Mapping[str, Floats]
    pictures: Ints


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided before the first picture.

    Attributes:
        name: Analysis hash; names the random streams.
        primary: Scorer that decides.
        reference: Generator that others are compared with.
        family: ``against-reference`` or ``all-pairs``.
        alpha: Level.
        margin: Equivalence margin.
        permutations: Permutations and sign flips.
        bootstrap: Bootstrap draws.
        failures: ``exclude`` or ``worst``: which reading decides.
    """

    name: str
    primary: str
    reference: str
    family: str
    alpha: float
    margin: float
    permutations: int
    bootstrap: int
    failures: str


def analyse(plan: Plan, rows: Sequence[Rows], block: Ints, bootstrap_strata: Ints) -> dict[str, Any]:
    """Computes every number of the board.

    Args:
        plan: What was decided beforehand.
        rows: All generators.
        block: int [people]; people of one block can be permuted.
        bootstrap_strata: int [people]; people are resampled within these.

    Returns:
        ``generators`` (by id: ``summary``, ``personal``), ``families`` (declared and exploratory comparisons, ranks).
    """
    people = len(block)
    weights = resampling_weights(people, plan.bootstrap, stream(plan.name, "bootstrap"), bootstrap_strata)
    cache: dict[tuple[int, ...], list[Ints]] = {}
    generators: dict[str, Any] = {}
    values: dict[str, dict[str, Floats]] = {}
    for row in rows:
        reading = row.worst if plan.failures == "worst" else row.values
        values[row.id] = dict(reading)
        personal: dict[str, Any] = {}
        for scorer, pairs in row.pairs.items():
            lifts, personal[scorer] = _personal(plan, pairs, block, row.pictures, weights, cache)
            values[row.id][LIFT + scorer] = lifts
        summary = {m: _summary(row, m, v, weights) for m, v in values[row.id].items() if not m.startswith(LIFT)}
        generators[row.id] = {"summary": summary, "personal": personal}
    families = {}
    for measure in sorted({m for v in values.values() for m in v if _is_compared(m, rows)}):
        families[measure] = _family(plan, measure, rows, values, weights)
    return {"people": people, "few_users": people < FEW_USERS, "generators": generators, "families": families}


def _is_compared(measure: str, rows: Sequence[Rows]) -> bool:
    return any(measure.removeprefix(LIFT) in row.compared for row in rows)


def _summary(row: Rows, measure: str, decided: Floats, weights: Floats) -> dict[str, Any]:
    known = np.isfinite(decided)
    out = {"interval": _interval(decided, weights), "people": int(known.sum()), "without": int((~known).sum())}
    for name, reading in (("exclude", row.values), ("worst", row.worst)):
        if measure in reading:
            finite = reading[measure][np.isfinite(reading[measure])]
            out[name] = float(finite.mean()) if len(finite) else None
    return out


def _interval(values: Floats, weights: Floats) -> dict[str, Any]:
    known = np.isfinite(values)
    return mean_interval(values[known], kept_weights(weights, known)).to_json()


def _personal(
    plan: Plan, pairs: Floats, block: Ints, pictures: Ints, weights: Floats, cache: dict[tuple[int, ...], list[Ints]]
) -> tuple[Floats, dict[str, Any]]:
    strata, left = strata_of(pairs, block, pictures)
    lifts = np.full(len(block), np.nan)
    if not strata:
        return lifts, {"estimable": 0, "not_estimable": left}
    ranks = np.full((2, len(block)), np.nan)
    for stratum in strata:
        lifts[stratum.users] = personal_lift(stratum.scores)
        ranks[:, stratum.users] = own_set_rank(stratum.scores)
    mean_test, median_test = block_permutation(strata, _permutations(plan, strata, cache))
    return lifts, {
        "estimable": len(block) - left,
        "not_estimable": left,
        "lift": _interval(lifts, weights),
        "median_double_centred": median_test.to_json(),
        "mean": mean_test.to_json(),
        "own_set_beats": _interval(ranks[0], weights),
        "reciprocal_rank": _interval(ranks[1], weights),
    }


def _permutations(plan: Plan, strata: Sequence[Stratum], cache: dict[tuple[int, ...], list[Ints]]) -> list[Ints]:
    sizes = tuple(len(stratum.users) for stratum in strata)
    if sizes not in cache:
        cache[sizes] = permutations_within(sizes, plan.permutations, stream(plan.name, "block-permutation", str(sizes)))
    return cache[sizes]


def _family(
    plan: Plan,
    measure: str,
    rows: Sequence[Rows],
    values: Mapping[str, Mapping[str, Floats]],
    weights: Floats,
) -> dict[str, Any]:
    """Comparisons of one measure among the ranked generators that have it.

    A pair is compared on the people that both have; the ranks' bootstrap is on the people that all have. Ties are
    claimed only where every pair was tested.
    """
    ids = [row.id for row in rows if row.ranked and np.isfinite(values[row.id].get(measure, np.array([]))).any()]
    table = np.column_stack([values[name][measure] for name in ids]) if ids else np.empty((0, 0))
    common = np.asarray(np.isfinite(table).all(axis=1))
    declared = measure in (plan.primary, LIFT + plan.primary)
    out: dict[str, Any] = {
        "declared": declared,
        "generators": ids,
        "people": int(common.sum()),
        "left_out": int((~common).sum()),
        "comparisons": [],
    }
    if len(ids) < 2:
        return out
    if plan.family == "all-pairs":
        pairs = [(a, b) for i, a in enumerate(ids) for b in ids[i + 1 :]]
    else:
        pairs = [(plan.reference, b) for b in ids if b != plan.reference] if plan.reference in ids else []
    if not pairs:
        return out
    column = {name: i for i, name in enumerate(ids)}
    differences = np.column_stack([table[:, column[a]] - table[:, column[b]] for a, b in pairs])
    margin = plan.margin if declared else None
    results = compare(
        differences, weights, plan.permutations, plan.alpha, margin, stream(plan.name, "sign-flips", measure)
    )
    out["comparisons"] = [{"a": a, "b": b, **result.to_json()} for (a, b), result in zip(pairs, results, strict=True)]
    if not common.any():
        return out
    table, weights = table[common], kept_weights(weights, common)
    better = {}
    for (a, b), result in zip(pairs, results, strict=True):
        better[a, b], better[b, a] = result.verdict == "better", result.verdict == "worse"
    first = probability_first(table, weights)
    intervals = rank_intervals(ids, better)
    order = sorted(ids, key=lambda name: (-float(table[:, column[name]].mean()), name))
    groups = _tie_groups(order, better) if plan.family == "all-pairs" else {}
    out["ranks"] = {
        name: {
            "low": intervals[name][0],
            "high": intervals[name][1],
            "group": groups.get(name, ""),
            "probability_first": float(first[column[name]]),
            "order": position + 1,
        }
        for position, name in enumerate(order)
    }
    return out


def _tie_groups(order: Sequence[str], better: Mapping[tuple[str, str], bool]) -> dict[str, str]:
    """A letter a group, from the best down: it ends where a member is significantly better than the next."""
    groups: dict[str, str] = {}
    members: list[str] = []
    number = 0
    for name in order:
        if any(better.get((member, name), False) for member in members):
            number, members = number + 1, []
        members.append(name)
        groups[name] = _letters(number)
    return groups


def _letters(number: int) -> str:
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text
