"""Inputs of the analysis: the plan that was declared, the rows of every generator, the held-out scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.analysis.measures import GAP, LIFT, Measure, both_by
from benchmark.stats.intervals import SIGNED, UNBOUNDED, Bounds
from benchmark.stats.personalisation import Stratum, personal_lift, strata_of
from rebeca.arrays import Bools, Floats, Ints
from rebeca.interfaces import ScorerCard

READINGS = ("exclude", "worst")
"""Readings of failures: left out, or counted as the user's lowest score."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What one generator returned, image by image, with the scores of all users.

    Attributes:
        id: The generator.
        ranked: False for privileged generators.
        digest: str [users, K]; SHA-256 of every image, empty for a missing one.
        item: int [users, K]; index of the item that the image is, or -1.
        failed: bool [users, K].
        scores: float64 [users, K] per scorer of single images; NaN for failures and where the scorer gave none.
        lowest: float64 [users] per scorer; the user's lowest score over the training items, NaN where unknown.
        cards: Per scorer of single images.
        ranges: Lowest and highest possible value, per scorer or measure that has limits.
        sets: float64 [users] per measure of whole sets; NaN where a user has none.
        pairs: float64 [users, users] per scorer that can score for every user: S[judge, target], over valid images.
        shared: int [users, users]; how many of the target's valid images the judge judges, since the judge could have
            been shown them; None if all. ``pairs`` are NaN where there are none.
    """

    id: str
    ranked: bool
    digest: npt.NDArray[np.str_]
    item: Ints
    failed: Bools
    scores: Mapping[str, Floats]
    lowest: Mapping[str, Floats]
    cards: Mapping[str, ScorerCard]
    ranges: Mapping[str, Bounds]
    sets: Mapping[str, Floats]
    pairs: Mapping[str, Floats]
    shared: Ints | None = None

    def __post_init__(self) -> None:
        for name, values in (*self.scores.items(), *self.sets.items(), *self.pairs.items()):
            if np.isinf(values).any():
                raise ValueError(f"generator '{self.id}' has an infinite value of '{name}'")

    @property
    def images(self) -> Ints:
        """Valid images, int [users]."""
        return np.asarray((~self.failed).sum(axis=1))

    @property
    def per_user(self) -> int:
        return self.digest.shape[1]

    def higher(self, scorer: str) -> bool:
        return self.cards[scorer].higher_is_better

    def bounds(self, measure: Measure) -> Bounds:
        """Lowest and highest possible mean over users; infinite where there is no limit.

        A mean lift is the mean of own minus others' scores, so it cannot exceed the width of the scorer's range.
        """
        if measure.scorer == GAP:
            return SIGNED
        low, high = self.ranges.get(measure.scorer, UNBOUNDED)
        return (low - high, high - low) if measure.is_lift else (low, high)

    def read(self, scorer: str, reading: str) -> Floats:
        """float64 [users, K]; single scores, where ``worst`` gives failures the user's lowest score.

        A failure counts only where the scorer answers this generator's images: not for users whose valid images all
        lack a score, and for nobody if no image has one.
        """
        scores = self.scores[scorer]
        if not self._counts_failures(scorer, reading):
            return scores
        answered = np.isfinite(scores).any(axis=1) | (self.images == 0)
        counts = self.failed & (answered & np.isfinite(scores).any())[:, None]
        return np.where(counts, self.lowest[scorer][:, None], scores)

    def values(self, reading: str) -> dict[str, Floats]:
        """float64 [users] per measure: means over images; ``worst`` takes failures for the user's lowest score."""
        means = {}
        for scorer in self.scores:
            scores = self.read(scorer, reading)
            known = np.isfinite(scores)
            total, count = np.where(known, scores, 0.0).sum(axis=1), known.sum(axis=1)
            means[scorer] = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
        return means | dict(self.sets)

    def opinions(self, scorer: str, reading: str) -> tuple[Floats, Ints]:
        """S[judge, target] and how many images each target's mean is over, under a reading of failures."""
        pairs = self.pairs[scorer]
        if not self._counts_failures(scorer, reading):
            return pairs, self.images
        failures = self.failed.sum(axis=1)
        if not np.isfinite(pairs).any():
            return pairs, self.images
        images = np.broadcast_to(self.images if self.shared is None else self.shared, pairs.shape)
        total = np.where(images > 0, pairs, 0.0) * images + self.lowest[scorer][:, None] * failures
        count = images + failures
        means = np.divide(total, count, out=np.full(pairs.shape, np.nan), where=count > 0)
        return means, np.full(len(self.digest), self.per_user)

    def _counts_failures(self, scorer: str, reading: str) -> bool:
        """Whether failures count under this reading, there are any, and the score that they count is known."""
        return bool(
            reading == "worst"
            and self.failed.any()
            and scorer in self.lowest
            and np.isfinite(self.lowest[scorer]).all()
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided before the first image.

    Attributes:
        name: Analysis hash; names the random streams.
        primary: Scorer that decides.
        reference: Generator that others are compared with.
        family: ``against-reference`` or ``all-pairs``.
        alpha: Level.
        margin: Equivalence margin.
        permutations: Permutations and sign flips.
        bootstrap: Bootstrap draws.
        interval: Method of the intervals, ``auto`` or ``bootstrap-t``.
        failures: ``exclude`` or ``worst``: which reading decides.
        frozen: Whether it was written down before the first image; otherwise nothing counts as declared.
    """

    name: str
    primary: str
    reference: str
    family: str
    alpha: float
    margin: float
    permutations: int
    bootstrap: int
    interval: str
    failures: str
    frozen: bool

    @property
    def reading(self) -> str:
        return "worst" if self.failures == "worst" else "exclude"

    def decides(self, measure: str) -> bool:
        """Whether a measure is preference or personal lift by the primary scorer."""
        return measure in {decided.key for decided in both_by(self.primary)}


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutScores:
    """Scores of held-out and training ratings, one row per rating, judge and share.

    Attributes:
        user: int [n]; index of the user.
        item: int [n].
        split: str [n]; ``test`` or ``train``.
        label: bool [n]; whether the user liked the item.
        judge: str [n]; judge, control or others' mean.
        score: float64 [n].
        share: float64 [n]; share of each user's training ratings on which the judge was fitted.
    """

    user: Ints
    item: Ints
    split: npt.NDArray[Any]
    label: Bools
    judge: npt.NDArray[Any]
    score: Floats
    share: Floats

    def where(self, rows: Bools) -> HeldOutScores:
        return HeldOutScores(
            self.user[rows],
            self.item[rows],
            self.split[rows],
            self.label[rows],
            self.judge[rows],
            self.score[rows],
            self.share[rows],
        )

    def of(self, judge: str, split: str, share: float = 1.0) -> HeldOutScores:
        return self.where((self.judge == judge) & (self.split == split) & (self.share == share))

    def __len__(self) -> int:
        return len(self.user)


def lifts_of(row: Rows, scorer: str, reading: str, block: Ints) -> tuple[Floats, list[Stratum]]:
    """float64 [users], every user's lift, NaN where it is not estimable; and the strata of those who have one.

    Scores that are better low change their sign first, so that a positive lift is always the better one.
    """
    pairs, images = row.opinions(scorer, reading)
    strata, _ = strata_of(pairs if row.higher(scorer) else -pairs, block, images)
    lifts = np.full(len(block), np.nan)
    for stratum in strata:
        lifts[stratum.users] = personal_lift(stratum.scores)
    return lifts, strata


def with_lifts(row: Rows, reading: str, block: Ints) -> dict[str, Floats]:
    """float64 [users] per measure, personal lifts included."""
    return row.values(reading) | {LIFT + scorer: lifts_of(row, scorer, reading, block)[0] for scorer in row.pairs}
