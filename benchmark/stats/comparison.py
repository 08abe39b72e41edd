"""Comparing generators: paired sign flips over users, adjusted over the whole family.

For a pair of generators d_u is the difference of their values for user u. Under the null hypothesis d is symmetric
around 0, so signs can be flipped. All pairs of a family share one sign per user. Step-down max-T (Westfall
and Young 1993; Romano and Wolf 2005) thereby takes into account how the pairs depend on each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.stats.exact import whole_products
from benchmark.stats.intervals import FEWEST, SHARE, UNBOUNDED, Bounds, Interval, mean_intervals, wilson
from benchmark.stats.items import ItemVariance, two_factor_p, widened
from benchmark.stats.levels import FEWEST_USERS, detectable
from rebeca.arrays import Bools, Floats, Ints
from rebeca.ties import TIE, TIE_OF_SCORES, direction, size_of

FLIPS_PER_BLOCK = 512
"""Fixed, so that the signs drawn do not depend on how many pairs there are."""
MOST_ENUMERATED = 30
ROUNDS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class SignFlips:
    """Result of one pair before adjustment.

    Attributes:
        at_least: Flips whose absolute t was at least the observed one (the identity included when enumerated).
        flips: Flips.
        enumerated: Whether all 2**U flips were tried.
        p: b / B when enumerated, (b + 1) / (B + 1) otherwise.
        p_max_t: Adjusted over the family by step-down max-T.
        p_holm: Adjusted over the family by Holm.
    """

    at_least: int
    flips: int
    enumerated: bool
    p: float
    p_max_t: float
    p_holm: float


def cosine(total: Floats, square: Floats, n: Ints) -> Floats:
    """|cos| of the angle between signed differences and a vector of ones, from sums and sums of squares over n users.

    0 where all differences are 0. Flips change no square, so that |t| grows with it; and unlike |t|, which subtracts
    two nearly equal numbers where differences are nearly constant, it keeps its digits.
    """
    length = np.sqrt(n * square)
    return np.divide(np.abs(total), length, out=np.zeros(np.broadcast(total, length).shape), where=length > 0)


def studentised(cosines: Floats, n: Ints) -> Floats:
    """|t| = |mean| sqrt(n) / sd of differences with this cosine; infinite for constant differences."""
    c = np.minimum(cosines, 1.0)
    with np.errstate(divide="ignore"):
        return np.asarray(c * np.sqrt((n - 1) / ((1 - c) * (1 + c))))


def sign_flips(differences: Floats, flips: int, rng: np.random.Generator) -> list[SignFlips]:
    """Tests every pair of a family.

    Args:
        differences: float [users, pairs]; NaN where the user has no value for the pair. A pair's
            unadjusted result depends on its own users only.
        flips: Random flips; all 2**users are enumerated when they are no more.
        rng: Random numbers; one sign per user serves all pairs.

    A flip counts where its cosine is at least the observed one, or below it by no more than a share of
    :data:`rebeca.ties.TIE`.
    """
    users, pairs = differences.shape
    known = np.isfinite(differences)
    n = known.sum(axis=0)
    d = np.where(known, differences, 0.0)
    square = np.square(d).sum(axis=0)
    enumerated = users <= MOST_ENUMERATED and 2**users <= flips
    count = 2**users if enumerated else flips
    observed = cosine(d.sum(axis=0), square, n)
    order = np.argsort(-studentised(observed, n), kind="stable")
    tolerant = studentised(observed * (1 - TIE), n)
    raw = np.zeros(pairs, np.int64)
    stepped = np.zeros(pairs, np.int64)
    for start in range(0, count, FLIPS_PER_BLOCK):
        rows = min(FLIPS_PER_BLOCK, count - start)
        if enumerated:
            signs = 1 - 2 * ((np.arange(start, start + rows)[:, None] >> np.arange(users)[None, :]) & 1)
        else:
            signs = rng.integers(0, 2, size=(rows, users), dtype=np.int8) * 2 - 1
        t = studentised(cosine(whole_products(signs, d), square, n), n)
        raw += (t >= tolerant).sum(axis=0)
        # successive maxima from the least to the most significant pair
        running = np.maximum.accumulate(t[:, order[::-1]], axis=1)[:, ::-1]
        stepped[order] += (running >= tolerant[order]).sum(axis=0)
    extra = 0 if enumerated else 1
    p = (raw + extra) / (count + extra)
    adjusted = np.empty(pairs)
    adjusted[order] = np.maximum.accumulate((stepped[order] + extra) / (count + extra))
    columns = zip(raw.tolist(), p.tolist(), adjusted.tolist(), holm(p).tolist(), strict=True)
    return [SignFlips(at_least, count, enumerated, *values) for at_least, *values in columns]


def holm(p: Floats) -> Floats:
    """Holm's step-down adjustment (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(np.asarray(p)[order] * np.arange(len(p), 0, -1)))
    return adjusted


