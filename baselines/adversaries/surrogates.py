"""Surrogates of a judge: Gaussian processes fitted to the training ratings, in closed form.

The posterior mean of whether a user likes an image, from an embedding of any sort. A common part is fitted to the
items' mean likes less the users' rates, a personal part to what it leaves of each user's own (Rasmussen and Williams
2006, section 2.2). The kernel is squared exponential in the chord between centred unit embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from rebeca.arrays import Floats, Ints, Pixels, unit_rows
from rebeca.data.catalogue import Catalogue
from rebeca.data.interactions import Interactions, rows_by_group
from rebeca.encoders import make_encoder
from rebeca.errors import PluginError
from rebeca.interfaces import Encoder, GeneratorContext
from rebeca.population import chord_kernel

if TYPE_CHECKING:
    from torch import Tensor

LENGTH = 1.0
"""Of the kernel, in chords between unit vectors."""
COMMON, PERSONAL, NOISE = 0.1, 0.2, 0.18
"""Variances of both parts and of a single like, whose own variance is at most .25."""
JITTER = 1e-6
MOST_ANCHORS = 4000
"""Above so many rated items, a seeded subset of them is fitted; closed forms need memory for the square of them."""
BATCH = 256
"""Items that are read and encoded at once."""
SMALLEST = 1e-6
"""Added to the spread of features, some of which never change."""


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """A dataclass of arrays that is kept in one file."""

    def save(self, path: Path) -> None:
        """Writes every field under its name."""
        np.savez(path, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})


@dataclass(frozen=True, slots=True, eq=False)
class Surrogate(Saved):
    """A fitted surrogate.

    Attributes:
        centre: float32 [dim]; mean embedding of the anchors.
        scale: float32 [dim]; what centred embeddings are divided by.
        anchors: float32 [m, dim]; unit embeddings of the rated items.
        weights: float32 [users, m]; dual weights of the common and the personal part together.
        rate: float32 [users]; smoothed share of items that each user likes.
    """

    centre: Floats
    scale: Floats
    anchors: Floats
    weights: Floats
    rate: Floats

    @classmethod
    def fit(cls, train: Interactions, items: Ints, embeddings: Floats, scaled: bool = False) -> Self:
        """Fits it.

        Args:
            train: Ratings of these items; see :func:`anchored`.
            items: int [m]; the rated items, ascending.
            embeddings: float [m, dim]; theirs.
            scaled: Whether every number of an embedding is divided by its standard deviation.
        """
        centre = embeddings.mean(axis=0, dtype=np.float64)
        scale = embeddings.std(axis=0, dtype=np.float64) + SMALLEST if scaled else np.ones(len(centre))
        anchors = unit_rows((embeddings - centre) / scale)
        place = np.searchsorted(items, train.item)
        weights, rate = _dual_weights(train, place, chord_kernel(anchors, anchors, LENGTH))
        return cls(*(np.asarray(array, np.float32) for array in (centre, scale, anchors, weights, rate)))

    def scores(self, embeddings: Floats) -> Floats:
        """float64 [users, n]; how probably each user likes each of n embeddings [n, dim], roughly 0 to 1."""
        out = np.empty((len(self.rate), len(embeddings)))
        for start in range(0, len(embeddings), BATCH):
            part = slice(start, start + BATCH)
            directions = unit_rows((embeddings[part].astype(np.float64) - self.centre) / self.scale)
            kernel = chord_kernel(directions, self.anchors.astype(np.float64), LENGTH)
            out[:, part] = self.rate[:, None] + self.weights.astype(np.float64) @ kernel.T
        return out

    def tensor_scores(self, user: int) -> Any:
        """The user's scores as a function of tensors: float32 [n, dim] -> float32 [n], with gradients."""
        import torch

        centre, scale, anchors, weights = (
            torch.from_numpy(array) for array in (self.centre, self.scale, self.anchors, self.weights[user])
        )
        rate = float(self.rate[user])

        def scores(embeddings: Tensor) -> Tensor:
            directions = torch.nn.functional.normalize((embeddings.cpu() - centre) / scale, dim=1)
            squared = (2 - 2 * directions @ anchors.T).clamp(min=0)
            return rate + torch.exp(-squared / (2 * LENGTH**2)) @ weights

        return scores


