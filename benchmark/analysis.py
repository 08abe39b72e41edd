"""From the rows of records to everything the board says. Pure: the same rows always give the same numbers.

``run`` and ``verify`` both call :func:`analyse`; the first on rows that it just made, the second on those of records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.record_file import LIFT
from benchmark.stats.agreement import correlation_pooled, correlation_within, ranks_within
from benchmark.stats.comparison import Rules, compare, paired_differences, picture_wins
from benchmark.stats.intervals import FEW_USERS, SKEWED, kept_weights, mean_interval, percentile, resampling_weights
from benchmark.stats.personalisation import (
    Stratum,
    block_permutation,
    own_set_rank,
    permutations_within,
    personal_lift,
    strata_of,
)
from benchmark.stats.random import stream
from benchmark.stats.ranks import inversions, kendall, probability_first, rank_intervals
from rebeca.arrays import Bools, Floats, Ints
from rebeca.seeds import digest_of
from rebeca.ties import levels

READINGS = ("exclude", "worst")
VERIFIER, AUDITOR = "ncf", "auditor"


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What one generator made, picture by picture, as everybody sees it.

    Attributes:
        id: The generator.
        ranked: False for rows that need the judge, held-out ratings or the truth.
        digest: str [people, K]; SHA-256 of every picture, empty for a missing one.
        item: int [people, K]; catalogue index, or -1.
        failed: bool [people, K]; which pictures failed.
        scores: float64 [people, K] a scorer of single pictures; NaN for failures and where there is no answer.
        lowest: float64 [people] a scorer; the person's worst score over the training catalogue, NaN where unknown.
        higher: Direction, by scorer.
        sets: float64 [people] a measure of whole sets; NaN where a person has none.
        pairs: float64 [people, people] a scorer that everybody can be asked by: S[judge, target], over valid pictures.
        truths: Scorers that know the truth of their world.
    """

    id: str
    ranked: bool
    digest: npt.NDArray[np.str_]
    item: Ints
    failed: Bools
    scores: Mapping[str, Floats]
    lowest: Mapping[str, Floats]
    higher: Mapping[str, bool]
    sets: Mapping[str, Floats]
    pairs: Mapping[str, Floats]
    truths: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name, values in (*self.scores.items(), *self.sets.items(), *self.pairs.items()):
            if np.isinf(values).any():
                raise ValueError(f"generator '{self.id}' has an infinite value of '{name}'")

    @property
    def pictures(self) -> Ints:
        """Int [people]; valid pictures."""
        return np.asarray((~self.failed).sum(axis=1))

    @property
    def failures(self) -> Ints:
        """Failures of each person, int [people]."""
        return np.asarray(self.failed.sum(axis=1))

    def read(self, scorer: str, reading: str) -> Floats:
        """float64 [people, K]; single scores, where ``worst`` gives failures the person's lowest score."""
        scores = self.scores[scorer]
        if reading != "worst" or not self._worst_differs(scorer):
            return scores
        return np.where(self.failed, self.lowest[scorer][:, None], scores)

    def values(self, reading: str) -> dict[str, Floats]:
        """float64 [people] a measure: means over pictures; ``worst`` takes failures for the person's lowest score."""
        out = {}
        for scorer in self.scores:
            scores = self.read(scorer, reading)
            known = np.isfinite(scores)
            total, count = np.where(known, scores, 0.0).sum(axis=1), known.sum(axis=1)
            out[scorer] = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
        return out | dict(self.sets)

    def opinions(self, scorer: str, reading: str) -> tuple[Floats, Ints]:
        """S[judge, target] and how many pictures each target's mean is over, under a reading of failures."""
        pairs = self.pairs[scorer]
        if reading != "worst" or not self._worst_differs(scorer):
            return pairs, self.pictures
        total = np.where(self.pictures > 0, pairs, 0.0) * self.pictures + self.lowest[scorer][:, None] * self.failures
        return total / self.digest.shape[1], np.full(len(self.digest), self.digest.shape[1])

    def _worst_differs(self, scorer: str) -> bool:
        """Whether the reading ``worst`` differs: something failed, and what it counts is known."""
        return bool(self.failed.any()) and scorer in self.lowest and bool(np.isfinite(self.lowest[scorer]).all())


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
        interval: Method of the intervals, ``auto`` or ``bootstrap-t``.
        failures: ``exclude`` or ``worst``: which reading decides.
        frozen: Whether it was written down before the first picture; otherwise nothing counts as declared.
    """

    name: str
    primary: str
    reference: str
    family: str
    alpha: float
    margin: float
    permutations: int
    bootstrap: int
    interval: str
    failures: str
    frozen: bool

    @property
    def reading(self) -> str:
        """The reading of failures that decides."""
        return "worst" if self.failures == "worst" else "exclude"


def analyse(plan: Plan, rows: Sequence[Rows], block: Ints, bootstrap_strata: Ints) -> dict[str, Any]:
    """Computes every number of the board.

    Args:
        plan: What was decided beforehand.
        rows: All generators.
        block: int [people]; people of one block can be permuted.
        bootstrap_strata: int [people]; people are resampled within these.

    Returns:
        ``generators`` (by id: ``summary``, ``personal``, ``gap``), ``families`` (declared and exploratory comparisons,
        ranks), ``agreement`` (the primary scorer beside the others), ``validity`` (its order of generators beside the
        truth's), ``cautions``, ``people``.
    """
    people = len(block)
    weights = resampling_weights(people, plan.bootstrap, stream(plan.name, "bootstrap"), bootstrap_strata)
    cache: dict[tuple[int, ...], list[Ints]] = {}
    generators: dict[str, Any] = {}
    values: dict[str, dict[str, Floats]] = {}
    for row in rows:
        both = {reading: row.values(reading) for reading in READINGS}
        values[row.id] = dict(both[plan.reading])
        summary = {measure: _summary(plan, measure, both, weights) for measure in values[row.id]}
        personal: dict[str, Any] = {}
        for scorer in row.pairs:
            values[row.id][LIFT + scorer], personal[scorer] = _personal(plan, row, scorer, block, weights, cache)
        gap = _gap(plan, values[row.id], weights) if {VERIFIER, AUDITOR} <= set(row.scores) else None
        generators[row.id] = {"summary": summary, "personal": personal, "gap": gap}
    compared = {measure for row in rows for measure in values[row.id] if measure.removeprefix(LIFT) in row.scores}
    families = {measure: _family(plan, measure, rows, values, weights) for measure in sorted(compared)}
    return {
        "people": people,
        "generators": generators,
        "families": families,
        "agreement": _agreement(plan, rows, weights),
        "validity": _validity(plan, rows, values, weights),
        "cautions": _cautions(plan, people, rows, generators, families),
    }


def _summary(plan: Plan, measure: str, both: Mapping[str, Mapping[str, Floats]], weights: Ints) -> dict[str, Any]:
    decided = both[plan.reading][measure]
    known = np.isfinite(decided)
    out = {
        "interval": mean_interval(decided, weights, method=plan.interval).to_json(),
        "people": int(known.sum()),
        "without": int((~known).sum()),
    }
    return out | {reading: _mean(values[measure]) for reading, values in both.items()}


def _gap(plan: Plan, values: Mapping[str, Floats], weights: Ints) -> dict[str, Any]:
    """Verifier minus auditor, mean over people; both are probabilities."""
    return mean_interval(values[VERIFIER] - values[AUDITOR], weights, method=plan.interval).to_json()


def _mean(values: Floats) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None


def _personal(
    plan: Plan, row: Rows, scorer: str, block: Ints, weights: Ints, cache: dict[tuple[int, ...], list[Ints]]
) -> tuple[Floats, dict[str, Any]]:
    """Lifts of all people under the deciding reading, and everything that is said about them."""
    decided, strata = lifts_of(row, scorer, plan.reading, block)
    other = next(reading for reading in READINGS if reading != plan.reading)
    lifts = {plan.reading: decided, other: lifts_of(row, scorer, other, block)[0] if row.failed.any() else decided}
    estimable = sum(len(stratum.users) for stratum in strata)
    found: dict[str, Any] = dict.fromkeys(("lift", "median_double_centred", "mean", "own_set_beats", "reciprocal_rank"))
    found |= {"estimable": estimable, "not_estimable": len(block) - estimable}
    found |= {reading: _mean(values) for reading, values in lifts.items()}
    if strata:
        ranks = np.full((2, len(block)), np.nan)
        for stratum in strata:
            ranks[:, stratum.users] = own_set_rank(stratum.scores)
        mean_test, median_test = block_permutation(strata, _permutations(plan, strata, cache))
        for name, values in (("lift", decided), ("own_set_beats", ranks[0]), ("reciprocal_rank", ranks[1])):
            found[name] = mean_interval(values, weights, method=plan.interval).to_json()
        found |= {"median_double_centred": median_test.to_json(), "mean": mean_test.to_json()}
    return decided, found


def lifts_of(row: Rows, scorer: str, reading: str, block: Ints) -> tuple[Floats, list[Stratum]]:
    """float64 [people], every person's lift, NaN where it is not estimable; and the strata of those who have one.

    A scorer that is better low is turned round first, so that a positive lift is always the better one.
    """
    pairs, pictures = row.opinions(scorer, reading)
    strata, _ = strata_of(pairs if row.higher[scorer] else -pairs, block, pictures)
    lifts = np.full(len(block), np.nan)
    for stratum in strata:
        lifts[stratum.users] = personal_lift(stratum.scores)
    return lifts, strata


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
    weights: Ints,
) -> dict[str, Any]:
    """Comparisons of one measure among the ranked generators that have it.

    A pair is compared on the people that both have; the ranks' bootstrap is on the people that all have. Ties are
    claimed only where every pair was tested.
    """
    by_id = {row.id: row for row in rows}
    ids = [row.id for row in rows if row.ranked and np.isfinite(values[row.id].get(measure, np.array([]))).any()]
    table = np.column_stack([values[name][measure] for name in ids]) if ids else np.empty((0, 0))
    common = np.asarray(np.isfinite(table).all(axis=1))
    in_plan = measure in (plan.primary, LIFT + plan.primary)
    out: dict[str, Any] = {
        "declared": in_plan and plan.frozen,
        "hash": digest_of([plan.name, measure, ids, pairs_of(plan, ids)]),
        "generators": ids,
        "people": int(common.sum()),
        "left_out": int((~common).sum()),
        "comparisons": [],
        "ranks": {},
    }
    pairs = pairs_of(plan, ids)
    if not pairs:
        return out
    is_lift = measure.startswith(LIFT)
    higher = is_lift or by_id[ids[0]].higher[measure]
    column = {name: i for i, name in enumerate(ids)}
    differences = np.column_stack([paired_differences(table[:, column[a]], table[:, column[b]]) for a, b in pairs])
    beats = None
    if not is_lift:
        scores = {name: by_id[name].read(measure, plan.reading) for name in ids}
        beats = np.column_stack([picture_wins(scores[a], scores[b], higher) for a, b in pairs])
    rules = Rules(plan.permutations, plan.alpha, plan.margin if in_plan else None, higher, plan.interval)
    results = compare(differences, weights, rules, stream(plan.name, "sign-flips", measure), beats)
    out["comparisons"] = [{"a": a, "b": b, **result.to_json()} for (a, b), result in zip(pairs, results, strict=True)]
    if not common.any():
        return out
    better = {}
    for (a, b), result in zip(pairs, results, strict=True):
        better[a, b], better[b, a] = result.verdict == "better", result.verdict == "worse"
    good = table[common] if higher else -table[common]
    first = probability_first(good, kept_weights(weights, common))
    intervals = rank_intervals(ids, better)
    place = levels(good.mean(axis=0))
    order = sorted(ids, key=lambda name: (-place[column[name]], name))
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


def pairs_of(plan: Plan, ids: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of the declared family among these generators."""
    if plan.family == "all-pairs":
        return [(a, b) for i, a in enumerate(ids) for b in ids[i + 1 :]]
    return [(plan.reference, b) for b in ids if b != plan.reference] if plan.reference in ids else []


def _agreement(plan: Plan, rows: Sequence[Rows], weights: Ints) -> list[dict[str, Any]]:
    """The primary scorer beside every other scorer of single pictures, on the ranked generators' different pictures."""
    ranked = [row for row in rows if row.ranked and plan.primary in row.scores]
    if not ranked:
        return []
    user = np.concatenate([np.repeat(np.arange(len(row.digest)), row.digest.shape[1]) for row in ranked])
    _, code = np.unique(np.concatenate([row.digest.ravel() for row in ranked]), return_inverse=True)
    _, first = np.unique(np.stack([user, code]), axis=1, return_index=True)
    user = user[first]
    scores = {
        scorer: np.concatenate([row.scores[scorer].ravel() for row in ranked])[first]
        for scorer in ranked[0].scores
        if all(scorer in row.scores for row in ranked)
    }
    x = scores[plan.primary]
    out = []
    for scorer, y in scores.items():
        both = np.isfinite(x) & np.isfinite(y)
        if scorer == plan.primary or not both.any():
            continue
        own, a, b = user[both], x[both], y[both]
        pearson, without = correlation_within(own, a, b, weights)
        spearman, _ = correlation_within(own, ranks_within(own, a), ranks_within(own, b), weights)
        pooled = correlation_pooled(own, a, b, weights)
        everyone = np.zeros(len(own), np.int64)
        ranked_pooled = correlation_pooled(own, ranks_within(everyone, a), ranks_within(everyone, b), weights)
        out.append(
            {
                "a": plan.primary,
                "b": scorer,
                "pictures": len(own),
                "people": len(np.unique(own)),
                "without": without,
                "within_user": {"pearson": pearson.to_json(), "spearman": spearman.to_json()},
                "pooled": {"pearson": pooled.to_json(), "spearman": ranked_pooled.to_json()},
            }
        )
    return out


def _validity(
    plan: Plan, rows: Sequence[Rows], values: Mapping[str, Mapping[str, Floats]], weights: Ints
) -> list[dict[str, Any]]:
    """Does the board put the ranked generators in the truth's order, by preference and by lift?"""
    ranked = [row for row in rows if row.ranked and plan.primary in row.scores]
    out = []
    for truth in sorted(set.intersection(*(set(row.truths) for row in ranked)) if len(ranked) > 1 else ()):
        for prefix in ("", LIFT):
            measures = (prefix + plan.primary, prefix + truth)
            chosen = [row for row in ranked if all(np.isfinite(values[row.id].get(m, np.nan)).any() for m in measures)]
            if len(chosen) < 2:
                continue
            found = [_means(chosen, values, measure) for measure in measures]
            common: Bools = np.asarray(np.isfinite(np.column_stack(found)).all(axis=1))
            if not common.any():
                continue
            judged, true = (table[common] for table in found)
            estimate, draws = kendall(judged, true, kept_weights(weights, common))
            said, known = judged.mean(axis=0), true.mean(axis=0)
            audited = None
            if all(prefix + AUDITOR in values[row.id] for row in chosen):
                audited = _means(chosen, values, prefix + AUDITOR)[common].mean(axis=0)
            out.append(
                {
                    "measure": measures[0],
                    "truth": measures[1],
                    "generators": [row.id for row in chosen],
                    "people": int(common.sum()),
                    "tau": percentile(estimate, draws, int(common.sum())).to_json(),
                    "inversions": [
                        {
                            "a": chosen[i].id,
                            "b": chosen[j].id,
                            "judged": float(said[i] - said[j]),
                            "true": float(known[i] - known[j]),
                            "audited": None if audited is None else float(audited[i] - audited[j]),
                        }
                        for i, j in inversions(said, known)
                    ],
                }
            )
    return out


def _means(rows: Sequence[Rows], values: Mapping[str, Mapping[str, Floats]], measure: str) -> Floats:
    """float64 [people, generators]; higher is better."""
    turned = [1.0 if measure.startswith(LIFT) or row.higher[measure] else -1.0 for row in rows]
    return np.column_stack([values[row.id][measure] * sign for row, sign in zip(rows, turned, strict=True)])


def _cautions(
    plan: Plan, people: int, rows: Sequence[Rows], generators: Mapping[str, Any], families: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Where the calibration says that tests or intervals may not keep their word here (docs/calibration.md)."""
    found: list[dict[str, Any]] = []
    if people < FEW_USERS:
        found.append({"kind": "few-users", "where": [str(people)]})
    unequal = [row.id for row in rows if len(np.unique(row.pictures)) > 1]
    if unequal:
        found.append({"kind": "unequal-pictures", "where": unequal})
    intervals = {
        plan.primary: {name: one["summary"].get(plan.primary, {}).get("interval") for name, one in generators.items()},
        LIFT + plan.primary: {
            name: one["personal"].get(plan.primary, {}).get("lift") for name, one in generators.items()
        },
    }
    for measure, by_generator in intervals.items():
        skewed = [name for name, one in by_generator.items() if one and abs(one["skewness"] or 0.0) > SKEWED]
        if skewed:
            found.append({"kind": "skewed-values", "measure": measure, "where": skewed})
        pairs = families[measure]["comparisons"] if measure in families else []
        skewed = [f"{pair['a']} and {pair['b']}" for pair in pairs if pair["skewed"]]
        if skewed:
            found.append({"kind": "skewed-differences", "measure": measure, "where": skewed})
    return found


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
