"""The finding of a leaderboard in a few sentences, written from its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark.analysis.judges import JudgeReport
from benchmark.analysis.measures import GROUND_TRUTH, OBSERVED, VERIFIER, Measure
from benchmark.analysis.numbers import Interval
from benchmark.analysis.results import TaskResults
from benchmark.board.claims import Claim, Sentence, highest, with_value
from benchmark.board.columns import Columns
from benchmark.board.format_numbers import count, exact_percent, number, of_users, percent
from benchmark.board.row import DOUBTS, Row
from benchmark.board.scope import NAMED, over_fits, subject
from benchmark.stats.levels import FEWEST_USERS
from rebeca.errors import counted

IN_WORDS = {OBSERVED: "real ratings", GROUND_TRUTH: "the ground truth", VERIFIER: "the verifier"}
"""By role of a scorer."""
FAILED, USERS, TESTS, INCOMPLETE, FAILING, FITS = "failed", "users", "tests", "incomplete", "failing", "fits"
"""Keys of claims: failed images, users with a value, tests, generators that lack too many users or images, fits."""
LESS = {False: ("worse", "better"), True: ("less personal", "more personal")}
"""What a generator with a lower, and one with a higher value is; by whether the measure is a lift."""


def finding_of(
    rows: Sequence[Row], measures: Columns, results: TaskResults, alpha: float, judges: Mapping[str, JudgeReport]
) -> Sentence:
    """Names the leader on preference, those that are not ranked, and the most personal by the scorer that knows best.

    Args:
        rows: Best first.
        measures: What the leaderboard can show.
        results: Number of users, and all comparisons.
        alpha: Level of the tests.
        judges: The verifier's report.
    """
    unranked = _failing(rows) + _incomplete(rows) + _doubted(rows)
    if not any(row.measure(measures.primary) for row in rows):
        return Sentence("No generator has a preference.") + unranked
    ranked = [row for row in rows if row.ranked and row.measure(measures.primary)]
    if len(ranked) < 2:
        return unranked
    if (users := results.users) < FEWEST_USERS:
        text = f"{count(users)} cannot say who leads: nothing is tested below {FEWEST_USERS} users."
        return Sentence(text, (Claim("", USERS, "is", users),)) + unranked
    finding = _leader(rows, ranked, Measure(measures.primary), results)
    finding += unranked
    finding += _most_personal(rows, measures, results, alpha)
    gain = judges["population"].verifier_gain if "population" in judges else None
    if gain is not None and gain.low is not None and gain.low <= 0:
        text = "The verifier does not clearly beat the population model here: its lifts prove little."
        finding += Sentence(text, (Claim(VERIFIER, "gain:population", "may be zero"),))
    return finding


def _leader(rows: Sequence[Row], ranked: Sequence[Row], preference: Measure, results: TaskResults) -> Sentence:
    first, sharing = highest(ranked, [row.estimate(preference.scorer) for row in ranked])
    value = first.estimate(preference.scorer)
    who = _capital(_among(rows, preference, value) + subject(first, named(first)))
    estimate = _number(first, preference, results.users)
    beside = _beside(first, preference, results.users)
    finding = Sentence(claims=(Claim(first.id, preference.key, "highest", value), *beside))
    if sharing:
        text = f"{who} and {counted(sharing, 'other')} share the highest preference ({estimate})."
        finding += Sentence(text, (Claim(first.id, preference.key, "shared", sharing),))
    else:
        near = standing(first, preference, rows, results)
        leads = Claim(first.id, preference.key, "as good", 0) in near.claims
        text = f"leads on preference ({estimate})." if leads else f"has the highest preference ({estimate}){near.text}."
        finding += Sentence(f"{who} {text}", near.claims)
    return finding + _failures(first)


def standing(best: Row, measure: Measure, rows: Sequence[Row], results: TaskResults) -> Sentence:
    """Goes on from the highest value: which others do the adjusted tests not show to be below it?

    Only what was compared is said: against-reference families compare with the reference alone.
    """
    family = results.families.get(measure.key)
    pairs = [pair.seen_from(best.id) for pair in family.comparisons if best.id in (pair.a, pair.b)] if family else []
    if family is None or not pairs:
        return Sentence("; nothing was compared")
    lower, higher = LESS[measure.is_lift]
    names = {row.id: named(row) for row in rows}
    if len(pairs) < len(family.generators) - 1:
        (pair,) = pairs
        beats = pair.verdict == "better"
        text = f"; it is {'' if beats else 'not '}shown to be {higher} than {names[pair.b]}, its only comparison"
        return Sentence(text, (Claim(best.id, measure.key, "beats" if beats else "does not beat", than=pair.b),))
    near = [pair.b for pair in pairs if pair.verdict != "better"]
    claims = [Claim(best.id, measure.key, "as good", len(near))]
    if len(near) == len(pairs):
        return Sentence(f", but no other is shown to be {lower}", tuple(claims))
    if not near:
        return Sentence(f"; all others are shown to be {lower}", tuple(claims))
    who = counted(len(near), "other")
    if len(near) <= NAMED:
        who = " and ".join(names[other] for other in near)
        claims += [Claim(best.id, measure.key, "does not beat", than=other) for other in near]
    return Sentence(f"; {who} {'is' if len(near) == 1 else 'are'} not shown to be {lower}", tuple(claims))


def _most_personal(rows: Sequence[Row], measures: Columns, results: TaskResults, alpha: float) -> Sentence:
    users = results.users
    ranked = [row for row in rows if row.ranked]
    judge = measures.best_informed
    if judge is None or not any(row.lift(judge) for row in ranked):
        judge = measures.primary
    lift = Measure(judge, is_lift=True)
    known, values = with_value(ranked, lift)
    if not known:
        return Sentence()
    words = IN_WORDS.get(measures.cards[judge].role, measures.cards[judge].name)
    proven, tests = proven_lifts(known, judge, alpha)
    top, sharing = highest(known, values)
    value = dict(zip([row.id for row in known], values, strict=True))
    claims = [Claim(top.id, lift.key, "highest", value[top.id]), *_beside(top, lift, users)]
    who = subject(top, named(top))
    by = f"By {words}, {_among(rows, lift, value[top.id])}"
    if not proven:
        claims += [Claim("", lift.key, "fails"), Claim("", f"{TESTS}:{lift.key}", "is", tests)]
        tested = f", adjusted for {tests} tests," if tests > 1 else ""
        text = f"By {words}, permutation test and interval{tested} confirm no personal lift;"
        text += f" the highest is that of {who} ({_number(top, lift, users)})."
        return Sentence(text, tuple(claims))
    if top.id in proven:
        best, text = top, f"{by}{who} has the highest personal lift ({_number(top, lift, users)})"
        if sharing:
            claims.append(Claim(top.id, lift.key, "shared", sharing))
            text = f"{by}{who} and {counted(sharing, 'other')} share the highest personal lift"
            text += f" ({_number(top, lift, users)})"
    else:
        best, _ = highest([row for row in known if row.id in proven], [value[name] for name in proven])
        claims.append(Claim(top.id, lift.key, "fails"))
        text = f"{by}{who} has the highest personal lift ({_number(top, lift, users)}), which permutation test"
        text += f" and interval do not confirm; the highest confirmed one is that of {subject(best, named(best))}"
        text += f" ({_number(best, lift, users)})"
        claims += [Claim(best.id, lift.key, "is", value[best.id]), *_beside(best, lift, users)]
    claims.append(Claim(best.id, lift.key, "passes"))
    near = Sentence() if best is top and sharing else standing(best, lift, rows, results)
    return Sentence(f"{text}{near.text}.", (*claims, *near.claims)) + _failures(best)


def proven_lifts(ranked: Sequence[Row], judge: str, alpha: float) -> tuple[list[str], int]:
    """Ids of rows whose lift lies above zero and whose adjusted permutation test rejects; and the number of tests.

    Rows with the same images have one test: submitting a copy changes nothing for others.
    """
    import numpy as np  # which listing commands need not wait for

    from benchmark.stats.comparison import holm

    tests = {
        row.record.images.digest: test.p
        for row in ranked
        if judge in row.lifts and (test := row.lifts[judge].median_double_centred) is not None
    }
    adjusted = dict(zip(tests, holm(np.array(list(tests.values()))).tolist(), strict=True))
    proven = [
        row.id
        for row in ranked
        if _above_zero(row.lift(judge)) and adjusted.get(row.record.images.digest, 1.0) <= alpha
    ]
    return proven, len(tests)


def _above_zero(lift: Interval | None) -> bool:
    """Whether the interval lies above zero, or all users have the same positive lift."""
    return lift is not None and lift.lower is not None and lift.lower > 0


def _among(rows: Sequence[Row], measure: Measure, value: float) -> str:
    """Says that unranked rows do not count, where one of them has a higher value."""
    unranked, values = with_value([row for row in rows if not row.ranked], measure)
    return "of the ranked generators, " if unranked and max(values) > value else ""


def _failing(rows: Sequence[Row]) -> Sentence:
    """Names the generators of which too many images failed, and their shares."""
    failing = [row for row in rows if row.failing]
    if not failing:
        return Sentence()
    who = ", ".join(f"{named(row)} ({exact_percent(row.failures)})" for row in failing)
    claims = [Claim(row.id, FAILED, "is", row.failures) for row in failing]
    text = f"Not ranked, because too many images failed: {who}."
    return Sentence(text, (Claim("", FAILING, "is", len(failing)), *claims))


def _incomplete(rows: Sequence[Row]) -> Sentence:
    """Names the generators without a preference for too many users."""
    titles = [row.title for row in rows if not row.complete]
    if not titles:
        return Sentence()
    who = f"{len(titles)} generators" if len(titles) > NAMED else " and ".join(titles)
    text = f"{who} {'is' if len(titles) == 1 else 'are'} not ranked: the preference of too many users is missing."
    return Sentence(text, (Claim("", INCOMPLETE, "is", len(titles)),))


def _failures(row: Row) -> Sentence:
    if row.failures <= 0:
        return Sentence()
    return Sentence(
        f"{percent(row.failures)} of the images of {named(row)} failed.", (Claim(row.id, FAILED, "is", row.failures),)
    )


def named(row: Row) -> str:
    """The title of a row, in quotes where its own comma would divide the sentence."""
    return f'"{row.title}"' if "," in row.title else row.title


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _number(row: Row, measure: Measure, users: int) -> str:
    """``0.881``; ``+0.246, 3 fits, 9 of 12 users`` over several fits, and where fewer than all have a value."""
    interval = row.interval(measure)
    value = number(None if interval is None else interval.estimate, 3, measure.is_lift)
    return ", ".join(filter(None, (value, over_fits(row), of_users(interval, users))))


def _beside(row: Row, measure: Measure, users: int) -> list[Claim]:
    """What :func:`_number` says beside the value."""
    interval = row.interval(measure)
    claims = [Claim(row.id, FITS, "is", row.fits)] if over_fits(row) else []
    if interval is not None and interval.n < users:
        claims.append(Claim(row.id, f"{USERS}:{measure.key}", "is", interval.n))
    return claims


def _doubted(rows: Sequence[Row]) -> Sentence:
    """Names the generators that lost their rank to a defence, one defence after the other."""
    sentence = Sentence()
    for doubt, because in DOUBTS.items():
        sentence += _not_ranked([row for row in rows if doubt in row.doubts], doubt, because)
    return sentence


def _not_ranked(rows: Sequence[Row], why: str, because: str) -> Sentence:
    if not rows:
        return Sentence()
    who = counted(len(rows), "generator") if len(rows) > NAMED else " and ".join(named(row) for row in rows)
    return Sentence(f"Not ranked, because {because}: {who}.", (Claim("", why, "is", len(rows)),))
