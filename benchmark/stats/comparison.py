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

from benchmark.stats.intervals import SKEWED, Interval, mean_interval, wilson

Floats = npt.NDArray[np.floating[Any]]

TIE = 1e-9
FEWEST_USERS = 6
"""Below this many people comparisons are described, not tested."""
DETECTABLE = 2.80
"""z(.975) + z(.80): the smallest difference that is found with 80 % power, in standard errors."""
FLIPS_AT_ONCE = 2_000_000


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


def studentised(mean: Floats, mean_square: Floats, n: int) -> Floats:
    """|t| = |mean| sqrt(n) / sd, from the mean and mean square; infinite for constant non-zero differences."""
    variance = np.maximum(mean_square - np.square(mean), 0.0) * n / max(n - 1, 1)
    # a variance at rounding level is zero; t is then 0 or infinite
    variance = np.where(variance <= 1e-24 * mean_square, 0.0, variance)
    magnitude = np.abs(mean) * np.sqrt(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = magnitude / np.sqrt(variance)
    return np.asarray(np.where(magnitude == 0, 0.0, t))


def sign_flips(differences: Floats, flips: int, rng: np.random.Generator) -> list[SignFlips]:
    """Tests every pair of a family.

    Args:
        differences: float [people, pairs], finite; the same people for all pairs.
        flips: Random flips; all 2**people are enumerated when they are no more.
        rng: Random numbers; used once for all pairs.
    """
    people, pairs = differences.shape
    enumerated = people <= 30 and 2**people <= flips
    count = 2**people if enumerated else flips
    mean_square = np.square(differences).mean(axis=0)
    observed = studentised(differences.mean(axis=0), mean_square, people)
    order = np.argsort(-observed, kind="stable")
    tolerant = observed * (1 - TIE)
    raw = np.zeros(pairs, np.int64)
    stepped = np.zeros(pairs, np.int64)
    step = max(1, FLIPS_AT_ONCE // max(people, pairs))
    for start in range(0, count, step):
        rows = min(step, count - start)
        if enumerated:
            bits = (np.arange(start, start + rows)[:, None] >> np.arange(people)[None, :]) & 1
            signs = 1.0 - 2.0 * bits
        else:
            signs = rng.integers(0, 2, size=(rows, people), dtype=np.int8) * 2.0 - 1.0
        t = studentised(signs @ differences / people, mean_square, people)
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


def smallest_p(people: int, flips: int) -> float:
    """The smallest p that a two-sided sign-flip test can give."""
    return 2 / 2**people if people <= 30 and 2**people <= flips else 1 / (flips + 1)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that is reported about one pair (A minus B).

    Attributes:
        difference: Mean difference with its interval.
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
    differences: Floats, weights: Floats, flips: int, alpha: float, margin: float, rng: np.random.Generator
) -> list[Comparison]:
    """Describes and tests every pair of a family.

    Args:
        differences: float [people, pairs]; A minus B of every pair, on the people that all generators have.
        weights: Bootstrap weights over the same people.
        flips: Sign flips.
        alpha: Level.
        margin: Equivalence margin in the raw unit.
        rng: Random numbers of the test.
    """
    people = len(differences)
    tests: list[SignFlips] | list[None]
    tests = sign_flips(differences, flips, rng) if people >= FEWEST_USERS else [None] * differences.shape[1]
    return [_describe(differences[:, k], weights, tests[k], alpha, margin) for k in range(differences.shape[1])]


def _describe(d: Floats, weights: Floats, test: SignFlips | None, alpha: float, margin: float) -> Comparison:
    people = len(d)
    interval = mean_interval(d, weights, 1 - alpha)
    spread = float(d.std(ddof=1)) if people > 1 else float("nan")
    constant = not spread > 1e-12 * max(1.0, abs(interval.estimate))
    wins = float((d > 0).sum() + 0.5 * (d == 0).sum())
    low, high = wilson(wins, people)
    inner = mean_interval(d, weights, 1 - 2 * alpha)
    if test is None:
        verdict = "described"
    elif test.p_max_t <= alpha:
        verdict = "better" if interval.estimate > 0 else "worse"
    elif -margin < inner.low and inner.high < margin:
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
