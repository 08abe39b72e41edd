"""What adversaries have in common."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from baselines.catalogue import best_positions, candidates_for
from rebeca.arrays import Floats, Pixels
from rebeca.data.interactions import Interactions
from rebeca.errors import PluginError
from rebeca.interfaces import GeneratedImage, Generator, GeneratorContext, Request, whole_users

P = TypeVar("P")


class Adversary(Generator[P]):
    """A generator without a decoder whose fit draws no random numbers."""

    family = "adversary"

    @classmethod
    def fit_varies(cls, params: P) -> bool:
        return False

    @classmethod
    def decodes_in(cls, params: P) -> frozenset[str]:
        """Nowhere: its images are items, changed items, or drawn by itself."""
        return frozenset()

    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        index = {name: i for i, name in enumerate(self.context.users)}
        for group in whole_users(requests):
            yield from self.images_of(index[group[0].user], group)

    @abc.abstractmethod
    def images_of(self, user: int, group: Sequence[Request]) -> Sequence[GeneratedImage | None]:
        """One image per request of one user.

        Args:
            user: Index of the user.
            group: The user's requests that this fit answers.
        """


class ScoringAdversary(Adversary[P]):
    """An adversary that learns a score of every item per user, and shows items by it."""

    def __init__(self, params: P, context: GeneratorContext) -> None:
        super().__init__(params, context)
        self._scores: Floats | None = None

    @abc.abstractmethod
    def scores(self, train: Interactions) -> Floats:
        """[users, items]; higher is better."""

    def fit(self, train: Interactions) -> None:
        self._scores = self.scores(train).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Writes the scores, float32 [users, items]."""
        np.save(folder / "scores.npy", fitted(self._scores))

    def load(self, folder: Path) -> None:
        self._scores = np.load(folder / "scores.npy", allow_pickle=False)

    def best_items(self, user: int, group: Sequence[Request]) -> list[int]:
        """The user's best candidates, best first; one per request."""
        candidates = candidates_for(self.context, user, group)
        chosen = best_positions(fitted(self._scores)[user, candidates], group)
        return [int(item) for item in candidates[chosen]]

    def noisy_items(self, items: Sequence[int], group: Sequence[Request], budget: int) -> list[GeneratedImage]:
        """Items that are not declared: with noise, one per request."""
        from baselines.adversaries.alterations import with_noise

        pixels: list[Pixels] = [self.context.catalogue.pixels(item) for item in items]
        return [
            GeneratedImage(with_noise(image, budget, request.seed))
            for image, request in zip(pixels, group, strict=True)
        ]


def fitted(learned: Floats | None) -> Floats:
    """What the fit learned.

    Raises:
        PluginError: If there is nothing yet.
    """
    if learned is None:
        raise PluginError("it was asked to generate before it was fitted or loaded")
    return learned
