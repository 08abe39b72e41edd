"""Judges: models that predict whether a user likes an image."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from rebeca.arrays import Bools, Floats, Ints, Pixels
from rebeca.interfaces.plugin import Plugin

if TYPE_CHECKING:
    from rebeca.data.splits import Part

P = TypeVar("P")


def no_progress(done: int, total: int, note: str) -> None:
    """A ``progress`` that shows nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgeContext:
    """What a judge is given.

    Attributes:
        users: Ids of all users of the data set, in the order of the user index.
        training_items: bool [items]; items whose embeddings may be looked at during the fit.
        seed: Seed of the fit.
        device: Torch device name.
        progress: Called with (done, total, note).

    Example:
        >>> import numpy as np
        >>> from rebeca import JudgeContext
        >>> context = JudgeContext(("ann", "bob"), training_items=np.array([True, True, False]))
        >>> context.seed, context.device
        (0, 'cpu')
    """

    users: tuple[str, ...]
    training_items: Bools
    seed: int = 0
    device: str = "cpu"
    progress: Callable[[int, int, str], None] = no_progress


class Judge(Plugin[P, JudgeContext]):
    """Predicts, for any user and any image, the probability that the user likes it.

    Example:
        >>> import json
        >>> import numpy as np
        >>> from rebeca import Interactions, Judge, JudgeContext, NoParams, Part
        >>> class LikeRate(Judge[NoParams]):
        ...     def fit(self, part, embeddings):
        ...         likes = np.bincount(part.train.user, part.train.liked, part.train.num_users)
        ...         self.rate = (likes + 1) / (part.train.ratings_per_user() + 2)
        ...     def save(self, folder):
        ...         (folder / "rate.json").write_text(json.dumps(self.rate.tolist()))
        ...     def load(self, folder):
        ...         self.rate = np.array(json.loads((folder / "rate.json").read_text()))
        ...     def score_all(self, embeddings, users=None):
        ...         rate = self.rate if users is None else self.rate[users]
        ...         return np.repeat(rate[:, None], len(embeddings), axis=1)
        >>> user, item, rating = np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([5.0, 4.0, 1.0])
        >>> ratings = Interactions(user, item, rating, rating > 3, ("ann", "bob"), ("cat", "dog"))
        >>> judge = LikeRate(NoParams(), JudgeContext(ratings.user_ids, np.ones(2, bool)))
        >>> judge.fit(Part(ratings, ratings.where(np.zeros(3, bool))), np.zeros((2, 8), np.float32))
        >>> judge.score_all(np.zeros((1, 8), np.float32)).round(2).tolist()
        [[0.75], [0.33]]
    """

    @abc.abstractmethod
    def fit(self, part: Part, embeddings: Floats) -> None:
        """Learns from the judge's own ratings.

        Args:
            part: Training and validation ratings.
            embeddings: The catalogue in the space of the judge's encoder, float32 [items, dim].
        """

    @abc.abstractmethod
    def save(self, folder: Path) -> None:
        """Writes what the fit learned into an empty folder."""

    @abc.abstractmethod
    def load(self, folder: Path) -> None:
        """Reads what :meth:`save` wrote."""

    @abc.abstractmethod
    def score_all(self, embeddings: Floats, users: Ints | None = None) -> Floats:
        """Probabilities that users like images, float64 [users, n] in [0, 1].

        Args:
            embeddings: float32 [n, dim] in the space of the judge's encoder.
            users: User indices; all users by default.
        """


@dataclass(frozen=True, slots=True, eq=False)
class FittedJudge:
    """A fitted judge with its encoder and the catalogue, for scorers and privileged generators.

    Attributes:
        model: Gives the judge; loaded when it is first asked for.
        catalogue: Gives the catalogue in the space of the judge's encoder, float32 [items, dim].
        encode: Turns images into embeddings of that space, float32 [n, dim].
        fingerprint: Address of the fit.

    Example:
        The harness builds it. A test of a plug-in passes any object that answers ``score_all``:

        >>> from types import SimpleNamespace
        >>> import numpy as np
        >>> from rebeca import FittedJudge
        >>> likes_bright = SimpleNamespace(score_all=lambda x, users=range(2): np.stack([x[:, 0], 1 - x[:, 0]])[users])
        >>> judge = FittedJudge(
        ...     model=lambda: likes_bright,
        ...     catalogue=lambda: np.array([[0.0], [0.5]], np.float32),
        ...     encode=lambda images: np.array([[image.mean() / 255] for image in images], np.float32),
        ... )
        >>> white = np.full((8, 8, 3), 255, np.uint8)
        >>> judge.score([white, white], users=np.array([0, 1])).tolist()
        [1.0, 0.0]
        >>> judge.catalogue_scores().tolist()
        [[0.0, 0.5], [1.0, 0.5]]
    """

    model: Callable[[], Judge[Any]]
    catalogue: Callable[[], Floats]
    encode: Callable[[Sequence[Pixels]], Floats]
    fingerprint: str = ""

    def score(self, images: Sequence[Pixels], users: Ints) -> Floats:
        """float64 [n] in [0, 1]; probability that user ``users[i]`` likes image i."""
        different = np.unique(users)
        table = self.model().score_all(self.encode(images), different)
        return table[np.searchsorted(different, users), np.arange(len(users))]

    def catalogue_scores(self) -> Floats:
        """float64 [users, items] in [0, 1]; probability that each user likes each item."""
        return self.model().score_all(self.catalogue())
