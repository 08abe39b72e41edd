"""Items as a random factor: how far a number would move with other held-out items.

Users and items are crossed: many users rate one item. An interval over users takes the held-out items as given. Here
the variance between items is estimated by leaving out one item at a time, for all users at once, and is added to that
between users (two-way clustered variance: Owen 2007; Cameron, Gelbach and Miller 2011). An item that leaves the
candidates is replaced: the user is shown the generator's next choice instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmark.stats.intervals import FEWEST, UNBOUNDED, Bounds, Interval, widened
from benchmark.stats.student import t_quantile
from rebeca.arrays import Bools, Floats, Ints
from rebeca.ties import TIE, levels, size_of

FEWEST_ITEMS = 10
"""With fewer held-out items, no variance between items is estimated."""
SMALLEST_P = 1e-100
HALVINGS = 60
"""An interval of 230, the logarithm of the smallest p, is then cut below rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """What each item does to each user's value; one entry per user and item.

    Attributes:
        user: int [n].
        item: int [n].
        effect: float64 [n]; the user's value less what it would be without the item.
    """

    user: Ints
    item: Ints
    effect: Floats

    @classmethod
    def summed(cls, user: Ints, item: Ints, effect: Floats) -> Effects:
        """Effects of one user and item are added."""
        pairs, place = np.unique(np.stack([user, item]), axis=1, return_inverse=True)
        total = np.bincount(place.ravel(), effect, pairs.shape[1]).astype(np.float64)
        return cls(pairs[0], pairs[1], total)

    def minus(self, other: Effects) -> Effects:
        """Effects on the difference of two values."""
        return Effects.summed(
            np.concatenate([self.user, other.user]),
            np.concatenate([self.item, other.item]),
            np.concatenate([self.effect, -other.effect]),
        )


@dataclass(frozen=True, slots=True)
class ItemVariance:
    """Variance of a mean over users, from the draw of items.

    Attributes:
        variance: Between items, less what the users' variance holds already.
        degrees: Its degrees of freedom.
        items: Items that were drawn, those without an effect included.
    """

    variance: float
    degrees: float
    items: int


def retrieval_effects(values: Floats, item: Ints, fits: int = 1) -> Effects:
    """Effects on each user's mean over retrieved items.

    Without an item, a user would get the next one in the generator's order. The rating of the last image stands for
    that of the next: so effects are those on the mean of all images but the last.

    Args:
        values: float64 [users, K]; rating of each image in the order of replicates, NaN where there is none.
        item: int [users, K]; -1 for images that are no item, whose values do not change.
        fits: Replicate k belongs to fit k mod ``fits``; each fit has its own order.
    """
    owner, items, effects = [], [], []
    for fit in range(fits):
        own, known = values[:, fit::fits], np.isfinite(values[:, fit::fits])
        drawn = known & (item[:, fit::fits] >= 0)
        last = own.shape[1] - 1 - drawn[:, ::-1].argmax(axis=1)
        left = known.sum(axis=1) - 1
        user, place = np.nonzero(drawn & (left > 0)[:, None])
        owner.append(user)
        items.append(item[:, fit::fits][user, place])
        effects.append((own[user, place] - own[user, last[user]]) / (left[user] * fits))
    return Effects.summed(np.concatenate(owner), np.concatenate(items), np.concatenate(effects))


def auc_effects(user: Ints, item: Ints, liked: Bools, score: Floats) -> Effects:
    """Effects on each user's AUC, exact: the AUC less that without the rating of the item.

    Arguments are as in :func:`benchmark.stats.verifier.auc_by_user`. The only rating of its label has no effect.
    """
    effect = np.zeros(len(user))
    order = np.argsort(user, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(user[order])) + 1):
        effect[rows] = _placements(liked[rows], score[rows], spare=1)
    return Effects.summed(user, item, effect)


def pooled_auc_effects(user: Ints, item: Ints, liked: Bools, score: Floats) -> Effects:
    """Effects on the pooled AUC, times the number of users, so that their mean over users is the effect on it."""
    return Effects.summed(user, item, _placements(liked, score, spare=0) * len(np.unique(user)))


def _placements(liked: Bools, score: Floats, spare: int) -> Floats:
    """float64 [rows]; share of rows of the other label that each row is ordered rightly against, less the AUC.

    Divided by the rows of its own label less ``spare`` (structural components of Sen 1960); 0 where a label is missing.
    """
    place, out = levels(score), np.zeros(len(score))
    good, bad = np.sort(place[liked], kind="stable"), np.sort(place[~liked], kind="stable")
    if not len(good) or not len(bad):
        return out
    below, above = (
        (np.searchsorted(other, own, "left") + np.searchsorted(other, own, "right")) / 2 / len(other)
        for own, other in ((place[liked], bad), (place[~liked], good))
    )
    auc = float(below.mean())
    out[liked] = (below - auc) / max(len(good) - spare, 1)
    out[~liked] = (1 - above - auc) / max(len(bad) - spare, 1)
    return out


