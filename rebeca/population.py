"""What users like on the whole: a model of items without users.

The strongest control for a personal verifier is not a broken personal model but a good impersonal one
(docs/explanation/statistics.md). This is a Gaussian process over the items' embeddings, fitted to each item's mean
rating with the noise that its number of raters implies. Kernel: squared exponential in the angle between centred
embeddings. Length and noise are chosen by the marginal likelihood (Rasmussen and Williams 2006, eq. 5.8).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Self

import numpy as np

from rebeca.arrays import Floats, Ints, unit_rows
from rebeca.data.interactions import Interactions

LENGTHS = (0.3, 0.5, 0.8, 1.2, 2.0, 4.0)
NOISE_SHARES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7)
MOST_ANCHORS = 1000
"""Above so many items, a seeded subset of them are the anchors; all items are fitted."""
MOST_ITEMS_TO_CHOOSE = 800
"""Of a seeded subset, where length and noise are chosen; that takes one fit per pair of values."""
JITTER = 1e-8
"""Share of the signal's variance that is added to the anchors' covariance, which may be singular."""
FOLDS = 10
"""Items are left out by folds. One at a time, a prediction would tell its item's target by what is missing from it."""


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
    residual, scale = _residuals(ratings)
    count = np.bincount(ratings.item, minlength=ratings.num_items)
    total = np.bincount(ratings.item, weights=residual / scale, minlength=ratings.num_items)
    item = np.flatnonzero(count)
    return ItemTargets(item, total[item] / count[item], count[item])


@dataclass(frozen=True, slots=True, eq=False)
class PopulationModel:
    """A fitted Gaussian process: embedding -> how much users like it on the whole (standard deviations).

    Attributes:
        centre: float [dim]; mean training embedding.
        anchors: float [m, dim]; centred unit embeddings of training items.
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
        seed: Chooses the anchors where more than :data:`MOST_ANCHORS` items are rated.
    """
    return fit_leaving_out(ratings, embeddings, seed)[0]


def fit_leaving_out(ratings: Interactions, embeddings: Floats, seed: int = 0) -> tuple[PopulationModel, Floats]:
    """The model, and float64 [items]: every item's prediction by a model that saw none of its ratings.

    On an item that it saw, a model knows the ratings. Who takes its prediction as input would trust it too much, and
    who subtracts it would subtract part of each rating from itself.

    Args:
        ratings: Training ratings.
        embeddings: float [items, dim]; the whole catalogue.
        seed: Draws folds of items, and anchors where more than :data:`MOST_ANCHORS` items are rated.
    """
    targets = item_targets(ratings)
    known = embeddings[targets.item].astype(np.float64)
    centre = known.mean(axis=0)
    places = _directions(known, centre)
    few = _subset(len(places), MOST_ITEMS_TO_CHOOSE, seed + 1)
    length, share = _choose(targets.value[few], targets.raters[few], places[few])
    anchors = places[_subset(len(places), MOST_ANCHORS, seed)]
    signal, noise = _variances(targets.value, targets.raters, share)
    root = _root(signal * chord_kernel(anchors, anchors, length))
    regression = _Regression.of(targets.value, root, signal * chord_kernel(anchors, places, length), noise)
    mean, dual = regression.solve(np.array([], int))
    model = PopulationModel(centre, anchors, signal * np.linalg.solve(root.T, dual), mean, length, share)
    predicted = model.predict(embeddings)
    fold = np.random.default_rng(seed % 2**63).permutation(len(places)) % FOLDS
    for number in range(min(FOLDS, len(places))):
        left = np.flatnonzero(fold == number)
        mean, dual = regression.solve(left)
        predicted[targets.item[left]] = mean + regression.features[:, left].T @ dual * np.sqrt(noise[left])
    return model, predicted


def population_scores(ratings: Interactions, embeddings: Floats, seed: int = 0) -> Floats:
    """float64 [items]; liking by all users, as predicted, and where there are ratings moved towards their mean."""
    residual, scale = _residuals(ratings)
    _, predicted = fit_leaving_out(ratings, embeddings, seed)
    surprise = residual / scale - predicted[ratings.item]
    raters = np.bincount(ratings.item, minlength=ratings.num_items)
    total = np.bincount(ratings.item, surprise, ratings.num_items).astype(np.float64)
    return predicted + _shrunken_mean(total, raters, *variance_components(ratings.item, surprise))


def personal_ratings(ratings: Interactions, embeddings: Floats, seed: int = 0) -> Floats:
    """float64 [n]; ratings less the user's mean, and less how much the *other* users like the item.

    That is the item's prediction by a model that saw none of its ratings, moved towards the mean of its other raters.
    A mean that contained the user's own rating would take 1 / n of what is personal away, and all of it from an item
    that nobody else rated.

    Args:
        ratings: Ratings.
        embeddings: float [items, dim]; the whole catalogue.
        seed: Of :func:`fit_leaving_out`.
    """
    residual, scale = _residuals(ratings)
    _, predicted = fit_leaving_out(ratings, embeddings, seed)
    surprise = residual - scale * predicted[ratings.item]
    return surprise - shrunken_others_mean(ratings.item, surprise, *variance_components(ratings.item, surprise))


