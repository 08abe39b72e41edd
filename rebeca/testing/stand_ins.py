"""Plug-ins of the contract tests' world: what stands in for a task's encoder, decoder and judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from rebeca.arrays import Floats, Ints, Pixels
from rebeca.data.splits import Part
from rebeca.interfaces import Decoder, Encoder, GeneratedImage, Judge, NoParams, Request
from rebeca.seeds import seed_of


class Colours(Encoder[NoParams]):
    """The world's encoder: mean and spread of the colours, and where an image is bright."""

    @property
    def dim(self) -> int:
        return 8

    def encode(self, images: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        out = np.empty((len(images), 8), np.float32)
        for row, image in enumerate(images):
            values = image / 255.0
            grey = values.mean(axis=2)
            down, right = (np.linspace(-1, 1, size) for size in grey.shape)
            where = [(grey * down[:, None]).mean(), (grey * right).mean()]
            out[row] = [*values.mean(axis=(0, 1)), *values.std(axis=(0, 1)), *where]
        return out


class Noise(Decoder[NoParams]):
    """The world's decoder: noise of the embedding's colours, or of a prompt's."""

    def decode(self, points: Floats, requests: Sequence[Request]) -> Iterator[GeneratedImage]:
        for vector, request in zip(self.context.space.inverse(points), requests, strict=True):
            yield GeneratedImage(_noise(np.resize(vector, 3), request.seed), np.asarray(vector, np.float32))

    def decode_prompts(
        self, prompts: Sequence[str], negative_prompts: Sequence[str], requests: Sequence[Request]
    ) -> Iterator[GeneratedImage]:
        for prompt, negative, request in zip(prompts, negative_prompts, requests, strict=True):
            colour = np.random.default_rng(seed_of(prompt, negative)).random(3)
            yield GeneratedImage(_noise(colour, request.seed))


class Liking(Judge[NoParams]):
    """The world's judge: a like is likely near the mean of the user's likes."""

    def fit(self, part: Part, embeddings: Floats) -> None:
        likes = part.train.where(part.train.liked)
        sums = np.zeros((part.train.num_users, embeddings.shape[1]))
        np.add.at(sums, likes.user, embeddings[likes.item])
        self._means = sums / np.maximum(likes.ratings_per_user(), 1)[:, None]

    def save(self, folder: Path) -> None:
        np.save(folder / "means.npy", self._means)

    def load(self, folder: Path) -> None:
        self._means = np.load(folder / "means.npy")

    def score_all(self, embeddings: Floats, users: Ints | None = None) -> Floats:
        means = self._means if users is None else self._means[users]
        return np.asarray(np.exp(-np.square(means[:, None] - embeddings[None]).sum(axis=2)))


def _noise(colour: Floats, seed: int) -> Pixels:
    """uint8 [16, 16, 3]; noise around a colour with components of about 0 to 1."""
    level = np.clip(200 * np.nan_to_num(colour), 0, 200)
    return (level + np.random.default_rng(seed).integers(0, 50, (16, 16, 3))).astype(np.uint8)
