"""Is a generator personal? Own images against other users' images, judged by the same user.

S[u, v] is the mean score that user u gives to the images made for v. Under the null hypothesis the set made for a
user is exchangeable with any other user's set; so whole sets are permuted, never single images, within strata of
equal treatment (blocks of the data).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rebeca.arrays import Bools, Floats, Ints
from rebeca.ties import TIE

ROUNDING = 1e-12
"""Centred scores below this share of the largest score are zero but for rounding."""
KNOWN = 0.5
"""More than this share of a user's scores, and of the scores of a user's set, must be known."""
GATHERED_AT_ONCE = 1_000_000
"""Scores that are held at once: 8 MB."""


@dataclass(frozen=True, slots=True)
class PermutationResult:
    """A one-sided permutation test.

    Attributes:
        statistic: Observed value.
        null_mean: Mean over permutations.
        null_sd: Standard deviation over permutations.
        at_least: Permutations whose value was at least the observed one.
        permutations: Permutations drawn.
    """

    statistic: float
    null_mean: float
    null_sd: float
    at_least: int
    permutations: int

    @property
    def p(self) -> float:
        """(b + 1) / (B + 1) (Phipson and Smyth 2010); never 0."""
        return (self.at_least + 1) / (self.permutations + 1)

    @property
    def z(self) -> float | None:
        """Observed minus null mean in null standard deviations; None where the null does not vary."""
        return (self.statistic - self.null_mean) / self.null_sd if self.null_sd > 0 else None


@dataclass(frozen=True, slots=True, eq=False)
class Stratum:
    """Users who are exchangeable: everybody judged everybody's set.

    Attributes:
        users: int [m]; who.
        scores: float [m, m]; S[u, v], complete.
    """

    users: Ints
    scores: Floats

    def __post_init__(self) -> None:
        m = len(self.users)
        if m < 2 or self.scores.shape != (m, m) or not np.isfinite(self.scores).all():
            raise ValueError(f"a stratum needs two or more users, each with finite scores by all, got {m} users")


def double_centred(scores: Floats) -> Floats:
    """S[u, v] - S[u, .] - S[., v] + S[., .]: what is left after each judge's leniency and each set's quality.

    Values that are rounding errors become 0, so that equal sets tie exactly on every machine.
    """
    centred = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0, keepdims=True) + scores.mean()
    return np.asarray(np.where(np.abs(centred) <= ROUNDING * np.abs(scores).max(), 0.0, centred), np.float64)


def personal_lift(scores: Floats) -> Floats:
    """float64 [m]; U / (U - 1) times the double-centred diagonal.

    It has the mean of "own minus the others' images, judged by the same user", without the noise of sets that
    everybody likes.
    """
    m = len(scores)
    return np.asarray(np.diag(double_centred(scores)) * m / (m - 1))


def pair_means(scores: Floats, owner: Ints) -> tuple[Floats, Ints]:
    """S and how many images each of its means is over.

    Where others judge some of a user's images only, S[u, u] is the mean over these others of the user's mean score of
    the images that they judge. So the own images are compared as they are chosen for comparison.

    Args:
        scores: float [users, n]; every image by every user, NaN where a user's score does not count.
        owner: int [n]; for whom each image was made.

    Returns:
        float64 [judges, targets], NaN over no image, and int [judges, targets].
    """
    users, columns, known = len(scores), np.arange(len(owner)), np.isfinite(scores)
    membership = np.zeros((len(owner), users))
    membership[columns, owner] = 1.0
    scores = np.where(known, scores, 0.0)
    total, count = scores @ membership, known.astype(np.float64) @ membership
    means = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    partly = ((count > 0) & (count < count.diagonal())).any(axis=0)
    if partly.any():
        share = np.divide(known, count[:, owner], out=np.zeros(known.shape), where=known)
        share[owner, columns] = 0.0
        own = np.bincount(owner, share.sum(axis=0) * scores[owner, columns], minlength=users)
        others = np.maximum((count > 0).sum(axis=0) - 1, 1)
        np.fill_diagonal(means, np.where(partly, own / others, means.diagonal()))
    return means, count.astype(np.int64)


def comparable(may_show: Bools, owner: Ints) -> Bools:
    """Which images a user can judge beside images of the user's own, without an advantage for either.

    A retrieved item that was no candidate of the judge is left out. The judge's own ratings of it were used, by the
    generator that chose it and by the verifier, while of the judge's own candidates no rating was.

    Args:
        may_show: bool [users, n]; whether each image could have been shown to each user.
        owner: int [n]; for whom each image was made.

    Returns:
        bool [users, n]; true for what could be shown to the judge, and for what could not be shown to the owner either.
    """
    return np.asarray(may_show | ~may_show[owner, np.arange(len(owner))])


def well_known(pairs: Floats) -> Ints:
    """Int [m]; users left when those with the fewest scores were taken out, until all have and got enough of them."""
    users = np.arange(len(pairs))
    while len(users):
        known = np.isfinite(pairs[np.ix_(users, users)])
        share = np.minimum(known.mean(axis=0), known.mean(axis=1))
        if share.min() > KNOWN:
            break
        users = np.delete(users, int(share.argmin()))
    return users


def filled(pairs: Floats) -> Floats:
    """S with missing pairs replaced by leniency plus quality, least squares over the known ones.

    So a missing pair says nothing about who likes whose images.
    """
    known = np.isfinite(pairs)
    if known.all():
        return pairs
    m, scores = len(pairs), np.where(known, pairs, 0.0)
    normal = np.block([[np.diag(known.sum(axis=1)), known], [known.T, np.diag(known.sum(axis=0))]]).astype(np.float64)
    sums = np.concatenate([scores.sum(axis=1), scores.sum(axis=0)])
    effects = np.linalg.lstsq(normal, sums, rcond=None)[0]
    return np.where(known, pairs, effects[:m, None] + effects[None, m:])


def strata_of(pairs: Floats, stratum: Ints, images: Ints) -> tuple[list[Stratum], int]:
    """Groups of users who can be permuted: same stratum, same number of images.

    Users with few scores are left out (:func:`well_known`), and the other gaps are filled (:func:`filled`).

    Args:
        pairs: float [users, users].
        stratum: int [users]; e.g. the block of the data.
        images: int [users]; valid images of each user.

    Returns:
        The strata of two or more users, and how many users are in none (not estimable).
    """
    strata: list[Stratum] = []
    for label, number in sorted({(int(s), int(n)) for s, n in zip(stratum, images, strict=True) if n > 0}):
        users = np.flatnonzero((stratum == label) & (images == number))
        users = users[well_known(pairs[np.ix_(users, users)])]
        if len(users) >= 2:
            strata.append(Stratum(users, filled(pairs[np.ix_(users, users)])))
    return strata, len(stratum) - sum(len(s.users) for s in strata)


def permutations_within(sizes: Sequence[int], draws: int, rng: np.random.Generator) -> list[Ints]:
    """For every stratum int [draws, m]: uniform random permutations, fixed points allowed; few bytes per number."""
    return [rng.permuted(np.tile(np.arange(m, dtype=np.min_scalar_type(-m)), (draws, 1)), axis=1) for m in sizes]


def block_permutation(
    strata: Sequence[Stratum], permutations: Sequence[Ints]
) -> tuple[PermutationResult, PermutationResult]:
    """Moves whole sets of images between users.

    Args:
        strata: At least one stratum of two or more users.
        permutations: From :func:`permutations_within`, one array per stratum.

    Returns:
        T1, the mean of S[u, pi(u)], and T2, the median of the double-centred values. T2 decides: it keeps its level
        under unequal leniency and set quality, where T1 does not.
    """
    users, draws = sum(len(s.users) for s in strata), len(permutations[0])
    centred = [double_centred(stratum.scores) for stratum in strata]
    own = np.concatenate([np.diag(table) for table in centred])
    # the mean of S differs from the mean of the centred values by what no permutation changes
    unmoved = sum(len(s.users) * s.scores.mean() for s in strata)
    totals, medians = np.empty(draws), np.empty(draws)
    step = max(1, GATHERED_AT_ONCE // users)
    for start in range(0, draws, step):
        rows = slice(start, min(start + step, draws))
        moved = moved_scores(centred, [permutation[rows] for permutation in permutations])
        totals[rows] = moved.sum(axis=1) + unmoved
        medians[rows] = row_medians(moved)
    own_total = sum(float(np.trace(stratum.scores)) for stratum in strata)
    return (
        _one_sided(own_total / users, totals / users),
        _one_sided(float(np.median(own)), medians),
    )


def moved_scores(tables: Sequence[Floats], permutations: Sequence[Ints]) -> Floats:
    """float64 [draws, users]; scores of all users once whole sets have moved, in the order of the strata."""
    parts = zip(tables, permutations, strict=True)
    return np.hstack([table.take(np.arange(len(table)) * len(table) + moved) for table, moved in parts])


def row_medians(table: Floats) -> Floats:
    """Medians of the rows of a table without NaN, whose values are put into another order.

    As ``np.median``, which looks for several places at once and takes five times as long.
    """
    n = table.shape[1]
    if not n:
        return np.full(len(table), np.nan)
    middle = n // 2
    table.partition(middle, axis=1)
    upper = table[:, middle]
    return np.asarray(upper.copy() if n % 2 else (table[:, :middle].max(axis=1) + upper) / 2)


def image_shuffle(scores: Floats, owner: Ints, draws: int, rng: np.random.Generator) -> PermutationResult:
    """The published scheme: user labels shuffled over single images, median over users of their mean score.

    Kept for reproduction. It is anti-conservative wherever a user's images resemble each other: at a nominal 5 %
    it rejects up to a quarter of true null hypotheses (docs/reports/calibration.md).

    Args:
        scores: float [users, n]; every image by every user.
        owner: int [n]; for whom each image was made.
        draws: Permutations.
        rng: Random numbers.
    """
    order = np.argsort(owner, kind="stable")
    sizes = np.bincount(owner, minlength=len(scores))
    present = sizes > 0
    bounds = np.concatenate([[0], np.cumsum(sizes[present])])[:-1]
    judge = np.repeat(np.flatnonzero(present), sizes[present]).astype(np.int64)
    flat, base = np.ascontiguousarray(scores).ravel(), judge * scores.shape[1]

    def medians(images: Ints) -> Floats:
        return row_medians(np.add.reduceat(flat.take(base + images), bounds, axis=1) / sizes[present])

    observed = float(medians(order[None, :])[0])
    null = np.empty(draws)
    step = max(1, GATHERED_AT_ONCE // max(1, len(owner)))
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        null[start : start + rows] = medians(rng.permuted(np.tile(order, (rows, 1)), axis=1))
    return _one_sided(observed, null)


def own_set_rank(scores: Floats) -> tuple[Floats, Floats]:
    """How a user's own set ranks among all sets, by that user; sets that everybody likes are centred first.

    Returns:
        float64 [m]: share of other sets that the own set beats (ties one half), and one over the own set's rank.
    """
    centred = scores - scores.mean(axis=0, keepdims=True)
    own = np.diag(centred)[:, None]
    tolerance = TIE * np.maximum(1.0, np.abs(own))
    beaten = (centred < own - tolerance).sum(axis=1)
    tied = (np.abs(centred - own) <= tolerance).sum(axis=1) - 1
    others = len(scores) - 1
    return (beaten + tied / 2) / others, 1.0 / (1 + (others - beaten - tied) + tied / 2)


def _one_sided(observed: float, null: Floats) -> PermutationResult:
    tolerance = TIE * max(abs(observed), float(np.abs(null).max(initial=0.0)))
    return PermutationResult(
        observed, float(null.mean()), float(null.std()), int((null >= observed - tolerance).sum()), len(null)
    )
