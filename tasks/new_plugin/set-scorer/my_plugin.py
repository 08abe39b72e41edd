"""A set scorer: how many different images a user gets, by the Vendi score.

What to change: the parameters, ``cards`` (what the leaderboard says about each number)
and ``score_sets`` (how they are computed).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from rebeca import ScoredImages, ScorerCard, SetScorer
from rebeca.arrays import Floats, Ints, unit_rows
from rebeca.params import Count


@dataclass(frozen=True)
class MyPluginParams:
    """What a task file can set under ``params``.

    Attributes:
        least: Users with fewer images have no value.
    """

    least: Count = 2


class MyPlugin(SetScorer[MyPluginParams]):
    """How many different images a user gets."""

    Params = MyPluginParams

    @classmethod
    def cards(cls, params: MyPluginParams) -> Mapping[str, ScorerCard]:
        # One card per measure; score_sets returns numbers under the same names.
        card = ScorerCard(
            "Different images",
            "images",
            True,
            "Effective number of different images of a user.",
            reference="Friedman and Dieng, The Vendi Score, 2023",
        )
        return {"my-plugin": card}

    @classmethod
    def needs(cls, params: MyPluginParams) -> frozenset[str]:
        # For images.embedding_of("task"). Pixels and digests need no entry.
        return frozenset({"embeddings"})

    def score_sets(self, images: ScoredImages, users: Ints) -> Mapping[str, Floats]:
        embeddings = images.embedding_of("task")
        values = np.full(len(users), np.nan)  # NaN: no answer
        for row, user in enumerate(users):
            own = embeddings[images.user == user]
            if len(own) >= self.params.least:
                values[row] = vendi_score(own)
        return {"my-plugin": values}


def vendi_score(embeddings: Floats) -> float:
    """The effective number of different rows: 1 where all are equal, n at most.

    The exponential of the entropy of the eigenvalues of the cosines between rows.

    Args:
        embeddings: float [n, dim].
    """
    rows = unit_rows(embeddings.astype(np.float64))
    eigenvalues = np.linalg.eigvalsh(rows @ rows.T / len(rows))
    shares = eigenvalues[eigenvalues > 1e-12]
    return float(np.exp(-(shares * np.log(shares)).sum()))
