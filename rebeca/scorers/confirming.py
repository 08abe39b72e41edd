"""A judge that nobody can know in advance: fitted after the images are fixed, on patches of random training items.

Anyone who knows a judge can change images so that this judge alone likes them. So a second opinion is drawn from the
images themselves: their digests seed a draw of small patches of training items, and these patches are its filters
(Coates and Ng 2012, Learning Feature Representations with K-means, compare such filters with learned ones). Nothing is
trained, so there are no weights that somebody could attack; and images are brought to 16 x 16 pixels first, so that
fine noise cannot reach it. On these features it is a Gaussian process: what all users like, plus what each user likes
beyond that.

What it withstands was measured, see docs/reports/stress.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Self

import numpy as np
from PIL import Image

from rebeca.arrays import Bools, Floats, Ints, Pixels, evenly, unit_rows
from rebeca.data.interactions import Interactions, rows_by_group
from rebeca.seeds import seed_of

SIDE = 16
"""Images are brought to this many pixels on a side."""
PATCH = 5
"""Side of a patch; leaves 12 x 12 places in an image."""
FILTERS = 128
BINS = 4
"""Responses are averaged over this many parts of each side."""
SAMPLES = 10_000
"""Patches from which means and covariances are taken, and filters are drawn."""
SMALLEST_VARIANCE = 0.02
"""Added to the variance of patches in every direction, for pixels between -1 and 1, so that noise is no detail."""
THRESHOLD = 0.25
"""Responses below it count as none."""
COMMON, PERSONAL, NOISE = 0.4, 1.1, 0.75
"""Prior variances of what everybody likes, of what a user likes beyond that, and of one rating. Only their ratios
matter; they have the best AUC on world 2 of tinyworld."""
MOST_ITEMS = 3000
"""Above so many items, the common part is fitted to a drawn subset of them, and means are taken over some."""
FOLDS = 5
"""Parts that items are divided into where a judge must not have seen them."""
BATCH = 500
"""Images per block of a kernel."""


def thumbnails(images: Iterable[Pixels]) -> Floats:
    """float32 [n, 16, 16, 3] in [-1, 1]; every pixel is the mean of its part of the image."""
    small = [np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX)) for image in images]
    return np.stack(small).astype(np.float32) / 127.5 - 1 if small else np.zeros((0, SIDE, SIDE, 3), np.float32)


def seed_of_row(digests: Sequence[str]) -> int:
    """Seed of the judge that images meet, from their SHA-256 in the order of users and replicates."""
    return seed_of("confirming", *digests)


@dataclass(frozen=True, slots=True, eq=False)
class PatchFeatures:
    """How much of which patch an image holds, and where.

    Attributes:
        weights: float32 [75, filters]; whitens a patch and compares it with every filter.
        offset: float32 [filters]; what they answer to the mean patch.
        mean: float32 [dim]; mean feature of the training items.
        deviation: float32 [dim]; standard deviation of it.
    """

    weights: Floats
    offset: Floats
    mean: Floats
    deviation: Floats

    @classmethod
    def draw(cls, items: Floats, rng: np.random.Generator) -> Self:
        """Draws the filters.

        Args:
            items: float32 [m, 16, 16, 3]; thumbnails of at least one training item.
            rng: Draws patches.
        """
        places = rng.integers(0, SIDE - PATCH + 1, (SAMPLES, 2))
        chosen = rng.integers(0, len(items), SAMPLES)
        patches = _patches(items)[chosen, places[:, 0], places[:, 1]].reshape(SAMPLES, -1).astype(np.float64)
        centre = patches.mean(axis=0)
        variance, directions = np.linalg.eigh(np.cov(patches.T))
        whiten = directions / np.sqrt(np.maximum(variance, 0) + SMALLEST_VARIANCE) @ directions.T
        filters = unit_rows((patches[:FILTERS] - centre) @ whiten)
        weights = whiten @ filters.T
        plain = cls(weights.astype(np.float32), (centre @ weights).astype(np.float32), np.zeros(1), np.ones(1))
        features = plain._responses(items[evenly(len(items), MOST_ITEMS)])
        deviation = features.std(axis=0)
        return cls(plain.weights, plain.offset, features.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    def of(self, images: Floats) -> Floats:
        """float32 [n, 2 * filters * 16]; unit vectors, from thumbnails [n, 16, 16, 3]."""
        out = self._responses(images)
        for start in range(0, len(out), BATCH):
            block = out[start : start + BATCH]
            block[:] = unit_rows((block - self.mean) / self.deviation)
        return out

    def _responses(self, images: Floats) -> Floats:
        """float32 [n, dim]; means of both signs of every filter's response, over 3 x 3 places each."""
        out = np.empty((len(images), 2 * FILTERS * BINS**2), np.float32)
        for start in range(0, len(images), BATCH):
            out[start : start + BATCH] = self._of_block(images[start : start + BATCH])
        return out

    def _of_block(self, images: Floats) -> Floats:
        places = SIDE - PATCH + 1
        patches = _patches(images).reshape(len(images) * places**2, -1)
        response = patches @ self.weights - self.offset
        both = np.concatenate([np.maximum(response - THRESHOLD, 0), np.maximum(-response - THRESHOLD, 0)], axis=1)
        width = places // BINS
        binned = both.reshape(len(images), BINS, width, BINS, width, -1).mean(axis=(2, 4))
        return np.asarray(binned.reshape(len(images), -1))