def _dual_weights(train: Interactions, place: Ints, kernel: Floats) -> tuple[Floats, Floats]:
    """float64 [users, m] and [users]; weights over the anchors, and rates.

    Args:
        train: Ratings of anchors.
        place: int [n]; the anchor of each rating.
        kernel: float64 [m, m]; of the anchors.
    """
    liked = train.liked.astype(np.float64)
    rate = (np.bincount(train.user, liked, train.num_users) + 1) / (train.ratings_per_user() + 2)
    residual = liked - rate[train.user]
    raters = np.bincount(place, minlength=len(kernel))
    mean = np.bincount(place, residual, len(kernel)) / raters
    common = COMMON * np.linalg.solve(COMMON * kernel + np.diag(NOISE / raters + JITTER), mean)
    residual -= (kernel @ common)[place]
    weights = np.tile(common, (train.num_users, 1))
    for user, rows in enumerate(rows_by_group(train.user, train.num_users)):
        own = place[rows]
        covariance = PERSONAL * kernel[np.ix_(own, own)] + NOISE * np.eye(len(own))
        weights[user, own] += PERSONAL * np.linalg.solve(covariance, residual[rows])
    return weights, rate


def anchored(train: Interactions, seed: int = 0) -> tuple[Interactions, Ints]:
    """The ratings that a surrogate is fitted to, and int [m]: their items, ascending.

    Args:
        train: Training ratings.
        seed: Draws items where more than :data:`MOST_ANCHORS` are rated.

    Raises:
        PluginError: If there are no ratings.
    """
    items = np.unique(train.item)
    if not len(items):
        raise PluginError("it was given no training ratings")
    if len(items) > MOST_ANCHORS:
        items = np.sort(np.random.default_rng(seed).choice(items, MOST_ANCHORS, replace=False), kind="stable")
    return train.where(np.isin(train.item, items)), items


def encoders_of(names: Sequence[str], device: str = "cpu") -> list[Encoder[Any]]:
    """Encoders by the names that a task would use.

    Raises:
        SpecError: If no encoder has such a name.
    """
    return [make_encoder(name, device) for name in names]


def weights_fingerprint(names: Sequence[str]) -> str:
    """Identifies the weights of encoders."""
    return " ".join(type(encoder).fingerprint(encoder.params) for encoder in encoders_of(names))


def encode_items(encoder: Encoder[Any], catalogue: Catalogue, items: Ints) -> Floats:
    """float32 [n, dim]; embeddings of items."""
    parts = [items[start : start + BATCH].tolist() for start in range(0, len(items), BATCH)]
    return np.concatenate([encoder.encode([catalogue.pixels(item) for item in part], part) for part in parts])


def item_scores(train: Interactions, context: GeneratorContext, names: Sequence[str]) -> Floats:
    """float64 [users, items]; mean score of surrogates in the spaces of encoders.

    Args:
        train: Training ratings.
        context: Of the generator.
        names: Names of encoders; where there are none, the embeddings of the task's encoder are used.
    """
    ratings, anchors = anchored(train)
    every = np.arange(train.num_items)
    spaces = (
        [encode_items(encoder, context.catalogue, every) for encoder in encoders_of(names, context.device)]
        if names
        else [context.embeddings]
    )
    scores: Floats = np.mean(
        [Surrogate.fit(ratings, anchors, space[anchors]).scores(space) for space in spaces], axis=0
    )
    return scores


def pixels_of(catalogue: Catalogue, items: Ints, side: int) -> Pixels:
    """uint8 [n, side, side, 3]; items, resized to squares where they are none of this side (bicubic)."""
    return np.stack([as_square(catalogue.pixels(int(item)), side) for item in items])


def as_square(pixels: Pixels, side: int) -> Pixels:
    """uint8 [side, side, 3]; the whole image."""
    from PIL import Image

    if pixels.shape[:2] == (side, side):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC))