def shrunken_others_mean(item: Ints, surprise: Floats, between: float, within: float) -> Floats:
    """float64 [n]; the mean of the other rows of the same item, shrunk towards 0, which it is without other rows.

    Args:
        item: int [n].
        surprise: float64 [n]; ratings less their predictions.
        between: Variance of items around their predictions.
        within: Variance of one rating around its item.
    """
    raters, total = np.bincount(item), np.bincount(item, surprise)
    return _shrunken_mean(total[item] - surprise, raters[item] - 1, between, within)


def variance_components(item: Ints, surprise: Floats) -> tuple[float, float]:
    """Variances between items and within one, of rows around 0; two rows of one item share the first.

    The former is the mean product of two rows of one item. It is 0 where that mean is negative, or no item has two.
    """
    raters, total = np.bincount(item), np.bincount(item, surprise)
    squares = np.bincount(item, surprise**2)
    pairs = float((raters * (raters - 1.0)).sum())
    whole = float((surprise**2).mean())
    between = min(max(float((total**2 - squares).sum()) / pairs, 0.0), whole) if pairs else 0.0
    return between, whole - between


def _residuals(ratings: Interactions) -> tuple[Floats, float]:
    """Ratings less the user's mean, float64 [n], and their standard deviation."""
    residual = ratings.rating - ratings.user_mean()[ratings.user]
    return residual, float(residual.std()) or 1.0


def _shrunken_mean(total: Floats, raters: Ints, between: float, within: float) -> Floats:
    """Best linear prediction of random effects from sums over raters (Robinson 1991); 0 without raters."""
    if not between:
        return np.zeros_like(total)
    return total * between / (np.maximum(raters, 1) * between + within)


def _choose(value: Floats, raters: Ints, places: Floats) -> tuple[float, float]:
    """Length and noise share with the highest marginal likelihood."""
    from scipy.linalg import cho_factor, cho_solve  # takes a quarter of a second

    y = value - value.mean()
    kernels = {length: chord_kernel(places, places, length) for length in LENGTHS}

    def log_likelihood(pair: tuple[float, float]) -> float:
        signal, noise = _variances(value, raters, pair[1])
        factor, lower = cho_factor(signal * kernels[pair[0]] + np.diag(noise), lower=True, overwrite_a=True)
        return float(-0.5 * y @ cho_solve((factor, lower), y) - np.log(np.diag(factor)).sum())

    return max(product(LENGTHS, NOISE_SHARES), key=log_likelihood)


def _variances(value: Floats, raters: Ints, share: float) -> tuple[float, Floats]:
    """Variance of what embeddings explain, and float64 [m]: of the rest of each target."""
    sampling = 1.0 / raters  # targets are standardised, so one rating has variance about 1
    variance = float(value.var())
    signal = max(variance - float(sampling.mean()), 0.05 * variance, 1e-6)
    return signal * (1 - share), signal * share + sampling


@dataclass(frozen=True, slots=True, eq=False)
class _Regression:
    """Targets on one feature per anchor (subset of regressors; Quinonero-Candela and Rasmussen 2005, section 5).

    With all items as anchors it is the Gaussian process itself.

    Attributes:
        value: float64 [m]; targets.
        spread: float64 [m]; standard deviations of their noise.
        features: float64 [anchors, m]; of prior variance 1, in units of ``spread``.
        gram: float64 [anchors, anchors]; features by their transpose.
    """

    value: Floats
    spread: Floats
    features: Floats
    gram: Floats

    @classmethod
    def of(cls, value: Floats, root: Floats, covariance: Floats, noise: Floats) -> Self:
        from scipy.linalg import solve_triangular

        spread = np.sqrt(noise)
        features = solve_triangular(root, covariance, lower=True) / spread
        return cls(value, spread, features, features @ features.T)

    def solve(self, left: Ints) -> tuple[float, Floats]:
        """Mean target and dual weights of a fit without the targets ``left``."""
        from scipy.linalg import cho_factor, cho_solve

        kept = np.delete(np.arange(len(self.value)), left)
        mean = float(self.value[kept].mean()) if len(kept) else 0.0
        precision = self.gram - self.features[:, left] @ self.features[:, left].T
        precision[np.diag_indices_from(precision)] += 1.0
        moment = self.features[:, kept] @ ((self.value[kept] - mean) / self.spread[kept])
        return mean, cho_solve(cho_factor(precision, lower=True, overwrite_a=True), moment)


def _root(covariance: Floats) -> Floats:
    """Lower Cholesky factor of a covariance, which may be singular but for the jitter."""
    return np.linalg.cholesky(covariance + JITTER * covariance[0, 0] * np.eye(len(covariance)))


def _subset(size: int, most: int, seed: int) -> Ints:
    """Ascending positions, all of them or as many as allowed."""
    if size <= most:
        return np.arange(size)
    return np.sort(np.random.default_rng(seed % 2**63).choice(size, most, replace=False), kind="stable")


def _directions(embeddings: Floats, centre: Floats) -> Floats:
    return unit_rows(embeddings.astype(np.float64) - centre)


def chord_kernel(a: Floats, b: Floats, length: float) -> Floats:
    """Float [n, m]; squared exponential of the chords between unit vectors [n, dim] and [m, dim]."""
    squared = np.clip(2.0 - 2.0 * (a @ b.T), 0.0, None)
    return np.exp(-squared / (2.0 * length**2))