@dataclass(frozen=True, slots=True, eq=False)
class DrawnFeatures:
    """Features from one seed, and those of the whole catalogue.

    Attributes:
        features: Drawn.
        items: float32 [items, dim]; features of every item.
        rng: The random numbers that follow those of the features; copied by every judge.
    """

    features: PatchFeatures
    items: Floats
    rng: np.random.Generator

    @classmethod
    def of(cls, items: Floats, training_items: Bools, seed: int) -> Self:
        """Arguments as of :meth:`ConfirmingJudge.fit`."""
        rng = np.random.default_rng(seed)
        features = PatchFeatures.draw(items[training_items], rng)
        return cls(features, features.of(items), rng)


@dataclass(frozen=True, slots=True, eq=False)
class ConfirmingJudge:
    """Probability that a user likes an image, by a Gaussian process on drawn features.

    The kernel is ((1 + cosine) / 2) squared: as smooth as a preference for a region of colours, shapes and places.

    Attributes:
        drawn: The features.
        items: float32 [n, dim]; features of the rated items.
        rate: float64 [users]; share of items that each user likes, shrunk towards that of all.
        common_items: int [n]; rows of ``items`` from which it learned what everybody likes: all, or a draw of many.
        common: float64 [n]; dual weights of that.
        rated: By user, int [n]; rows of ``items``.
        personal: By user, float64 [n]; dual weights.
    """

    drawn: DrawnFeatures
    items: Floats
    rate: Floats
    common_items: Ints
    common: Floats
    rated: tuple[Ints, ...]
    personal: tuple[Floats, ...]

    @classmethod
    def fit(cls, ratings: Interactions, items: Floats, training_items: Bools, seed: int) -> Self:
        """Draws features and fits the judge.

        Args:
            ratings: What it learns from; at least one.
            items: float32 [items, 16, 16, 3]; thumbnails of the whole catalogue.
            training_items: bool [items]; items that patches are drawn from; at least one.
            seed: Of the draw.
        """
        return cls.on(DrawnFeatures.of(items, training_items, seed), ratings)

    @classmethod
    def on(cls, drawn: DrawnFeatures, ratings: Interactions) -> Self:
        """Fits the judge on features that are drawn already."""
        rng = deepcopy(drawn.rng)
        rated, item = np.unique(ratings.item, return_inverse=True)
        vectors, liked = drawn.items[rated], ratings.liked.astype(np.float64)
        raters = ratings.ratings_per_user()
        likes = np.bincount(ratings.user, liked, ratings.num_users)
        rate = (likes + 2 * liked.mean()) / (raters + 2)
        surprise = liked - rate[ratings.user]
        common_items, common = _common(vectors, item, surprise, rng)
        anchors = vectors[common_items]
        explained = np.concatenate([_kernel(block, anchors) @ common for block in _blocks(vectors)])
        rest = surprise - explained[item]
        rows = rows_by_group(ratings.user, ratings.num_users)
        own = tuple(item[mine] for mine in rows)
        personal = tuple(
            _dual(_kernel(vectors[of_user], vectors[of_user]), rest[mine], PERSONAL, np.full(len(mine), NOISE))
            for mine, of_user in zip(rows, own, strict=True)
        )
        return cls(drawn, vectors, rate, common_items, common, own, personal)

    def score_all(self, images: Floats, users: Ints) -> Floats:
        """float64 [users, n]; expected likes, mostly in [0, 1].

        Args:
            images: float32 [n, 16, 16, 3]; thumbnails.
            users: int [users]; indices.
        """
        common, personal = self.parts(images, users)
        return np.asarray(self.rate[users][:, None] + common + personal)

    def parts(self, images: Floats, users: Ints) -> tuple[Floats, Floats]:
        """What is added to a user's ``rate``.

        What everybody likes adds a float64 [n], and what a user likes beyond that a float64 [users, n].

        Args:
            images: float32 [n, 16, 16, 3]; thumbnails.
            users: int [users]; indices.
        """
        return self._parts(len(images), lambda block: self.drawn.features.of(images[block]), users)

    def parts_of_items(self, items: Ints, users: Ints) -> tuple[Floats, Floats]:
        """As :meth:`parts`, of items of the catalogue, int [n]."""
        return self._parts(len(items), lambda block: self.drawn.items[items[block]], users)

    def _parts(self, number: int, features: Callable[[slice], Floats], users: Ints) -> tuple[Floats, Floats]:
        common, personal = np.empty(number), np.empty((len(users), number))
        for start in range(0, number, BATCH):
            block = slice(start, start + BATCH)
            kernel = _kernel(features(block), self.items)
            common[block] = kernel[:, self.common_items] @ self.common
            for row, user in enumerate(users.tolist()):
                personal[row, block] = kernel[:, self.rated[user]] @ self.personal[user]
        return common, personal


