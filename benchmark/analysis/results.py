"""Results of the analysis: computed once, kept in records and shown on leaderboards as the same frozen objects.

A number that does not exist is None here, while arrays and :mod:`benchmark.stats` hold NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from operator import neg
from typing import Annotated, Literal

from pydantic import Field

from benchmark.analysis.measures import Measure
from benchmark.analysis.numbers import (
    AtLeastOne,
    Count,
    Ends,
    Interval,
    NotNegative,
    PermutationTest,
    Share,
    ShareInterval,
    absent,
    empty,
    finite,
    maybe,
    one_minus,
)
from benchmark.stats import comparison
from benchmark.stats.fits import FitVariance
from benchmark.stats.levels import VERDICTS

Verdict = Literal[VERDICTS]  # type: ignore[valid-type]
REVERSED = {"better": "worse", "worse": "better"}


@dataclass(frozen=True, slots=True)
class Summary:
    """One measure of one generator.

    Attributes:
        interval: Mean and interval, with failures counted as the task's `failures` says.
        users: Users with a value.
        without: Users without one.
        exclude: Mean when failures are left out.
        worst: Mean when a failure counts as the user's worst score.
        unanswered: Images that did not fail and have no score; they count in no mean.
        by_fit: Mean over users of each fit; empty where the fit does not vary, null where nobody has a value.
        between_fits: Standard deviation of these, over users with a value in every fit; null without them.
    """

    interval: Interval
    users: Count
    without: Count
    exclude: float | None
    worst: float | None
    unanswered: Count
    by_fit: tuple[float | None, ...] = ()
    between_fits: NotNegative | None = None


@dataclass(frozen=True, slots=True)
class Personal:
    """Is it personal, by one scorer? Null where nobody can be compared.

    Attributes:
        estimable: Users who have the same block and the same number of images as at least one other user.
        not_estimable: The others.
        lift: Personal lift; positive is better, whatever the scorer's direction.
        median_double_centred: The test that decides (T2).
        mean: The test on the mean of S[u, u] (T1).
        own_set_beats: Share of other users' sets that the own set beats.
        reciprocal_rank: One over the own set's rank.
        exclude: Mean lift when failures are left out.
        worst: Mean lift when a failure counts as the user's own worst score, and as an average image for others.
        by_fit: Mean lift of each fit; empty where the fit does not vary, null where nobody has a value.
        between_fits: Standard deviation of these, over users with a value in every fit; null without them.
    """

    estimable: Count
    not_estimable: Count
    exclude: float | None
    worst: float | None
    lift: Interval | None = None
    median_double_centred: PermutationTest | None = None
    mean: PermutationTest | None = None
    own_set_beats: Interval | None = None
    reciprocal_rank: Interval | None = None
    by_fit: tuple[float | None, ...] = ()
    between_fits: NotNegative | None = None


@dataclass(frozen=True, slots=True)
class GeneratorResults:
    """The analysis of one generator.

    Attributes:
        summary: By measure.
        personal: By scorer.
        gap: Verifier minus auditor; large where only the verifier is pleased. Null without both.
        excess: By measure: the primary scorer minus the confirming judge; empty without one.
    """

    summary: Mapping[str, Summary]
    personal: Mapping[str, Personal]
    gap: Interval | None
    excess: Mapping[str, Interval] = field(default_factory=dict)

    def interval(self, measure: Measure) -> Interval | None:
        """Of a measure or a lift; None where nobody has a value."""
        if measure.is_lift:
            personal = self.personal.get(measure.scorer)
            return None if personal is None else personal.lift
        summary = self.summary.get(measure.scorer)
        return None if summary is None else summary.interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """One pair, A minus B.

    Attributes:
        a: A.
        b: B.
        difference: Mean difference over the users that both have.
        inner: Its interval at 1 - 2 alpha, by which equivalence is decided.
        effect: Paired d_z; null for constant differences.
        prefer: Share of users for whom A is better, ties one half.
        beats: Mean over users of P(image of A beats image of B).
        detectable: Smallest difference that this pair detects with 80 % power, unadjusted.
        skewed: Whether the skewness of the differences exceeds 1 in size.
        test: Two-sided sign flips; null below six users.
        verdict: `better`, `worse`, `identical`, `equivalent`, `inconclusive`, `described`.
        items: Test under new users and new items, where the measure depends on which items are held out; `test`
            takes them as given, and a verdict needs both. Otherwise absent.
    """

    a: str
    b: str
    difference: Interval
    inner: Ends
    effect: float | None
    prefer: ShareInterval
    beats: Interval | None
    detectable: NotNegative | None
    skewed: bool
    test: comparison.SignFlips | None
    verdict: Verdict
    items: Annotated[comparison.ItemTest | None, Field(exclude_if=absent)] = None

    @classmethod
    def of(cls, a: str, b: str, result: comparison.Comparison) -> Comparison:
        return cls(
            a=a,
            b=b,
            difference=Interval.of(result.difference),
            inner=Ends(finite(result.inner.low), finite(result.inner.high)),
            effect=result.effect,
            prefer=ShareInterval(*(finite(value) for value in result.prefer)),
            beats=None if result.beats is None else Interval.of(result.beats),
            detectable=result.detectable,
            skewed=result.difference.skewed,
            test=result.test,
            items=result.items,
            verdict=result.verdict,
        )

    @property
    def p(self) -> float | None:
        """Adjusted p-value by which the verdict is decided: the larger of two where items are drawn as well.

        None where nothing was tested.
        """
        if self.test is None or self.items is None:
            return None if self.test is None else self.test.p_max_t
        return max(self.test.p_max_t, self.items.p_holm)

    def seen_from(self, generator: str) -> Comparison:
        """The comparison as ``generator`` minus the other one."""
        return self if self.a == generator else self.reversed()

    def reversed(self) -> Comparison:
        prefer = self.prefer
        return replace(
            self,
            a=self.b,
            b=self.a,
            difference=self.difference.turned(neg),
            inner=self.inner.turned(neg),
            effect=maybe(neg, self.effect),
            prefer=ShareInterval(
                maybe(one_minus, prefer.share), maybe(one_minus, prefer.high), maybe(one_minus, prefer.low)
            ),
            beats=None if self.beats is None else self.beats.turned(one_minus),
            verdict=REVERSED.get(self.verdict, self.verdict),
        )


@dataclass(frozen=True, slots=True)
class Rank:
    """A generator's rank.

    Attributes:
        low: 1 + generators significantly better.
        high: Generators less those significantly worse.
        letters: Two generators share a letter exactly where the adjusted tests do not tell them apart: a compact
            letter display, in order from the best. Empty unless all pairs were tested.
        share_first: Bootstrap share of first places: the share of bootstrap draws in which its mean is the highest.
            Neither adjusted nor a probability.
        order: Place by the mean.
    """

    low: AtLeastOne
    high: AtLeastOne
    letters: str
    share_first: Share
    order: AtLeastOne

    @property
    def text(self) -> str:
        """``2``, or ``2–3``."""
        return str(self.low) if self.low == self.high else f"{self.low}–{self.high}"

    @property
    def with_letters(self) -> str:
        """``2–3 ab``."""
        return f"{self.text} {self.letters}".strip()


@dataclass(frozen=True, slots=True)
class Family:
    """All comparisons of one measure.

    Attributes:
        declared: Whether it was decided on before the first image; otherwise exploratory.
        hash: SHA-256 of analysis, measure, generators and pairs, on which adjusted p and ranks depend.
        generators: Ranked generators that have the measure.
        users: Users for whom all these generators have a value.
        left_out: The others.
        comparisons: One per pair.
        ranks: By generator.
        fits: Variance between fits, by fitting procedure; none where no fit varies.
    """

    declared: bool
    hash: str
    generators: tuple[str, ...]
    users: Count
    left_out: Count
    comparisons: tuple[Comparison, ...]
    ranks: Mapping[str, Rank]
    fits: Mapping[str, FitVariance]


@dataclass(frozen=True, slots=True)
class Correlations:
    """Pearson's and Spearman's correlation.

    Attributes:
        pearson: Of the scores.
        spearman: Of their ranks.
    """

    pearson: Interval
    spearman: Interval


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two scorers on the same images.

    Attributes:
        a: The primary scorer.
        b: The other.
        images: Distinct images, counted per user, that both scorers score.
        users: Users.
        without: Users left out of `within_user`: fewer than three images, or constant scores.
        within_user: Mean over users of their own correlation.
        pooled: Over all images, interval over users.
    """

    a: str
    b: str
    images: Count
    users: Count
    without: Count
    within_user: Correlations
    pooled: Correlations