@dataclass(frozen=True, slots=True)
class ItemTest:
    """A pair under new users and new items: Student's t with the variance between items.

    Attributes:
        p: Two-sided.
        p_holm: Adjusted over the family by Holm.
        items: Held-out items that were drawn.
    """

    p: float
    p_holm: float
    items: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that is reported about one pair (A minus B).

    Attributes:
        difference: Mean difference with its interval, on the users that both have.
        inner: The same at 1 - 2 alpha, by which equivalence is decided.
        effect: Paired d_z, mean over standard deviation; None for constant differences.
        prefer: Share of users for whom A is better, ties one half, with Wilson's interval.
        beats: Mean over users of P(an image of A is better than an image of B); None where single images have
            no value.
        detectable: Smallest difference found with 80 % power by this pair alone, unadjusted.
        test: The sign-flip test, None below six users.
        items: The test under new items, where the measure depends on which are held out; the sign flips take them as
            given, and a verdict then needs both.
        verdict: One of :data:`benchmark.stats.levels.VERDICTS`.
    """

    difference: Interval
    inner: Interval
    effect: float | None
    prefer: tuple[float, float, float]
    beats: Interval | None
    detectable: float | None
    test: SignFlips | None
    items: ItemTest | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Rules:
    """How a family is judged.

    Attributes:
        flips: Sign flips.
        alpha: Level; intervals that are shown are 95 % whatever it is.
        margin: Equivalence margin in the raw unit; None where none was declared.
        higher_is_better: Direction of the measure.
        interval: Method of the intervals, see :func:`benchmark.stats.intervals.mean_intervals`.
        bounds: Lowest and highest possible mean difference.
    """

    flips: int
    alpha: float
    margin: float | None = None
    higher_is_better: bool = True
    interval: str = "auto"
    bounds: Bounds = UNBOUNDED


def compare(
    differences: Floats,
    weights: Ints,
    rules: Rules,
    rng: np.random.Generator,
    beats: Floats | None = None,
    items: Sequence[ItemVariance | None] | None = None,
) -> list[Comparison]:
    """Describes and tests every pair of a family.

    Args:
        differences: float [users, pairs]; A minus B of every pair by :func:`paired_differences`, NaN where one of
            both has no value.
        weights: int [draws, users]; bootstrap weights over all users.
        rules: How the family is judged.
        rng: Random numbers of the test.
        beats: float [users, pairs] from :func:`image_wins`; None for measures of whole sets.
        items: Variance between items of every mean difference; None where items play no part.

    Raises:
        ValueError: If a difference is infinite.
    """
    if np.isinf(differences).any():
        raise ValueError("an infinite difference cannot be compared")
    enough = np.isfinite(differences).sum(axis=0) >= FEWEST_USERS
    results = iter(sign_flips(differences[:, enough], rules.flips, rng) if enough.any() else ())
    tests = [next(results) if tested else None for tested in enough]
    items = [None] * len(tests) if items is None else items
    outer, inner = (
        [
            widened(interval, variance, confidence, rules.bounds)
            for interval, variance in zip(
                mean_intervals(differences, weights, confidence, rules.interval, rules.bounds), items, strict=True
            )
        ]
        for confidence in (0.95, 1 - 2 * rules.alpha)
    )
    wins = [None] * len(outer) if beats is None else mean_intervals(beats, weights, 0.95, rules.interval, SHARE)
    drawn = _item_tests(differences, enough, items)
    return [
        _describe(differences[:, k], outer[k], inner[k], wins[k], tests[k], drawn[k], rules) for k in range(len(outer))
    ]


def _item_tests(differences: Floats, enough: Bools, items: Sequence[ItemVariance | None]) -> list[ItemTest | None]:
    """Of the pairs with enough users."""
    p = [
        two_factor_p(column[np.isfinite(column)], variance) if tested else None
        for column, tested, variance in zip(differences.T, enough, items, strict=True)
    ]
    adjusted = iter(holm(np.array([value for value in p if value is not None])).tolist())
    return [
        None if value is None or variance is None else ItemTest(value, next(adjusted), variance.items)
        for value, variance in zip(p, items, strict=True)
    ]


def paired_differences(a: Floats, b: Floats) -> Floats:
    """float64 [users]; A minus B per user, 0 where they are equal but for rounding; NaN stays."""
    return np.asarray(np.where(direction(a - b, size_of(a, b)) == 0, 0.0, a - b))


def image_wins(a: Floats, b: Floats, higher_is_better: bool = True) -> Floats:
    """float64 [users]; each user's P(an image of A is better than an image of B), ties one half.

    Scores within :data:`rebeca.ties.TIE_OF_SCORES` are tied: one image may be scored in two batches.

    Args:
        a: float [users, images of A]; NaN for images without a score.
        b: float [users, images of B].
        higher_is_better: Direction of the score.

    Returns:
        NaN for users without a scored image of both.
    """
    left, right = (a, b) if higher_is_better else (b, a)
    tolerance = TIE_OF_SCORES * size_of(a, b)
    above, equal = np.zeros(len(a)), np.zeros(len(a))
    step = max(1, ROUNDS_AT_ONCE // max(1, a.shape[1] * b.shape[1]))
    for start in range(0, len(a), step):
        gap = left[start : start + step, :, None] - right[start : start + step, None, :]
        above[start : start + step] = (gap > tolerance).sum(axis=(1, 2))
        equal[start : start + step] = (np.abs(gap) <= tolerance).sum(axis=(1, 2))
    rounds = np.isfinite(a).sum(axis=1) * np.isfinite(b).sum(axis=1)
    return np.divide(above + equal / 2, rounds, out=np.full(len(a), np.nan), where=rounds > 0)


def _describe(
    values: Floats,
    outer: Interval,
    inner: Interval,
    beats: Interval | None,
    test: SignFlips | None,
    items: ItemTest | None,
    rules: Rules,
) -> Comparison:
    d = values[np.isfinite(values)]
    users = len(d)
    sign = 1 if rules.higher_is_better else -1
    spread = float(d.std(ddof=1)) if users > 1 else float("nan")
    wins = float((sign * d > 0).sum() + 0.5 * (d == 0).sum())
    return Comparison(
        outer,
        inner,
        None if outer.skewness is None else outer.estimate / spread,
        (wins / users if users else float("nan"), *wilson(wins, users)),
        beats,
        None if users < FEWEST else detectable(rules.alpha) * spread / float(np.sqrt(users)),
        test,
        items,
        _verdict(d, sign * outer.estimate, inner, test, rules, items),
    )


def _verdict(
    d: Floats, gain: float, inner: Interval, test: SignFlips | None, rules: Rules, items: ItemTest | None = None
) -> str:
    if test is None:
        return "described"
    if not d.any():
        return "identical"
    if max(test.p_max_t, 0.0 if items is None else items.p_holm) <= rules.alpha:
        return "better" if gain > 0 else "worse"
    if rules.margin is not None and -rules.margin < inner.low and inner.high < rules.margin:
        return "equivalent"
    return "inconclusive"
