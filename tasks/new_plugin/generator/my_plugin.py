"""A generator: draws points around the mean of a user's likes and decodes them.

What to change: the parameters, ``fit`` (what is learned from ratings) and ``generate``
(how images come from it).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rebeca import GeneratedImage, Generator, Interactions, LinearSpace, Request
from rebeca.arrays import Bools, Floats
from rebeca.params import NotNegative
from rebeca.seeds import substream


@dataclass(frozen=True)
class MyPluginParams:
    """What a task file can set under ``params``.

    Attributes:
        spread: Standard deviation of the draws, as a share of that of the items.
    """

    spread: NotNegative = 0.5


class MyPlugin(Generator[MyPluginParams]):
    """Draws points around the mean of a user's likes and decodes them."""

    Params = MyPluginParams

    @classmethod
    def fit_parameters(cls, params: MyPluginParams) -> frozenset[str]:
        # The fit depends on no parameter, so all values of spread share one fit.
        return frozenset()

    @classmethod
    def fit_varies(cls, params: MyPluginParams) -> bool:
        # The fit draws no random number, so all fits of a task would be equal.
        return False

    def fit(self, train: Interactions) -> None:
        context = self.context
        self.means = means_of_likes(train, context.embeddings, context.training_items)
        self.deviation = context.embeddings[context.training_items].std(axis=0)

    def save(self, folder: Path) -> None:
        np.savez(folder / "fit.npz", means=self.means, deviation=self.deviation)

    def load(self, folder: Path) -> None:
        with np.load(folder / "fit.npz") as arrays:
            self.means, self.deviation = arrays["means"], arrays["deviation"]

    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        rows = {user: row for row, user in enumerate(self.context.users)}
        means = self.means[[rows[request.user] for request in requests]]
        # One random stream per image: it depends on no other request.
        streams = [substream(request.seed, "my-plugin") for request in requests]
        draws = [np.random.default_rng(s).normal(size=means.shape[1]) for s in streams]
        points = means + self.params.spread * self.deviation * np.reshape(
            draws, means.shape
        )
        # The decoder expects points of a space; here it is the encoder's own.
        decoder = self.context.decoder(LinearSpace())
        yield from decoder.decode(points.astype(np.float32), requests)


def means_of_likes(train: Interactions, embeddings: Floats, training: Bools) -> Floats:
    """The mean embedding of each user's likes, float64 [users, dim].

    Users without a like get the mean of all training items.
    """
    likes = train.where(train.liked)
    sums = np.zeros((train.num_users, embeddings.shape[1]))
    np.add.at(sums, likes.user, embeddings[likes.item])
    counts = likes.ratings_per_user()[:, None]
    anybody = embeddings[training].mean(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), anybody)