@dataclass(frozen=True, slots=True)
class Inversion:
    """Two generators that the leaderboard orders one way and the ground truth the other.

    Attributes:
        a: Which the leaderboard puts first.
        b: Which the ground truth puts first.
        judged: A minus B by the primary scorer.
        ground_truth: A minus B by the ground truth.
        audited: A minus B by the auditor; negative where it sides with the ground truth.
    """

    a: str
    b: str
    judged: float
    ground_truth: float
    audited: float | None


@dataclass(frozen=True, slots=True)
class Validity:
    """Does the leaderboard put generators in the order of the ground truth?

    Attributes:
        measure: What the leaderboard orders by; `lift:` before a scorer means its personal lift.
        ground_truth: The same by a scorer that knows the ground truth.
        generators: Ranked generators that both measure.
        users: Users with a value for all of them.
        tau: Kendall's tau-a; its ends enclose the middle 95 % of tau over redrawn users, and are too low.
        inversions: Pairs in another order.
    """

    measure: str
    ground_truth: str
    generators: tuple[str, ...]
    users: Count
    tau: Interval
    inversions: tuple[Inversion, ...]


@dataclass(frozen=True, slots=True)
class Caution:
    """Why the true coverage or level may not be the nominal one.

    Attributes:
        kind: Why; `no-comparisons`: the reference has no rank; `own-candidates`: lifts leave out retrieved items that
            the judging user could not have been shown; `unequal-fits`: the variance between fits, which is pooled,
            differs between generators of one fitting procedure; `unknown-fits`: too few users have a value in every fit
            to say anything about other fits; `drawn-items`: differences in held-out ratings, whose tests reject too
            often.
        where: The number of users, or the ids of the generators or pairs concerned.
        measure: Of which measure.
    """

    kind: Literal[
        "few-users",
        "unequal-images",
        "own-candidates",
        "no-comparisons",
        "skewed-values",
        "skewed-differences",
        "unequal-fits",
        "unknown-fits",
        "drawn-items",
    ]
    where: tuple[str, ...]
    measure: str | None = None


