"""A judge: the share of likes among a user's most similar rated items.

What to change: the parameters, ``fit`` (what is learned from ratings) and ``score_all``
(the probability of a like).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rebeca import Judge, Part
from rebeca.arrays import Bools, Floats, Ints
from rebeca.params import Count


@dataclass(frozen=True)
class MyPluginParams:
    """What a task file can set under ``params``.

    Attributes:
        neighbours: Rated items per image that count, the most similar ones.
    """

    neighbours: Count = 10


class MyPlugin(Judge[MyPluginParams]):
    """The share of likes among the user's most similar rated items."""

    Params = MyPluginParams

    def fit(self, part: Part, embeddings: Floats) -> None:
        # part.validation is there for early stopping; this judge has nothing to stop.
        train = part.train
        self.user, self.liked = train.user, train.liked
        self.rated = embeddings[train.item]

    def save(self, folder: Path) -> None:
        path = folder / "fit.npz"
        np.savez(path, user=self.user, liked=self.liked, rated=self.rated)

    def load(self, folder: Path) -> None:
        with np.load(folder / "fit.npz") as arrays:
            self.user, self.liked = arrays["user"], arrays["liked"]
            self.rated = arrays["rated"]

    def score_all(self, embeddings: Floats, users: Ints | None = None) -> Floats:
        asked = np.arange(len(self.context.users)) if users is None else users
        table = np.empty((len(asked), len(embeddings)))
        for row, user in enumerate(asked):
            own = self.user == user
            rated, liked = self.rated[own], self.liked[own]
            table[row] = like_share(embeddings, rated, liked, self.params.neighbours)
        return table


def like_share(images: Floats, rated: Floats, liked: Bools, neighbours: int) -> Floats:
    """The share of likes among the rated items nearest to each image, float64 [n].

    One like and one dislike are added, so that no share is 0 or 1.

    Args:
        images: float [n, dim].
        rated: float [m, dim]; the user's rated items.
        liked: bool [m].
        neighbours: Rated items per image that count.
    """
    products = images.astype(np.float64) @ rated.T.astype(np.float64)
    distances = np.square(rated, dtype=np.float64).sum(axis=1) - 2 * products
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :neighbours]
    likes = liked[nearest].sum(axis=1)
    shares: Floats = (likes + 1) / (nearest.shape[1] + 2)
    return shares
