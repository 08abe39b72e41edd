"""What users like on the whole: a model of items without users.

The strongest control for a personal verifier is not a broken personal model but a good impersonal one
(docs/explanation/statistics.md). This is a Gaussian process over the items' embeddings, fitted to each item's mean
rating with the noise that its number of raters implies. Kernel: squared exponential in the angle between centred
embeddings. Length and noise are chosen by the marginal likelihood (Rasmussen and Williams 2006, eq. 5.8).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from rebeca.arrays import Floats, Ints, unit_rows
from rebeca.data.interactions import Interactions

LENGTHS = (0.3, 0.5, 0.8, 1.2, 2.0, 4.0)
NOISE_SHARES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7)
MOST_ITEMS = 2000
"""Exact Gaussian processes cost n**3; above this many items a seeded subset is used."""
MOST_ITEMS_TO_CHOOSE = 800
"""Likewise where length and noise are chosen, which takes one fit per pair of values."""

MEAN_PRIOR = 5.0
"""So many ratings at the overall mean are added to an item's own ratings."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemTargets:
    """How much each item is liked, whoever happened to rate it.

    Attributes:
        item: int [m]; items with at least one rating.
        value: float [m]; mean over raters of (rating - rater's mean) / pooled standard deviation.
        raters: int [m]; number of ratings.
    """

    item: Ints
    value: Floats
    raters: Ints


def item_targets(ratings: Interactions) -> ItemTargets:
    """Standardised mean rating of every rated item, less the means of its raters."""
    residual = ratings.rating - ratings.user_mean()[ratings.user]
    scale = float(residual.std()) or 1.0
    count = np.bincount(ratings.item, minlength=ratings.num_items)
    total = np.bincount(ratings.item, weights=residual / scale, minlength=ratings.num_items)
    item = np.flatnonzero(count)
    return ItemTargets(item, total[item] / count[item], count[item])


@dataclass(frozen=True, slots=True, eq=False)
class PopulationModel:
    """A fitted Gaussian process: embedding -> how much users like it on the whole (standard deviations).

    Attributes:
        centre: float [dim]; mean training embedding.
        anchors: float [m, dim]; centred unit training embeddings.
        weights: float [m]; dual weights.
        offset: Mean target.
        length: Length of the kernel, in units of the chord between unit vectors.
        noise_share: Share of the target's variance that is not explained by the embedding.
    """

    centre: Floats
    anchors: Floats
    weights: Floats
    offset: float
    length: float
    noise_share: float

    def predict(self, embeddings: Floats) -> Floats:
        """float64 [n]; predicted target for embeddings [n, dim]."""
        return (
            self.offset + chord_kernel(_directions(embeddings, self.centre), self.anchors, self.length) @ self.weights
        )


def fit_population(ratings: Interactions, embeddings: Floats, seed: int = 0) -> PopulationModel:
    """Fits the model to the rated items.

    Args:
        ratings: Training ratings.
        embeddings: float [items, dim]; the whole catalogue.
        seed: Chooses the subset where more than :data:`MOST_ITEMS` items are rated.
    """
    return _fit(item_targets(ratings), embeddings, seed)


def population_scores(ratings: Interactions, embeddings: Floats, seed: int = 0) -> Floats:
    """float64 [items]; liking by all users: an item's shrunken mean, or the prediction where nobody rated."""
    targets = item_targets(ratings)
    scores = fit_population(ratings, embeddings, seed).predict(embeddings)
    scores[targets.item] = targets.value * targets.raters / (targets.raters + MEAN_PRIOR)
    return scores


def out_of_fold(ratings: Interactions, embeddings: Floats, folds: int = 10, seed: int = 0) -> Floats:
    """float64 [items]; for rated items the prediction of a model that did not see them, for others the full model's.

    A verifier that takes this prediction as input would otherwise trust it too much: on its own training items
    the model has seen the ratings.
    """
    targets = item_targets(ratings)
    full = _fit(targets, embeddings, seed)
    predicted = full.predict(embeddings)
    fold = np.random.default_rng(seed).permutation(len(targets.item)) % folds
    for k in range(min(folds, len(targets.item))):
        keep = fold != k
        if not keep.any():
            continue
        part = ItemTargets(targets.item[keep], targets.value[keep], targets.raters[keep])
        model = _fit(part, embeddings, seed, (full.length, full.noise_share))
        predicted[targets.item[~keep]] = model.predict(embeddings[targets.item[~keep]])
    return predicted


def _fit(
    targets: ItemTargets, embeddings: Floats, seed: int, chosen: tuple[float, float] | None = None
) -> PopulationModel:
    targets = _subset(targets, MOST_ITEMS, seed)
    known = embeddings[targets.item].astype(np.float64)
    centre = known.mean(axis=0)
    if chosen is None:
        few = _subset(targets, MOST_ITEMS_TO_CHOOSE, seed + 1)
        anchors = _directions(embeddings[few.item], centre)
        chosen = max(product(LENGTHS, NOISE_SHARES), key=lambda pair: _solve(few, anchors, *pair)[0])
    anchors = _directions(known, centre)
    _, weights = _solve(targets, anchors, *chosen)
    return PopulationModel(centre, anchors, weights, float(targets.value.mean()), *chosen)


def _solve(targets: ItemTargets, anchors: Floats, length: float, share: float) -> tuple[float, Floats]:
    """Log marginal likelihood (up to a constant) and dual weights of one length and noise share."""
    y = targets.value - targets.value.mean()
    sampling = 1.0 / targets.raters  # targets are standardised, so one rating has variance about 1
    signal = max(float(y.var() - sampling.mean()), 0.05 * float(y.var()), 1e-6)
    covariance = signal * (1 - share) * chord_kernel(anchors, anchors, length)
    covariance[np.diag_indices_from(covariance)] += signal * share + sampling
    from scipy.linalg import cho_factor, cho_solve  # takes a quarter of a second

    factor = cho_factor(covariance, lower=True, overwrite_a=True)
    dual = cho_solve(factor, y)
    return float(-0.5 * y @ dual - np.log(np.diag(factor[0])).sum()), dual * signal * (1 - share)


def _subset(targets: ItemTargets, most: int, seed: int) -> ItemTargets:
    if len(targets.item) <= most:
        return targets
    keep = np.sort(np.random.default_rng(seed % 2**63).choice(len(targets.item), most, replace=False), kind="stable")
    return ItemTargets(targets.item[keep], targets.value[keep], targets.raters[keep])


def _directions(embeddings: Floats, centre: Floats) -> Floats:
    return unit_rows(embeddings.astype(np.float64) - centre)


def chord_kernel(a: Floats, b: Floats, length: float) -> Floats:
    """Float [n, m]; squared exponential of the chords between unit vectors [n, dim] and [m, dim]."""
    squared = np.clip(2.0 - 2.0 * (a @ b.T), 0.0, None)
    return np.exp(-squared / (2.0 * length**2))