@dataclass(frozen=True, slots=True)
class TaskResults:
    """The comparison of all generators.

    Attributes:
        users: Users that images were made for.
        families: By measure; `lift:` before a scorer means its personal lift.
        agreement: The primary scorer beside the others.
        validity: The leaderboard's order beside that of the ground truth, where a scorer knows it.
        incomplete: Generators that are not ranked, because more than 5 % of the users, rounded up,
            have no preference.
        failing: Generators that are not ranked, because more than `analysis.most_failures` of their images failed.
        cautions: Warnings about the declared measures: few users, unequal numbers of images, no comparisons, skewed
            values, skewed differences, unequal variances between fits.
        unconfirmed: Generators that are not ranked, because the primary scorer clearly exceeds the confirming judge by
            more than `analysis.confirmation`; absent if there are none.
        copying: Generators that are not ranked, because a larger share of their images than `analysis.most_copies` are
            near-copies of items and do not say so; absent if there are none.
        outside: Generators that are not ranked, because a larger share of their images than `analysis.most_outside`
            could not be items of the world; absent if there are none.
    """

    users: Count
    families: Mapping[str, Family]
    agreement: tuple[Agreement, ...]
    validity: tuple[Validity, ...]
    incomplete: tuple[str, ...]
    cautions: tuple[Caution, ...]
    failing: tuple[str, ...]
    unconfirmed: Annotated[tuple[str, ...], Field(exclude_if=empty)] = ()
    copying: Annotated[tuple[str, ...], Field(exclude_if=empty)] = ()
    outside: Annotated[tuple[str, ...], Field(exclude_if=empty)] = ()

    @property
    def doubts(self) -> Mapping[str, tuple[str, ...]]:
        """Generators that lost their rank to a defence, by its name."""
        return {"unconfirmed": self.unconfirmed, "copying": self.copying, "outside": self.outside}

    @property
    def unranked(self) -> frozenset[str]:
        """Generators that lost their rank by what their images are."""
        return frozenset((*self.incomplete, *self.failing)).union(*self.doubts.values())


@dataclass(frozen=True, slots=True)
class Analysis:
    """Every number on a leaderboard.

    Attributes:
        generators: By id.
        task: Comparisons, ranks, agreement, validity, cautions.
    """

    generators: Mapping[str, GeneratorResults]
    task: TaskResults
