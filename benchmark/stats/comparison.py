"""Comparing generators: paired sign flips over people, with the whole family under one roof.

For a pair of generators d_u is the difference of their values for person u. Under the null hypothesis d is symmetric
around 0, so signs can be flipped. One sign a person is shared by all pairs of a family, which is what lets step-down
max-T (Westfall and Young 1993; Romano and Wolf 2005) know how the pairs depend on each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import skew

from benchmark.stats.intervals import SKEWED, Interval, kept_weights, mean_interval, wilson

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]

TIE = 1e-9
FEWEST_USERS = 6
"""Below this many people comparisons are described, not tested."""
DETECTABLE = 2.80
"""z(.975) + z(.80): the smallest difference that is found with 80 % power, in standard errors."""
FLIPS_A_BLOCK = 512
"""Fixed, so that the signs drawn do not depend on how many pairs there are."""
MOST_ENUMERATED = 30
ROUNDING = 1e-12
"""A sum of squares about the mean below this share of the sum of squares is zero but for rounding."""


@dataclass(frozen=True, slots=True)
class SignFlips:
    """Result of one pair before adjustment.

    Attributes:
        at_least: Flips whose |t| was at least the observed one (the identity included when enumerated).
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


def studentised(total: Floats, square: Floats, n: Ints) -> Floats:
    """|t| = |mean| sqrt(n) / sd, from sums and sums of squares over n people; infinite for constant differences.

    Everything goes through this one expression, the observed value included, so that rounding cannot make the
    identity flip smaller than what was observed.
    """
    mean = total / n
    spread = square - n * np.square(mean)
    spread = np.where(spread <= ROUNDING * square, 0.0, spread)
    magnitude = np.abs(mean) * np.sqrt(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = magnitude / np.sqrt(spread / np.maximum(n - 1, 1))
    return np.asarray(np.where(magnitude == 0, 0.0, t))


def sign_flips(differences: Floats, flips: int, rng: np.random.Generator) -> list[SignFlips]:
    """Tests every pair of a family.

    Args:
        differences: float [people, pairs]; NaN where a pair does not have the person. A pair's own result depends
            on its own people only.
        flips: Random flips; all 2**people are enumerated when they are no more.
        rng: Random numbers; one sign a person serves all pairs.
    """
    people, pairs = differences.shape
    known = np.isfinite(differences)
    n = known.sum(axis=0)
    d = np.where(known, differences, 0.0)
    square = np.square(d).sum(axis=0)
    enumerated = people <= MOST_ENUMERATED and 2**people <= flips
    count = 2**people if enumerated else flips
    observed = studentised(np.ones((1, people)) @ d, square, n)[0]
    order = np.argsort(-observed, kind="stable")
    tolerant = observed * (1 - TIE)
    raw = np.zeros(pairs, np.int64)
    stepped = np.zeros(pairs, np.int64)
    for start in range(0, count, FLIPS_A_BLOCK):
        rows = min(FLIPS_A_BLOCK, count - start)
        if enumerated:
            bits = (np.arange(start, start + rows)[:, None] >> np.arange(people)[None, :]) & 1
            signs = 1.0 - 2.0 * bits
        else:
            signs = rng.integers(0, 2, size=(rows, people), dtype=np.int8) * 2.0 - 1.0
        t = studentised(signs @ d, square, n)
        raw += (t >= tolerant).sum(axis=0)
        # successive maxima from the least to the most significant pair
        running = np.maximum.accumulate(t[:, order[::-1]], axis=1)[:, ::-1]
        stepped[order] += (running >= tolerant[order]).sum(axis=0)
    extra = 0 if enumerated else 1
    p = (raw + extra) / (count + extra)
    adjusted = np.empty(pairs)
    adjusted[order] = np.maximum.accumulate((stepped[order] + extra) / (count + extra))
    holm_p = holm(p)
    return [
        SignFlips(int(raw[k]), count, enumerated, float(p[k]), float(adjusted[k]), float(holm_p[k]))
        for k in range(pairs)
    ]


def holm(p: Floats) -> Floats:
    """Holm's step-down adjustment (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(np.asarray(p)[order] * factors))
    return adjusted


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that is reported about one pair (A minus B).

    Attributes:
        difference: Mean difference with its interval, on the people that both have.
        effect: Paired d_z, mean over standard deviation; None for constant differences.
        prefer: Share of people with a higher value for A, ties one half, with Wilson's interval.
        detectable: Smallest difference found with 80 % power.
        skewness: Of the differences; above 1 in size the test's symmetry assumption is doubtful.
        test: The sign-flip test, None below six people.
        verdict: ``better``, ``worse``, ``equivalent``, ``inconclusive`` or ``described``.
    """

    difference: Interval
    effect: float | None
    prefer: tuple[float, float, float]
    detectable: float | None
    skewness: float | None
    test: SignFlips | None
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """JSON."""
        test = self.test
        return {
            "difference": self.difference.to_json(),
            "effect": self.effect,
            "prefer": {"share": self.prefer[0], "low": self.prefer[1], "high": self.prefer[2]},
            "detectable": self.detectable,
            "skewness": self.skewness,
            "skewed": self.skewness is not None and abs(self.skewness) > SKEWED,
            "test": None
            if test is None
            else {
                "at_least": test.at_least,
                "flips": test.flips,
                "enumerated": test.enumerated,
                "p": test.p,
                "p_max_t": test.p_max_t,
                "p_holm": test.p_holm,
            },
            "verdict": self.verdict,
        }


def compare(
    differences: Floats, weights: Floats, flips: int, alpha: float, margin: float | None, rng: np.random.Generator
) -> list[Comparison]:
    """Describes and tests every pair of a family.

    Args:
        differences: float [people, pairs]; A minus B of every pair, NaN where one of both has no value.
        weights: Bootstrap weights over all people.
        flips: Sign flips.
        alpha: Level.
        margin: Equivalence margin in the raw unit; None where none was declared.
        rng: Random numbers of the test.
    """
    enough = np.isfinite(differences).sum(axis=0) >= FEWEST_USERS
    tests: list[SignFlips | None] = [None] * differences.shape[1]
    if enough.any():
        for k, test in zip(np.flatnonzero(enough), sign_flips(differences[:, enough], flips, rng), strict=True):
            tests[int(k)] = test
    return [_describe(differences[:, k], weights, tests[k], alpha, margin) for k in range(differences.shape[1])]


def _describe(
    values: Floats, weights: Floats, test: SignFlips | None, alpha: float, margin: float | None
) -> Comparison:
    known = np.isfinite(values)
    d = values[known]
    own = kept_weights(weights, known)
    people = len(d)
    interval = mean_interval(d, own, 1 - alpha)
    spread = float(d.std(ddof=1)) if people > 1 else float("nan")
    constant = not spread > 1e-12 * max(1.0, abs(interval.estimate))
    wins = float((d > 0).sum() + 0.5 * (d == 0).sum())
    low, high = wilson(wins, people)
    inner = mean_interval(d, own, 1 - 2 * alpha)
    if test is None:
        verdict = "described"
    elif test.p_max_t <= alpha:
        verdict = "better" if interval.estimate > 0 else "worse"
    elif margin is not None and -margin < inner.low and inner.high < margin:
        verdict = "equivalent"
    else:
        verdict = "inconclusive"
    return Comparison(
        interval,
        None if constant else interval.estimate / spread,
        (wins / people if people else float("nan"), low, high),
        None if people < 2 else DETECTABLE * spread / float(np.sqrt(people)),
        None if constant else float(skew(d)),
        test,
        verdict,
    )
