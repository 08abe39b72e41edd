"""What a task can see, and what more people or pictures would buy: smallest detectable differences from a pilot.

The variance of a person's difference has a part that more pictures cannot shrink, and one that they divide by their
number: var(d) = between + within / K. Both are estimated from the pilot's single pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.analysis.analyse import Rows, lifts_of, pairs_of
from benchmark.records.rows import read_all
from benchmark.records.schema import LIFT
from benchmark.runner.write_records import plan_of
from benchmark.stats.levels import detectable, equivalent
from rebeca.arrays import Floats

TIMES = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class Detectable:
    """What can be seen on one measure, by one pair without adjustment.

    Attributes:
        measure: Scorer, or ``lift:`` and a scorer.
        spreads: Standard deviation of a person's difference in the pilot, by pair.
        within: Variance that more pictures divide, by pair; empty where it cannot be told apart.
        people: People of the pilot.
        pictures: Pictures a person of the pilot.
    """

    measure: str
    spreads: tuple[float, ...]
    within: tuple[float, ...]
    people: int
    pictures: int

    def spread(self, pictures: int) -> float | None:
        """Median over pairs with so many pictures; None for a lift with other numbers of pictures than the pilot's."""
        if pictures == self.pictures:
            return float(np.median(self.spreads))
        if not self.within:
            return None
        between = [max(0.0, s**2 - w / self.pictures) for s, w in zip(self.spreads, self.within, strict=True)]
        return float(np.median([np.sqrt(b + w / pictures) for b, w in zip(between, self.within, strict=True)]))

    def at(self, people: int, pictures: int, alpha: float) -> float | None:
        """Smallest difference that the median pair finds with 80 % power at a level, unadjusted."""
        spread = self.spread(pictures)
        return None if spread is None else detectable(alpha) * spread / float(np.sqrt(people))

    def to_json(self, people: int, pictures: int, margin: float, alpha: float) -> dict[str, Any]:
        """The estimates, and the table for the planned numbers and multiples of them."""
        spread = float(np.median(self.spreads))
        table = [
            {"people": u * people, "pictures": k * pictures, "detectable": self.at(u * people, k * pictures, alpha)}
            for u in TIMES
            for k in TIMES
        ]
        return {
            "measure": self.measure,
            "pairs": len(self.spreads),
            "spread": spread,
            "largest_spread": max(self.spreads),
            "table": table,
            "people_for_margin": int(np.ceil((detectable(alpha) * spread / margin) ** 2)),
            "people_for_equivalence": int(np.ceil((equivalent(alpha) * spread / margin) ** 2)),
        }


def estimate(
    measure: str, rows: Sequence[Rows], lifts: dict[str, Floats], pairs: Sequence[tuple[str, str]]
) -> Detectable | None:
    """Estimates from a pilot's rows.

    Pictures are paired by replicate, for arms share their noise: what a picture of both has in common cancels.

    Args:
        measure: Scorer, or ``lift:`` and a scorer.
        rows: The pilot's generators, all with equally many pictures.
        lifts: float64 [people] by generator, for a lift.
        pairs: The declared family.

    Returns:
        None where no pair has two people with a difference that varies.
    """
    by_id = {row.id: row for row in rows}
    is_lift = measure.startswith(LIFT)
    values = lifts if is_lift else {row.id: row.values("exclude")[measure] for row in rows if measure in row.scores}
    k = rows[0].digest.shape[1]
    spreads, within = [], []
    for a, b in pairs:
        if a not in values or b not in values:
            continue
        d = values[a] - values[b]
        d = d[np.isfinite(d)]
        if len(d) > 1 and np.ptp(d) > 0:
            spreads.append(float(d.std(ddof=1)))
            if not is_lift and k > 1:
                within.append(_within(by_id[a].scores[measure] - by_id[b].scores[measure]))
    return Detectable(measure, tuple(spreads), tuple(within), len(rows[0].failed), k) if spreads else None


def _within(scores: Floats) -> float:
    """Mean over people of the variance of their own pictures' scores."""
    known = np.isfinite(scores).sum(axis=1) > 1
    return float(np.nanvar(scores[known], axis=1, ddof=1).mean()) if known.any() else 0.0


