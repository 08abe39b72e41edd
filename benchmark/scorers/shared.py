"""What several scorers share: fixed cards, scores of all users, batches of pixels, weights."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np

from rebeca.arrays import Floats, Ints, Pixels
from rebeca.hashes import file_hash
from rebeca.images import LazyPixels
from rebeca.interfaces import Encoder, NoParams, ScoredImages, Scorer, ScorerCard
from rebeca.published import identity, is_published
from rebeca.scorers.shared import located

P = TypeVar("P")


class FixedScorer(Scorer[NoParams]):
    """A scorer without parameters, whose needs and card are the same in every task."""

    NEEDS: ClassVar[frozenset[str]]
    CARD: ClassVar[ScorerCard]

    @classmethod
    def needs(cls, params: NoParams) -> frozenset[str]:
        return cls.NEEDS

    @classmethod
    def card(cls, params: NoParams) -> ScorerCard:
        return cls.CARD


class EveryoneScorer(FixedScorer):
    """A scorer that every user can be asked about every image."""

    judges_everyone = True

    def score(self, images: ScoredImages, users: Ints) -> Floats:
        return own_scores(lambda different: self.score_all(images, different), users)


def own_scores(table_of: Callable[[Ints], Floats], users: Ints) -> Floats:
    """Float [n]; image i by ``users[i]``, out of the table [different users, n] that ``table_of`` returns."""
    different, row = np.unique(users, return_inverse=True)
    return np.asarray(table_of(different)[row, np.arange(len(users))])


class PixelScorer(Scorer[P]):
    """A score that depends on the image alone: every different image is scored once, in batches."""

    @property
    def batch(self) -> int:
        return 64

    @abc.abstractmethod
    def score_pixels(self, images: list[Pixels]) -> Floats:
        """Float [n]; one number per image."""

    def score(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [n]; the user plays no part."""
        first, position = np.unique(images.unique, return_inverse=True)
        out = np.full(len(first), np.nan)
        for start in range(0, len(first), self.batch):
            rows = first[start : start + self.batch]
            out[start : start + len(rows)] = self.score_pixels([images.pixels_of(int(i)) for i in rows])
        return np.asarray(out[position])


def encoded(encoder: Encoder[Any], pixels_of: Callable[[int], Pixels], rows: Ints, items: Ints) -> Floats:
    """float32 [n, dim]; embeddings of rows. Of those whose item is known (not -1), the encoder is told which it is."""
    known = [item if item >= 0 else None for item in items.tolist()]
    return encoder.encode(LazyPixels(pixels_of, rows.tolist()), known)


def weights_fingerprint(scorer: str, weights: str, names: Sequence[str]) -> str:
    """Hash of published weights or of a file; arguments and errors as :func:`rebeca.scorers.shared.located`."""
    path = located(scorer, weights, names)
    return identity(weights) if is_published(weights) else file_hash(path)


def stand_in_fingerprint(name: str) -> str:
    """Hash of the weights of one of tinyworld's stand-ins, with the version of their layout."""
    from rebeca.tinyworld.models import LAYOUT, weights_file

    return f"{file_hash(weights_file(name))}/{LAYOUT}"
