"""The primary scorer beside the others, and the leaderboard's order beside that of the ground truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmark.analysis.inputs import Plan, Rows
from benchmark.analysis.measures import AUDITOR, Measure, with_role
from benchmark.analysis.numbers import Interval
from benchmark.analysis.results import Agreement, Correlations, Inversion, Validity
from benchmark.stats.agreement import correlation_pooled, correlation_within, ranks_within
from benchmark.stats.intervals import kept_weights, percentile
from benchmark.stats.ranks import inversions, kendall, midranks
from rebeca.arrays import Bools, Floats, Ints


def agreement(plan: Plan, rows: Sequence[Rows], weights: Ints) -> Iterator[Agreement]:
    """The primary scorer beside every other scorer of single images, on the ranked generators' different images."""
    ranked = [row for row in rows if row.ranked and plan.primary in row.scores]
    if not ranked:
        return
    user = np.concatenate([np.repeat(np.arange(len(row.digest)), row.per_user) for row in ranked])
    _, code = np.unique(np.concatenate([row.digest.ravel() for row in ranked]), return_inverse=True)
    _, first = np.unique(np.stack([user, code]), axis=1, return_index=True)
    scores = {
        scorer: np.concatenate([row.scores[scorer].ravel() for row in ranked])[first]
        for scorer in ranked[0].scores
        if all(scorer in row.scores for row in ranked)
    }
    primary = scores[plan.primary]
    for scorer, other in scores.items():
        both = np.isfinite(primary) & np.isfinite(other)
        if scorer != plan.primary and both.any():
            yield _agreement(plan.primary, scorer, user[first][both], primary[both], other[both], weights)


def _agreement(a: str, b: str, user: Ints, x: Floats, y: Floats, weights: Ints) -> Agreement:
    """Of two scorers; ``user``, ``x`` and ``y`` hold one entry per image."""
    pearson, without = correlation_within(user, x, y, weights)
    spearman, _ = correlation_within(user, ranks_within(user, x), ranks_within(user, y), weights)
    pooled = correlation_pooled(user, x, y, weights)
    pooled_ranks = correlation_pooled(user, midranks(x), midranks(y), weights)
    return Agreement(
        a=a,
        b=b,
        images=len(user),
        users=len(np.unique(user)),
        without=without,
        within_user=Correlations(Interval.of(pearson), Interval.of(spearman)),
        pooled=Correlations(Interval.of(pooled), Interval.of(pooled_ranks)),
    )


def validity(
    plan: Plan, rows: Sequence[Rows], values: Mapping[str, Mapping[str, Floats]], weights: Ints
) -> Iterator[Validity]:
    """Does the leaderboard put the ranked generators in the order of the ground truth, by preference and by lift?"""
    ranked = [row for row in rows if row.ranked and plan.primary in row.scores]
    if len(ranked) < 2:
        return
    ground_truths = [{name for name, card in row.cards.items() if card.is_ground_truth} for row in ranked]
    for scorer in sorted(set.intersection(*ground_truths)):
        for is_lift in (False, True):
            result = _validity(Measure(plan.primary, is_lift), Measure(scorer, is_lift), ranked, values, weights)
            if result is not None:
                yield result


def _validity(
    judged: Measure,
    known: Measure,
    ranked: Sequence[Rows],
    values: Mapping[str, Mapping[str, Floats]],
    weights: Ints,
) -> Validity | None:
    chosen = [
        row for row in ranked if all(np.isfinite(values[row.id].get(m.key, np.nan)).any() for m in (judged, known))
    ]
    if len(chosen) < 2:
        return None
    tables = [_table(chosen, values, measure) for measure in (judged, known)]
    common: Bools = np.asarray(np.isfinite(np.column_stack(tables)).all(axis=1))
    if not common.any():
        return None
    judged_values, known_values = (table[common] for table in tables)
    estimate, draws = kendall(judged_values, known_values, kept_weights(weights, common))
    primary, ground_truth, audited = judged_values.mean(axis=0), known_values.mean(axis=0), None
    auditor = with_role(chosen[0].cards, AUDITOR)
    by_auditor = auditor and Measure(auditor, judged.is_lift)
    if by_auditor and all(by_auditor.key in values[row.id] for row in chosen):
        audited = _table(chosen, values, by_auditor)[common].mean(axis=0)
    return Validity(
        measure=judged.key,
        ground_truth=known.key,
        generators=tuple(row.id for row in chosen),
        users=int(common.sum()),
        tau=Interval.of(percentile(estimate, draws, int(common.sum()))),
        inversions=tuple(
            Inversion(
                chosen[i].id,
                chosen[j].id,
                float(primary[i] - primary[j]),
                float(ground_truth[i] - ground_truth[j]),
                None if audited is None else float(audited[i] - audited[j]),
            )
            for i, j in inversions(primary, ground_truth)
        ),
    )


def _table(rows: Sequence[Rows], values: Mapping[str, Mapping[str, Floats]], measure: Measure) -> Floats:
    """float64 [users, generators]; higher is better."""
    signs = [1.0 if measure.is_lift or row.higher(measure.scorer) else -1.0 for row in rows]
    return np.column_stack([values[row.id][measure.key] * sign for row, sign in zip(rows, signs, strict=True)])
