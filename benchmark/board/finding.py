"""The finding of a leaderboard in one or two sentences, written from its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark.analysis.judges import JudgeReport
from benchmark.analysis.measures import GROUND_TRUTH, OBSERVED, VERIFIER
from benchmark.board.columns import Columns
from benchmark.board.format_numbers import count, number
from benchmark.board.row import Row
from benchmark.stats.levels import FEWEST_USERS

IN_WORDS = {OBSERVED: "real ratings", GROUND_TRUTH: "the ground truth", VERIFIER: "the verifier"}
"""By role of a scorer."""


def finding_of(
    rows: Sequence[Row], measures: Columns, users: int, alpha: float, judges: Mapping[str, JudgeReport]
) -> str:
    """Names the leader on preference, and the generator that is most personal by the scorer that knows best.

    Args:
        rows: Best first.
        measures: What the leaderboard can show.
        users: Users that images were made for.
        alpha: Level of the tests.
        judges: The verifier's report.
    """
    ranked = [row for row in rows if row.ranked and row.measure(measures.primary)]
    if len(ranked) < 2:
        return ""
    if users < FEWEST_USERS:
        return f"{count(users)} cannot say who leads: nothing is tested below {FEWEST_USERS} users."
    sentences = [_leader(ranked), _most_personal(ranked, measures, alpha)]
    gain = judges["population"].verifier_gain if "population" in judges else None
    if gain is not None and gain.low is not None and gain.low <= 0:
        sentences.append("The verifier does not clearly beat the population model here: its lifts prove little.")
    return " ".join(sentence for sentence in sentences if sentence)


def _leader(ranked: Sequence[Row]) -> str:
    first = ranked[0]
    near = first.rank.high - 1 if first.rank else len(ranked) - 1
    if near == 0:
        return f"{first.title} leads on preference."
    if near < len(ranked) - 1:
        return f"{first.title} is liked most; {near} other{'s' if near > 1 else ''} may be as good."
    return f"{first.title} is liked most, but no other is clearly behind."


def _most_personal(ranked: Sequence[Row], measures: Columns, alpha: float) -> str:
    judge = measures.best_informed
    if judge is None or not any(row.lift(judge) for row in ranked):
        judge = measures.primary
    if not any(row.lift(judge) for row in ranked):
        return ""
    words = IN_WORDS.get(measures.cards[judge].role, measures.cards[judge].name)
    proven = _proven_lifts(ranked, judge, alpha)
    if not proven:
        return f"By {words}, no generator has a significant personal lift."
    estimate, low, best = max(proven, key=lambda lift: lift[0])
    others = [row.lift(judge) for row in ranked if row is not best]
    near = sum(lift is not None and lift.high is not None and lift.high > low for lift in others)
    beside = {0: "", 1: "; the interval of 1 other overlaps with it"}.get(
        near, f"; the intervals of {near} others overlap with it"
    )
    return f"By {words}, {best.title} has the highest personal lift ({number(estimate, 3, sign=True)}{beside})."


def _proven_lifts(ranked: Sequence[Row], judge: str, alpha: float) -> list[tuple[float, float, Row]]:
    """Estimate, lower end and row where the interval lies above zero and the adjusted personalisation test rejects."""
    import numpy as np

    from benchmark.stats.comparison import holm

    tested = []
    for row in ranked:
        lift, test = row.lift(judge), row.lifts[judge].median_double_centred if judge in row.lifts else None
        if lift is not None and lift.estimate is not None and lift.low is not None and test is not None:
            tested.append((lift.estimate, lift.low, row, test.p))
    return [
        (estimate, low, row)
        for (estimate, low, row, _), p in zip(tested, holm(np.array([p for *_, p in tested])), strict=True)
        if low > 0 and p <= alpha
    ]
