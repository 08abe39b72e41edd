"""What every adversary reached: scores by all judges, what is true, and its rank with and without the defences."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmark.analysis.analyse import analyse
from benchmark.analysis.measures import AUDITOR, CONFIRMING, both_by, with_role
from benchmark.analysis.numbers import Interval
from benchmark.analysis.results import Analysis, Rank
from benchmark.board.board import read_board
from benchmark.board.row import Row
from benchmark.records.rows import read_all


@dataclass(frozen=True, slots=True)
class StressRow:
    """One generator of a stressed task.

    Attributes:
        id: Its id.
        title: Its title.
        adversary: Whether it attacks.
        preference: By the primary scorer.
        lift: Likewise.
        lift_auditor: Personal lift by the auditor.
        confirmed: Preference by the confirming judge.
        lift_confirming: Personal lift by the confirming judge.
        known: Mean by the ground truth or by held-out ratings, None where neither is known.
        lift_known: Likewise.
        ranked: Whether it takes part in the ranks, with the defences.
        undefended: Rank without the defences, None without one.
        defended: Rank with them; None where nothing was compared, as when the reference itself is not ranked.
        first_letter: Whether it shares the first letter, with the defences.
        counted: Adversaries: whether, without the defences, it is ranked and its preference or lift is above the lower
            end of the reference's.
        flags: Beside its row.
    """

    id: str
    title: str
    adversary: bool
    preference: Interval | None
    lift: Interval | None
    lift_auditor: Interval | None
    confirmed: Interval | None
    lift_confirming: Interval | None
    known: Interval | None
    lift_known: Interval | None
    ranked: bool
    undefended: Rank | None
    defended: Rank | None
    first_letter: bool
    counted: bool
    flags: tuple[str, ...]

    @property
    def slips(self) -> bool:
        """Whether it keeps a rank with a lift that is not there: above .03 by the judge, and maybe 0 in truth."""
        lift, known = self.lift, self.lift_known
        if not (self.adversary and self.ranked) or lift is None or known is None:
            return False
        return (lift.estimate or 0.0) > LIFT_THAT_COUNTS and known.lower is not None and known.lower <= 0.0


LIFT_THAT_COUNTS = 0.03
"""A lift by the primary scorer from which on an adversary gained something."""


def stress_rows(folder: Path, adversaries: Collection[str]) -> list[StressRow]:
    """Rows of a stressed task's records: the best by preference first, adversaries and others.

    Args:
        folder: The records.
        adversaries: Ids of the generators that attack, whatever their plug-in.

    Raises:
        RecordError: If the records cannot be read or do not add up.
    """
    board = read_board(folder)
    undefended = without_defences(folder)
    results = undefended.generators
    ranks = undefended.task.families[board.primary].ranks if board.primary in undefended.task.families else {}
    best_informed = board.measures.best_informed
    roles = {role: with_role(board.cards, role) for role in (AUDITOR, CONFIRMING)}

    def row_of(row: Row) -> StressRow:
        def both(scorer: str | None) -> tuple[Interval | None, Interval | None]:
            return (None, None) if scorer is None else (row.measure(scorer), row.lift(scorer))

        preference, lift = both(board.primary)
        confirmed, lift_confirming = both(roles[CONFIRMING])
        known, lift_known = both(best_informed)
        attacks = row.id in adversaries
        values = [
            [results[name].interval(each) for name in (row.id, board.reference)] for each in both_by(board.primary)
        ]
        above = any(reaches(own, reference) for own, reference in values)
        return StressRow(
            id=row.id,
            title=row.title,
            adversary=attacks,
            preference=preference,
            lift=lift,
            lift_auditor=both(roles[AUDITOR])[1],
            confirmed=confirmed,
            lift_confirming=lift_confirming,
            known=known,
            lift_known=lift_known,
            ranked=row.ranked,
            undefended=ranks.get(row.id),
            defended=row.rank,
            first_letter=has_first_letter(row.rank),
            counted=attacks and row.id in ranks and above,
            flags=tuple(row.flags),
        )

    return sorted(map(row_of, board.rows), key=lambda row: -_estimate(row.preference))


def without_defences(folder: Path) -> Analysis:
    """What the primary scorer alone would say, without the defences and if failures cost nothing."""
    task, rows = read_all(folder)
    plan = replace(
        task.plan, confirmation={}, most_copies=None, most_outside=None, failures="exclude", most_failures=1.0
    )
    primary = [
        replace(
            row,
            scores={plan.primary: row.scores[plan.primary]},
            cards={plan.primary: row.cards[plan.primary]},
            sets={},
            pairs={name: pairs for name, pairs in row.pairs.items() if name == plan.primary},
        )
        for row in rows
        if plan.primary in row.scores
    ]
    block, stratum = np.array(task.users.block, np.int64), np.array(task.users.stratum, np.int64)
    return analyse(plan, primary, block, stratum)


def reaches(own: Interval | None, reference: Interval | None) -> bool:
    """Whether a value is above the lower end of the reference's interval."""
    return reference is not None and reference.lower is not None and _estimate(own) > reference.lower


def has_first_letter(rank: Rank | None) -> bool:
    """Whether it shares the letter of the best; where not all pairs were tested, whether nobody is shown better."""
    if rank is None:
        return False
    return bool(re.match(r"a(?!\d)", rank.letters)) if rank.letters else rank.low == 1


def _estimate(interval: Interval | None) -> float:
    return -np.inf if interval is None or interval.estimate is None else interval.estimate