def item_variance(
    effects: Effects, known: Bools, stratum: Ints, candidates: Mapping[int, int] | None = None
) -> ItemVariance | None:
    """Variance between items of the mean over the ``known`` users, by leaving out one item at a time.

    Where every item has one user, the users' variance holds that of the items, and this one is 0. The degrees of
    freedom follow from the fourth moment of the effects: few items that many users share count as few.

    Args:
        effects: On the values of users.
        known: bool [users]; users over whom the mean is taken.
        stratum: int [users]; users of different strata share no item. Items are drawn within strata.
        candidates: Items from which those of a stratum were chosen; None: all items have an effect.

    Returns:
        None with fewer than :data:`FEWEST_ITEMS` items.
    """
    kept = known[effects.user]
    user, item, share = effects.user[kept], effects.item[kept], effects.effect[kept] / max(int(known.sum()), 1)
    variance, spread, items = 0.0, 0.0, 0
    for label in np.unique(stratum[user]):
        own = stratum[user] == label
        totals = np.bincount(np.unique(item[own], return_inverse=True)[1], share[own])
        n = len(totals) if candidates is None else max(len(totals), candidates[int(label)])
        squares = np.square(np.append(totals, np.zeros(n - len(totals))) - totals.sum() / n)
        items += n
        variance += float(squares.sum()) * (n - 1) / n
        spread += float(np.square(squares - squares.mean()).sum())
    if items < FEWEST_ITEMS:
        return None
    changing = len(np.unique(item[np.abs(share) > TIE * size_of(share)]))
    degrees = 2 * variance**2 / spread if spread > 0 else changing
    between = max(variance - float(np.square(share).sum()), 0.0)
    return ItemVariance(between, float(max(min(degrees, changing), 1)), items)


def over_items(
    interval: Interval, items: ItemVariance | None, confidence: float = 0.95, bounds: Bounds = UNBOUNDED
) -> Interval:
    """An interval over users, widened to one over users and items; as it was where there is no variance of items.

    The ends over users alone are kept beside it.
    """
    if items is None or not np.isfinite([interval.low, interval.high]).all():
        return interval
    half = float(t_quantile(confidence, items.degrees) * np.sqrt(items.variance))
    ends = interval.low, interval.high
    return replace(widened(interval, half, bounds), over_users=ends, items=items.items)


def two_factor_p(differences: Floats, items: ItemVariance | None, fits: Floats | None = None) -> float | None:
    """Two-sided p-value of a mean difference under new users and new items.

    It is the p at which an interval at confidence 1 - p ends at 0: Student's t over users, :func:`over_items`, and what
    other fits would have added.

    Args:
        differences: float [users]; finite.
        items: Variance of their mean between items.
        fits: float64 [draws]; what other fits would have added to the mean.

    Returns:
        Never below :data:`SMALLEST_P`; None where the variance of items is unknown, or nothing varies.
    """
    from scipy.special import stdtrit

    users = len(differences)
    if items is None or users < FEWEST:
        return None
    over_users, square = float(differences.var(ddof=1)) / users, float(differences.mean()) ** 2
    added = np.zeros(1) if fits is None else np.sort(np.abs(fits), kind="stable")
    if over_users + items.variance + added[-1] <= 0:
        return None
    low, high = float(np.log(SMALLEST_P)), 0.0  # of the logarithm of p
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        quantiles = stdtrit([users - 1, items.degrees], np.exp(middle) / 2)
        half = float(np.quantile(added, 1 - np.exp(middle)))
        within = quantiles[0] ** 2 * over_users + quantiles[1] ** 2 * items.variance + half**2 >= square
        low, high = (middle, high) if within else (low, middle)
    return float(np.exp(high))


def split_interval(values: Sequence[float], test: int, train: int, confidence: float = 0.95) -> Interval:
    """Interval for a mean over random splits of the items, with the split as the unit.

    Splits share most of their training items, so that their values are correlated. The variance of the mean is
    therefore (1 / J + test / train) times that of the J values (Nadeau and Bengio 2003).

    Args:
        values: One number per split.
        test: Items held out in a split.
        train: The other items.
        confidence: E.g. 0.95.
    """
    splits, mean = np.asarray(values, np.float64), float(np.mean(values))
    if len(splits) < FEWEST:
        return Interval(mean, float("nan"), float("nan"), "none", len(splits))
    error = float(np.sqrt(splits.var(ddof=1) * (1 / len(splits) + test / train)))
    half = float(t_quantile(confidence, len(splits) - 1)) * error
    return Interval(mean, mean - half, mean + half, "student-t", len(splits))