def set_correlation(rows: Sequence[Rows], scorer: str) -> float | None:
    """Correlation of two pictures of one set, with each person's and each generator's level taken out.

    Two-way analysis of variance of the sets' means: what is left has (G - 1) (U - 1) degrees of freedom, and holds the
    variance of sets plus that of pictures over K.

    Returns:
        None with fewer than two ranked generators, two people or two pictures.
    """
    scores = [row.scores[scorer] for row in rows if row.ranked and scorer in row.scores]
    if len(scores) < 2 or scores[0].shape[0] < 2 or scores[0].shape[1] < 2:
        return None
    table = np.stack(scores)
    known = np.isfinite(table).sum(axis=2)
    complete = (known > 1).all(axis=0)
    if complete.sum() < 2:
        return None
    table, known = table[:, complete], known[:, complete]
    means = np.nanmean(table, axis=2)
    left = means - means.mean(axis=0) - means.mean(axis=1, keepdims=True) + means.mean()
    between = float(np.square(left).sum()) / ((len(table) - 1) * (table.shape[1] - 1))
    single = float(np.nanvar(table, axis=2, ddof=1).mean())
    sets = max(0.0, between - single * float((1 / known).mean()))
    return sets / (sets + single) if sets + single > 0 else 0.0


def set_lift(rows: Sequence[Rows], reference: str, scorer: str, lift: float, correlation: float) -> float:
    """A lift in standard deviations of one judge's scores over all pictures, the unit of the simulation."""
    own = [row for row in rows if row.id == reference and scorer in row.scores]
    within = _within(own[0].scores[scorer]) if own else 0.0
    return lift / float(np.sqrt(within / (1 - correlation))) if within > 0 and correlation < 1 else 0.0


@dataclass(frozen=True, slots=True)
class Pilot:
    """What earlier records say about a task's noise and cost.

    Attributes:
        people: People of the pilot.
        pictures: Pictures a person.
        correlation: Of two pictures of one set, by the primary scorer; None where it cannot be estimated.
        lift: The reference's lift by the primary scorer, in the simulation's unit; 0 where there is none.
        detectable: By declared measure.
        seconds: Seconds a picture that the pilot's run spent on making and scoring; None where it made none itself.
        modified: Whether the pilot was a modified task, e.g. one with fewer people.
    """

    people: int
    pictures: int
    correlation: float | None
    lift: float
    detectable: list[Detectable]
    seconds: float | None
    modified: bool


def pilot(folder: Path) -> Pilot:
    """Reads a pilot's records.

    Noise is estimated from the generators that have as many pictures a person as the reference.

    Raises:
        RecordError: If they cannot be read.
    """
    comparison, rows = read_all(folder)
    plan = plan_of(comparison["spec"], comparison["analysis"]["hash"], comparison["analysis"]["frozen"])
    block = np.array(comparison["users"]["block"])
    first = next((row for row in rows if row.id == plan.reference), rows[0])
    pictures = first.digest.shape[1]
    alike = [row for row in rows if row.digest.shape[1] == pictures]
    primary = plan.primary
    lifts = {row.id: lifts_of(row, primary, plan.reading, block)[0] for row in alike if primary in row.pairs}
    pairs = pairs_of(plan, [row.id for row in alike if row.ranked])
    found = [estimate(measure, alike, lifts, pairs) for measure in (primary, LIFT + primary)]
    correlation = set_correlation(alike, primary)
    own = lifts.get(plan.reference)
    lift = 0.0 if own is None or not np.isfinite(own).any() else float(np.nanmean(own))
    lift = set_lift(alike, plan.reference, primary, lift, correlation or 0.0)
    return Pilot(
        len(block),
        pictures,
        correlation,
        lift,
        [one for one in found if one is not None],
        _seconds(comparison["provenance"], rows),
        comparison["task"]["modified"],
    )


def _seconds(origin: dict[str, Any], rows: Sequence[Rows]) -> float | None:
    """Seconds a picture for making and scoring, each over the pictures that it was spent on."""
    work, painted = origin["seconds"], origin.get("painted", {})
    made = sum(painted.get(row.id, row.digest.size) for row in rows if f"pictures {row.id}" in work)
    if not made:
        return None
    making = sum(seconds for stage, seconds in work.items() if stage.startswith("pictures "))
    scoring = {stage: seconds for stage, seconds in work.items() if stage.startswith("score ") and " by " in stage}
    scored = sum(row.digest.size for row in rows if any(stage.startswith(f"score {row.id} by ") for stage in scoring))
    return float(making / made + (sum(scoring.values()) / scored if scored else 0.0))
