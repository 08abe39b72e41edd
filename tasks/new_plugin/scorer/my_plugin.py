"""A scorer: how similar an image is to the items that the user liked.

What to change: the parameters, ``card`` (what the leaderboard says about the numbers)
and ``score_all`` (how they are computed).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rebeca import ScoredImages, Scorer, ScorerCard, ScorerContext
from rebeca.arrays import Floats, Ints, unit_rows
from rebeca.params import Count


@dataclass(frozen=True)
class MyPluginParams:
    """What a task file can set under ``params``.

    Attributes:
        neighbours: Liked items per image whose similarity counts, the most similar ones.
    """

    neighbours: Count = 5


class MyPlugin(Scorer[MyPluginParams]):
    """How similar an image is to the items that the user liked in training."""

    Params = MyPluginParams
    # score_all answers for every user, so the leaderboard can show personal lift.
    # Where only the image counts, leave this and score_all out, and define score alone.
    judges_everyone = True

    @classmethod
    def card(cls, params: MyPluginParams) -> ScorerCard:
        meaning = f"Mean cosine with the {params.neighbours} most similar liked items."
        return ScorerCard("Similar to likes", "cosine", True, meaning)

    @classmethod
    def needs(cls, params: MyPluginParams) -> frozenset[str]:
        # The context gives what is named here and nothing else; pixels need no entry.
        return frozenset({"training", "embeddings"})

    def __init__(self, params: MyPluginParams, context: ScorerContext) -> None:
        super().__init__(params, context)
        self.centre = context.embeddings[context.training_items].mean(axis=0)
        items = unit_rows(context.embeddings - self.centre)
        likes = context.training.where(context.training.liked)
        own = [likes.item[likes.user == user] for user in range(likes.num_users)]
        # Users without a like are asked as anybody: a scorer of everybody has no gaps.
        self.liked = [items[rows if len(rows) else likes.item] for rows in own]

    def score(self, images: ScoredImages, users: Ints) -> Floats:
        asked = np.unique(users)
        table = self.score_all(images, asked)
        return table[np.searchsorted(asked, users), np.arange(len(users))]

    def score_all(self, images: ScoredImages, users: Ints) -> Floats:
        vectors = unit_rows(images.embedding_of("task") - self.centre)
        table = np.empty((len(users), len(images)))
        for row, user in enumerate(users):
            cosines = vectors @ self.liked[user].T
            table[row] = mean_of_highest(cosines, self.params.neighbours)
        return table


def mean_of_highest(values: Floats, count: int) -> Floats:
    """The mean of the highest numbers of each row, float64 [rows].

    Args:
        values: float [rows, columns].
        count: Numbers per row; all where there are fewer.
    """
    highest = np.sort(values, axis=1, kind="stable")[:, -count:]
    means: Floats = highest.mean(axis=1, dtype=np.float64)
    return means