def parts_unseen(drawn: DrawnFeatures, ratings: Interactions, judged: Ints, seed: int) -> tuple[Floats, Floats]:
    """Parts of items, each by a judge that learned from no rating of it.

    The items are divided into five folds, and each is judged by what the others taught: nothing, where they have no
    rating, and then its parts are 0.

    Args:
        drawn: The features of all these judges.
        ratings: As :meth:`ConfirmingJudge.fit` takes them.
        judged: int [n]; the items in question.
        seed: Of the folds.

    Returns:
        As :meth:`ConfirmingJudge.parts` returns them, for all users.
    """
    users = np.arange(ratings.num_users)
    common, personal = np.zeros(len(judged)), np.zeros((len(users), len(judged)))
    fold_of_item = np.random.default_rng(seed).permutation(len(drawn.items)) % FOLDS
    for fold in range(FOLDS):
        others, in_fold = ratings.where(fold_of_item[ratings.item] != fold), fold_of_item[judged] == fold
        if len(others) and in_fold.any():
            judge = ConfirmingJudge.on(drawn, others)
            common[in_fold], personal[:, in_fold] = judge.parts_of_items(judged[in_fold], users)
    return common, personal


def _patches(images: Floats) -> Floats:
    """View [n, places, places, 3, 5, 5] of thumbnails [n, 16, 16, 3]."""
    return np.lib.stride_tricks.sliding_window_view(images, (PATCH, PATCH), axis=(1, 2))


def _kernel(a: Floats, b: Floats) -> Floats:
    """float64 [n, m] in [0, 1], of unit vectors [n, dim] and [m, dim]."""
    return np.square((1.0 + (a @ b.T).astype(np.float64)) / 2.0)


def _blocks(vectors: Floats) -> list[Floats]:
    return [vectors[start : start + BATCH] for start in range(0, len(vectors), BATCH)]


def _dual(kernel: Floats, target: Floats, variance: float, noise: Floats) -> Floats:
    """float64 [n]; weights of a Gaussian process' mean (Rasmussen and Williams 2006, eq. 2.25)."""
    return np.asarray(variance * np.linalg.solve(variance * kernel + np.diag(noise), target))


def _common(vectors: Floats, item: Ints, surprise: Floats, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Which items, int [n], and their dual weights, float64 [n], fitted to means with the noise of few raters."""
    raters = np.bincount(item)
    mean = np.bincount(item, surprise) / raters
    chosen = np.arange(len(raters))
    if len(chosen) > MOST_ITEMS:
        chosen = np.sort(rng.choice(len(chosen), MOST_ITEMS, replace=False), kind="stable")
    kernel = _kernel(vectors[chosen], vectors[chosen])
    return chosen, _dual(kernel, mean[chosen], COMMON, NOISE / raters[chosen])
