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

from benchmark.analysis import LIFT, Rows, lifts_of, pairs_of
from benchmark.record_rows import read_all
from benchmark.records import plan_of
from benchmark.stats.comparison import DETECTABLE
from benchmark.stats.simulation import within_correlation
from rebeca.arrays import Floats

EQUIVALENT = 2.927
"""z(.95) + z(.90): standard errors that the margin must be worth for two one-sided tests to agree with 80 % power."""
TIMES = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class Detectable:
    """What can be seen on one measure.

    Attributes:
        measure: Scorer, or ``lift:`` and a scorer.
        pairs: Pairs of generators that the spread was taken from.
        between: Variance of a person's difference that pictures cannot shrink; None where it cannot be told apart.
        within: Variance that is divided by the number of pictures; None likewise.
        spread: Standard deviation of a person's difference in the pilot, median over pairs.
        largest: The same of the worst pair.
        people: People of the pilot.
        pictures: Pictures a person of the pilot.
    """

    measure: str
    pairs: int
    between: float | None
    within: float | None
    spread: float
    largest: float
    people: int
    pictures: int

    def at(self, people: int, pictures: int) -> float | None:
        """Smallest difference that the median pair finds with 80 % power; None for a lift with other pictures."""
        if pictures == self.pictures:
            spread = self.spread
        elif self.between is None or self.within is None:
            return None
        else:
            spread = float(np.sqrt(self.between + self.within / pictures))
        return DETECTABLE * spread / float(np.sqrt(people))

    def people_for(self, difference: float) -> int:
        """People by whom a difference of this size is found with 80 % power, with the pilot's number of pictures."""
        return int(np.ceil((DETECTABLE * self.spread / difference) ** 2))

    def people_for_equivalence(self, margin: float) -> int:
        """People by whom equal generators are called equivalent with 80 % power."""
        return int(np.ceil((EQUIVALENT * self.spread / margin) ** 2))

    def to_json(self, people: int, pictures: int, margin: float) -> dict[str, Any]:
        """The estimates, and the table for the planned numbers and multiples of them."""
        table = [
            {"people": u * people, "pictures": k * pictures, "detectable": self.at(u * people, k * pictures)}
            for u in TIMES
            for k in TIMES
        ]
        return {
            "measure": self.measure, "pairs": self.pairs, "spread": self.spread, "largest_spread": self.largest,
            "between": self.between, "within": self.within, "table": table,
            "people_for_margin": self.people_for(margin), "people_for_equivalence": self.people_for_equivalence(margin),
        }  # fmt: skip


def detectable(
    measure: str, rows: Sequence[Rows], lifts: dict[str, Floats], pairs: Sequence[tuple[str, str]]
) -> Detectable | None:
    """Estimates from a pilot's rows.

    Args:
        measure: Scorer, or ``lift:`` and a scorer.
        rows: The pilot's generators.
        lifts: float64 [people] by generator, for a lift.
        pairs: The declared family.

    Returns:
        None where no pair has two people with a difference that varies.
    """
    by_id = {row.id: row for row in rows}
    is_lift = measure.startswith(LIFT)
    values = lifts if is_lift else {row.id: row.values("exclude")[measure] for row in rows if measure in row.scores}
    spreads, within = [], []
    for a, b in pairs:
        if a not in values or b not in values:
            continue
        d = values[a] - values[b]
        d = d[np.isfinite(d)]
        if len(d) > 1 and np.ptp(d) > 0:
            spreads.append(float(d.std(ddof=1)))
            if not is_lift:
                within.append(_within(by_id[a].scores[measure]) + _within(by_id[b].scores[measure]))
    if not spreads:
        return None
    k = rows[0].digest.shape[1]
    spread, single = float(np.median(spreads)), float(np.median(within)) if within and k > 1 else None
    between = None if single is None else max(0.0, spread**2 - single / k)
    return Detectable(measure, len(spreads), between, single, spread, max(spreads), len(rows[0].failed), k)


def _within(scores: Floats) -> float:
    """Mean over people of the variance of their own pictures' scores."""
    known = np.isfinite(scores).sum(axis=1) > 1
    return float(np.nanvar(scores[known], axis=1, ddof=1).mean()) if known.any() else 0.0


def set_correlation(rows: Sequence[Rows], scorer: str) -> float:
    """Correlation of two pictures of one set, with each person's and each generator's level taken out."""
    scores = np.stack([row.scores[scorer] for row in rows if row.ranked and scorer in row.scores])
    own = np.nanmean(scores, axis=2, keepdims=True)
    centred = scores - np.nanmean(own, axis=0, keepdims=True) - np.nanmean(own, axis=1, keepdims=True)
    return within_correlation(centred.reshape(-1, scores.shape[2]))


def set_lift(rows: Sequence[Rows], reference: str, scorer: str, lift: float, correlation: float) -> float:
    """A lift in standard deviations of one judge's scores over all pictures, the unit of the simulation."""
    within = _within(next(row for row in rows if row.id == reference).scores[scorer])
    return lift / float(np.sqrt(within / (1 - correlation))) if within > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Pilot:
    """What earlier records say about a task's noise and cost.

    Attributes:
        people: People of the pilot.
        pictures: Pictures a person.
        correlation: Of two pictures of one set, by the primary scorer.
        lift: The reference's lift by the primary scorer, in the simulation's unit; 0 where there is none.
        detectable: By declared measure.
        seconds: Seconds a picture that the pilot's run spent on making and scoring; None where it made none itself.
        modified: Whether the pilot was a modified task, e.g. one with fewer people.
    """

    people: int
    pictures: int
    correlation: float
    lift: float
    detectable: list[Detectable]
    seconds: float | None
    modified: bool


def pilot(folder: Path) -> Pilot:
    """Reads a pilot's records.

    Raises:
        RecordError: If they cannot be read.
    """
    comparison, rows = read_all(folder)
    plan = plan_of(comparison["spec"], comparison["analysis"]["hash"], comparison["analysis"]["frozen"])
    block = np.array(comparison["users"]["block"])
    primary = plan.primary
    lifts = {row.id: lifts_of(row, primary, plan.reading, block)[0] for row in rows if primary in row.pairs}
    pairs = pairs_of(plan, [row.id for row in rows if row.ranked])
    found = [detectable(measure, rows, lifts, pairs) for measure in (primary, LIFT + primary)]
    correlation = set_correlation(rows, primary)
    own = lifts.get(plan.reference)
    lift = 0.0 if own is None or not np.isfinite(own).any() else float(np.nanmean(own))
    work = comparison["provenance"]["seconds"]
    spent = sum(seconds for stage, seconds in work.items() if stage.startswith(("pictures ", "score ")))
    made = sum(row.digest.size for row in rows if f"pictures {row.id}" in work)
    return Pilot(
        len(block), rows[0].digest.shape[1], correlation, set_lift(rows, plan.reference, primary, lift, correlation),
        [one for one in found if one is not None], spent / made if made else None, comparison["task"]["modified"],
    )  # fmt: skip
