"""Inputs of the analysis: the plan that was declared, the rows of every generator, the held-out scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.analysis.measures import GAP, LIFT, Measure, both_by
from benchmark.stats.groups import Groups, divided
from benchmark.stats.intervals import SIGNED, UNBOUNDED, Bounds
from benchmark.stats.personalisation import Stratum, filled, personal_lift, strata_of
from benchmark.stats.random import stream
from rebeca.arrays import Bools, Floats, Ints
from rebeca.interfaces import ScorerCard

READINGS = ("exclude", "worst")
"""Readings of failures: left out, or counted as the user's worst score."""


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
        lowest: float64 [users] per scorer or measure; what a failed image counts: the user's worst score over the
            training items, or the worst possible value of a measure of sets; NaN where unknown.
        cards: Per scorer of single images.
        ranges: Lowest and highest possible value, per scorer or measure that has limits.
        sets: float64 [F, users] per measure of the sets of each fit; NaN where a user has none.
        pairs: float64 [F, users, m] per scorer that can score for every user: each user's mean score of the images
            made for each member of the user's group, over the valid images of each fit.
        procedure: How it was fitted; generators of one procedure pool their variance between fits.
        fits: F, the fits that the task asks for; image k of a user is of fit k mod F.
        fit_keys: Address of each different fit: F of them, or one where the fit does not vary.
        shared: int [F, users, m]; how many of a member's valid images the user judges, since the user could have been
            shown them; None if all. ``pairs`` are NaN where there are none.
        group: int [users]; users of one group judge each other's images. None: all are one group.
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
    procedure: str = ""
    fits: int = 1
    fit_keys: tuple[str, ...] = ("",)
    shared: Ints | None = None
    group: Ints | None = None

    def __post_init__(self) -> None:
        for name, values in (*self.scores.items(), *self.sets.items(), *self.pairs.items()):
            if np.isinf(values).any():
                raise ValueError(f"generator '{self.id}' has an infinite value of '{name}'")
        users = len(self.digest)
        tables = [values.shape == (self.fits, users) for values in self.sets.values()]
        most = self.groups.members.shape[1]
        tables += [values.shape == (self.fits, users, most) for values in self.pairs.values()]
        if self.per_user % self.fits or not all(tables) or len(self.fit_keys) not in (1, self.fits):
            raise ValueError(
                f"generator '{self.id}': images, sets, pairs or addresses are not those of {self.fits} fits"
            )

    @property
    def groups(self) -> Groups:
        return Groups.of(np.zeros(len(self.digest), np.int64) if self.group is None else self.group)

    @property
    def images(self) -> Ints:
        """Valid images, int [users]."""
        return np.asarray((~self.failed).sum(axis=1))

    @property
    def images_by_fit(self) -> Ints:
        """Valid images, int [F, users]."""
        return self.of_fits(~self.failed, np.add.reduce)

    @property
    def generated_by_fit(self) -> Ints:
        """Valid images that are no item, int [F, users]."""
        return self.of_fits(~self.failed & (self.item < 0), np.add.reduce)

    @property
    def failures(self) -> float:
        """Share of the requested images that failed."""
        return int(self.failed.sum()) / self.failed.size

    @property
    def per_user(self) -> int:
        return self.digest.shape[1]

    def of_fits(self, table: npt.NDArray[Any], reduce: Callable[..., Any]) -> npt.NDArray[Any]:
        """[F, users]; a table [users, K] reduced over the images of each fit."""
        return np.asarray(reduce(self._by_fit(table), axis=2))

    def _by_fit(self, table: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """[users, K] as [F, users, K / F]."""
        return np.moveaxis(table.reshape(len(table), -1, self.fits), 2, 0)

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
        """float64 [users, K]; single scores, where ``worst`` gives failures the user's worst score.

        A failure counts only where the scorer answers this generator's images: not for users whose valid images all
        lack a score, and for nobody if no image has one.
        """
        scores = self.scores[scorer]
        if reading != "worst" or not self.failed.any():
            return scores
        answered = np.isfinite(scores).any(axis=1) | (self.images == 0)
        counts = self.failed & (answered & np.isfinite(scores).any())[:, None]
        return np.where(counts, self.lowest[scorer][:, None], scores)

    def read_sets(self, measure: str, reading: str) -> Floats:
        """float64 [F, users]; a measure of sets, where ``worst`` gives every failure an equal share of its fit's set.

        So a set of which half failed keeps half of the distance to the worst possible value, and users with failures
        who have no value have that one.
        """
        values = self.sets[measure]
        if reading != "worst" or not self.failed.any():
            return values
        lowest, valid = self.lowest[measure], self.images_by_fit / (self.per_user // self.fits)
        counts = (valid < 1) & np.isfinite(lowest) & np.isfinite(values).any()
        shared = np.where(np.isfinite(values), valid * values + (1 - valid) * lowest, lowest)
        return np.where(counts, shared, values)

    def values(self, reading: str) -> dict[str, Floats]:
        """float64 [users] per measure: means over images, and over fits for measures of sets."""
        means = {scorer: mean_of_known(self.read(scorer, reading), axis=1) for scorer in self.scores}
        return means | {measure: mean_of_known(self.read_sets(measure, reading), axis=0) for measure in self.sets}

    def by_fit(self, measure: str, reading: str) -> Floats:
        """float64 [F, users]; a measure's value in every fit.

        Args:
            measure: Its key, such as ``ncf``, ``lift:ncf`` or ``diversity``.
            reading: Of failures.
        """
        parsed = Measure.parse(measure)
        if parsed.is_lift:
            return lifts_by_fit(self, parsed.scorer, reading)[0]
        if measure in self.sets:
            return self.read_sets(measure, reading)
        return mean_of_known(self._by_fit(self.read(measure, reading)), axis=2)

    def mean_pairs(self, scorer: str) -> Floats | None:
        """float64 [users, m]; ``pairs`` over fits, None where the scorer cannot score for every user."""
        return mean_of_known(self.pairs[scorer], axis=0) if scorer in self.pairs else None

    def opinions(self, scorer: str, reading: str) -> tuple[Floats, Ints]:
        """``pairs`` under a reading, and how many images of each target are scored, int [F, users].

        A failure that counts is the worst image for its own user, and an average one for everybody else: each other
        user gives it the mean of their scores of others' sets. Were it bad for everybody, as an unloved image is,
        leaving out images that only the user dislikes would raise the lift.
        """
        pairs = self.pairs[scorer]
        scored = np.asarray(np.isfinite(self._by_fit(self.scores[scorer])).sum(axis=2))
        images = np.asarray(np.isfinite(self._by_fit(self.read(scorer, reading))).sum(axis=2))
        if (images == scored).all():
            return pairs, scored
        groups = self.groups
        own = np.arange(pairs.shape[2]) == groups.place[:, None]
        average = mean_of_known(np.where(own, np.nan, pairs), axis=2)[:, :, None]
        of_failures = np.where(own, self.lowest[scorer][:, None], average)
        share = np.divide(scored, images, out=np.ones(images.shape), where=images > 0)
        weights, lost = share[:, groups.targets], (images > scored)[:, groups.targets]
        known = np.where((scored > 0)[:, groups.targets], pairs, 0.0)
        counted = weights * known + (1 - weights) * of_failures
        return np.where(lost & (groups.targets >= 0), counted, pairs), images


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
        most_failures: Largest share of failed images of a ranked generator.
        frozen: Whether it was written down before the first image; otherwise nothing counts as declared.
        confirmation: By measure, ``preference`` and ``lift``: by how much the primary scorer may exceed the confirming
            judge in a ranked row; empty where none is asked.
        most_copies: Largest share of near-copies among the images of a ranked generator; None where any may be.
        most_outside: Likewise, of images that could not be items of the world.
        most_compared: Users of a group within which lifts are taken; None where that is the whole block.
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
    most_failures: float
    frozen: bool
    confirmation: Mapping[str, float] = field(default_factory=dict)
    most_copies: float | None = None
    most_outside: float | None = None
    most_compared: int | None = None

    def groups(self, block: Ints) -> Ints:
        """Int [users]; users of one group judge each other's images. ``block`` is int [users]."""
        return divided(block, self.most_compared, stream(self.name, "groups"))

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


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutRatings:
    """Held-out ratings as the scorer of observed ratings reads them: equal items have their mean.

    Attributes:
        user: int [n]; row of the user in all arrays.
        item: int [n].
        rating: float64 [n].
    """

    user: Ints
    item: Ints
    rating: Floats

    def table(self, users: int, items: Ints) -> Floats:
        """float64 [users, items]; ratings of these different items in ascending order, NaN where there is none."""
        out = np.full((users, len(items)), np.nan)
        wanted = np.isin(self.item, items)
        out[self.user[wanted], np.searchsorted(items, self.item[wanted])] = self.rating[wanted]
        return out


def mean_of_known(values: Floats, axis: int) -> Floats:
    """Mean over the finite values along an axis; NaN where there are none."""
    known = np.isfinite(values)
    total, count = np.where(known, values, 0.0).sum(axis=axis), known.sum(axis=axis)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def lifts_by_fit(row: Rows, scorer: str, reading: str) -> tuple[Floats, list[Stratum]]:
    """float64 [F, users], every user's lift within each fit; and the strata of those who have one in every fit.

    Users of a stratum are of one group and have equally many images in every fit, and its scores are the mean over
    fits. Scores that are better low change their sign first, so that a positive lift is always the better one.
    """
    pairs, images = row.opinions(scorer, reading)
    pairs = pairs if row.higher(scorer) else -pairs
    lifts, strata = np.full(images.shape, np.nan), []
    for users in row.groups.each():
        own = pairs[:, users, : len(users)]
        _, alike = np.unique(images[:, users], axis=1, return_inverse=True)
        for stratum in strata_of(own.mean(axis=0), alike.ravel(), images[:, users].min(axis=0))[0]:
            tables = [filled(table[np.ix_(stratum.users, stratum.users)]) for table in own]
            lifts[:, users[stratum.users]] = [personal_lift(table) for table in tables]
            strata.append(Stratum(users[stratum.users], np.mean(tables, axis=0)))
    return lifts, strata


def lifts_of(row: Rows, scorer: str, reading: str) -> tuple[Floats, list[Stratum]]:
    """float64 [users], every user's mean lift over fits, NaN where it is not estimable; and the strata."""
    lifts, strata = lifts_by_fit(row, scorer, reading)
    return np.asarray(lifts.mean(axis=0)), strata


def with_lifts(row: Rows, reading: str) -> dict[str, Floats]:
    """float64 [users] per measure, personal lifts included."""
    return row.values(reading) | {LIFT + scorer: lifts_of(row, scorer, reading)[0] for scorer in row.pairs}
