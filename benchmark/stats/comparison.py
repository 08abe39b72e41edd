"""Comparing generators: paired sign flips over users, adjusted over the whole family.

For a pair of generators d_u is the difference of their values for user u. Under the null hypothesis d is symmetric
around 0, so signs can be flipped. All pairs of a family share one sign per user. Step-down max-T (Westfall
and Young 1993; Romano and Wolf 2005) thereby takes into account how the pairs depend on each other.

Where generators are fitted several times, the mean of every flip is moved by what other fits would have added
(:mod:`benchmark.stats.fits`). Without such effects the tests are the plain sign flips.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.stats.exact import whole_products
from benchmark.stats.fits import PairEffects, half_widths
from benchmark.stats.intervals import (
    FEWEST,
    SHARE,
    UNBOUNDED,
    Bounds,
    Interval,
    intervals_at_levels,
    mean_intervals,
    widened,
    wilson,
)
from benchmark.stats.items import ItemVariance, over_items, two_factor_p
from benchmark.stats.levels import FEWEST_USERS, detectable
from benchmark.stats.student import t_quantile
from rebeca.arrays import Bools, Floats, Ints
from rebeca.ties import TIE, TIE_OF_SCORES, direction, size_of

FLIPS_PER_BLOCK = 512
"""Fixed, so that the signs drawn do not depend on how many pairs there are."""
MOST_ENUMERATED = 30
ROUNDS_AT_ONCE = 4_000_000
BALANCED_AT = 0.99
"""Confidence of the intervals whose half-widths are the units of a family's statistics."""
LARGEST_T = 1e9
"""Stands for the infinite t of equal values beside fits."""


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


@dataclass(frozen=True, slots=True, eq=False)
class _Null:
    """A statistic and its distribution under the null hypothesis.

    Attributes:
        flippable: float64 [users, pairs]; whose signs are flipped, 0 where a user has no value.
        observed: float64 [pairs]; the statistic.
        tolerant: float64 [pairs]; what counts as at least as large.
        of: The statistic [flips, pairs] of sums of flipped values, from the number of the first flip on.
    """

    flippable: Floats
    observed: Floats
    tolerant: Floats
    of: Callable[[Floats, int], Floats]


def _over_users(d: Floats, n: Ints) -> _Null:
    """|t| of the mean over users."""
    square = np.square(d).sum(axis=0)

    def t(total: Floats, less: float = 0.0) -> Floats:
        return studentised(cosine(total, square, n) * (1 - less), n)

    total = d.sum(axis=0)
    return _Null(d, t(total), t(total, TIE), lambda totals, _: t(totals))


def _over_users_and_fits(d: Floats, known: Bools, n: Ints, fits: PairEffects) -> _Null:
    """|mean| over the half-width of an interval for it, with the variance that fits add.

    Half-widths and not standard errors, so that a pair with heavy tails (its fits pool with few others) is not the
    family's largest in most flips, which would take power from all other pairs. A pair's own p depends on neither.

    A mean holds what its fits happened to add, and flips would take that for differences between users. So its expected
    value is subtracted first: the mean times the fits' share of the variance. Flips then give a t over users, and what
    other fits would have added is added to it. Without any variance between fits this is :func:`_over_users`, divided
    by a quantile of Student's t.
    """
    mean = d.sum(axis=0) / n
    over_users = np.square(np.where(known, d - mean, 0.0)).sum(axis=0) / (n * (n - 1))
    over_users = np.maximum(over_users, np.square(mean / LARGEST_T))
    variance = over_users + fits.variances
    share = np.divide(fits.variances, variance, out=np.zeros(len(mean)), where=variance > 0)
    centred = _over_users(np.where(known, d - share * mean, 0.0), n)
    half = np.hypot(t_quantile(BALANCED_AT, n - 1) * np.sqrt(over_users), half_widths(fits.draws, BALANCED_AT))

    def standardised(means: Floats) -> Floats:
        return np.divide(np.abs(means), half, out=np.zeros(means.shape), where=half > 0)

    def of(totals: Floats, first: int) -> Floats:
        t = np.copysign(np.minimum(centred.of(totals, first), LARGEST_T), totals)
        return standardised(t * np.sqrt(over_users) + fits.draws[first : first + len(totals)])

    observed = standardised(mean)
    return _Null(centred.flippable, observed, observed * (1 - TIE), of)


def sign_flips(
    differences: Floats, flips: int, rng: np.random.Generator, fits: PairEffects | None = None
) -> list[SignFlips]:
    """Tests every pair of a family.

    Args:
        differences: float [users, pairs]; NaN where the user has no value for the pair. A pair's
            unadjusted result depends on its own users only, and on the variance between fits.
        flips: Random flips; all 2**users are enumerated when they are no more and fits have no effect.
        rng: Random numbers; one sign per user serves all pairs.
        fits: What other fits would have added, one draw per flip; None where fits do not vary.

    A flip counts where its statistic is at least the observed one, or below it by no more than a share of
    :data:`rebeca.ties.TIE`.
    """
    users, pairs = differences.shape
    known = np.isfinite(differences)
    n = known.sum(axis=0)
    d = np.where(known, differences, 0.0)
    enumerated = fits is None and users <= MOST_ENUMERATED and 2**users <= flips
    count = 2**users if enumerated else flips
    null = _over_users(d, n) if fits is None else _over_users_and_fits(d, known, n, fits)
    order = np.argsort(-null.observed, kind="stable")
    raw = np.zeros(pairs, np.int64)
    stepped = np.zeros(pairs, np.int64)
    for start in range(0, count, FLIPS_PER_BLOCK):
        rows = min(FLIPS_PER_BLOCK, count - start)
        if enumerated:
            signs = 1 - 2 * ((np.arange(start, start + rows)[:, None] >> np.arange(users)[None, :]) & 1)
        else:
            signs = rng.integers(0, 2, size=(rows, users), dtype=np.int8) * 2 - 1
        t = null.of(whole_products(signs, null.flippable), start)
        raw += (t >= null.tolerant).sum(axis=0)
        # successive maxima from the least to the most significant pair
        running = np.maximum.accumulate(t[:, order[::-1]], axis=1)[:, ::-1]
        stepped[order] += (running >= null.tolerant[order]).sum(axis=0)
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
    fits: PairEffects | None = None,
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
        fits: What other fits would have added, at least one draw per flip; None where fits do not vary.
        items: Variance between items of every mean difference; None where items play no part.

    Raises:
        ValueError: If a difference is infinite.
    """
    if np.isinf(differences).any():
        raise ValueError("an infinite difference cannot be compared")
    enough = np.isfinite(differences).sum(axis=0) >= FEWEST_USERS
    of_tested = None if fits is None else PairEffects(fits.draws[:, enough], fits.variances[enough])
    results = iter(sign_flips(differences[:, enough], rules.flips, rng, of_tested) if enough.any() else ())
    tests = [next(results) if tested else None for tested in enough]
    items = [None] * len(tests) if items is None else items
    levels = (0.95, 1 - 2 * rules.alpha)
    outer, inner = _intervals(differences, weights, rules, levels, fits, items)
    wins = [None] * len(outer) if beats is None else mean_intervals(beats, weights, 0.95, rules.interval, SHARE)
    drawn = _item_tests(differences, enough, items, fits)
    added = np.zeros(len(outer)) if fits is None else fits.variances
    return [
        _describe(differences[:, k], outer[k], inner[k], wins[k], tests[k], drawn[k], rules, float(added[k]))
        for k in range(len(outer))
    ]


def _intervals(
    differences: Floats,
    weights: Ints,
    rules: Rules,
    levels: Sequence[float],
    fits: PairEffects | None,
    items: Sequence[ItemVariance | None],
) -> list[list[Interval]]:
    """By level: over users; over items where they are drawn, and over fits where they vary."""
    out = []
    by_level = intervals_at_levels(differences, weights, levels, rules.interval, rules.bounds)
    for confidence, over_users in zip(levels, by_level, strict=True):
        halves = np.zeros(len(items)) if fits is None else half_widths(fits.draws, confidence)
        parts = zip(over_users, items, halves, strict=True)
        out.append(
            [
                widened(over_items(interval, variance, confidence, rules.bounds), float(half), rules.bounds)
                for interval, variance, half in parts
            ]
        )
    return out


def _item_tests(
    differences: Floats, enough: Bools, items: Sequence[ItemVariance | None], fits: PairEffects | None
) -> list[ItemTest | None]:
    """Of the pairs with enough users."""
    p = [
        two_factor_p(column[np.isfinite(column)], variance, None if fits is None else fits.draws[:, k])
        if tested
        else None
        for k, (column, tested, variance) in enumerate(zip(differences.T, enough, items, strict=True))
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
    added: float,
) -> Comparison:
    """One pair; ``added`` is the variance that fits add to the mean difference."""
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
        None if users < FEWEST else detectable(rules.alpha) * float(np.sqrt(spread**2 / users + added)),
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
