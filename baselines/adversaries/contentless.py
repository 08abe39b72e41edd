"""Images without content: two colours that fade into each other, the best of thousands for every user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from baselines.adversaries.adversary import Adversary
from baselines.adversaries.surrogates import (
    Surrogate,
    anchored,
    as_square,
    encode_items,
    encoders_of,
    weights_fingerprint,
)
from baselines.catalogue import best_positions
from rebeca.arrays import Floats, Pixels
from rebeca.data.interactions import Interactions
from rebeca.errors import PluginError
from rebeca.interfaces import GeneratedImage, GeneratorContext, Request
from rebeca.params import Count

SIDE = 64
"""Of the gradients that are scored, pixels; those that are shown have the size of the first item."""
STATISTICS_SIDE = 32
PARAMETERS = 7
"""Of a gradient: two colours and a direction."""


@dataclass(frozen=True, slots=True)
class ContentlessParams:
    """Parameters of a task file.

    Attributes:
        surrogates: Encoders in whose spaces surrogates score; by default a surrogate on statistics of light and colour.
        count: Gradients to choose from.
    """

    surrogates: tuple[str, ...] = ()
    count: Count = 4000


class ContentlessAttack(Adversary[ContentlessParams]):
    Params = ContentlessParams

    def __init__(self, params: ContentlessParams, context: GeneratorContext) -> None:
        super().__init__(params, context)
        self._scores: Floats | None = None

    @classmethod
    def fingerprint(cls, params: ContentlessParams) -> str:
        return weights_fingerprint(params.surrogates)

    def fit(self, train: Interactions) -> None:
        """Scores the same gradients, drawn once, for all users."""
        ratings, items = anchored(train)
        images = [gradient(p, SIDE, SIDE) for p in drawn_gradients(self.params.count)]
        catalogue = self.context.catalogue
        spaces = [
            (encode_items(encoder, catalogue, items), encoder.encode(images))
            for encoder in encoders_of(self.params.surrogates, self.context.device)
        ] or [(statistics([catalogue.pixels(int(item)) for item in items]), statistics(images))]
        scaled = not self.params.surrogates
        scores = [Surrogate.fit(ratings, items, known, scaled).scores(new) for known, new in spaces]
        self._scores = np.mean(scores, axis=0).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Writes scores, float32 [users, count]."""
        np.save(folder / "scores.npy", np.asarray(self._scores))

    def load(self, folder: Path) -> None:
        self._scores = np.load(folder / "scores.npy", allow_pickle=False)

    def images_of(self, user: int, group: Sequence[Request]) -> Sequence[GeneratedImage | None]:
        """The user's best gradients, best first."""
        if self._scores is None:
            raise PluginError("it was asked to generate before it was fitted or loaded")
        if self.params.count < len(group):
            raise PluginError(f"it chooses from {self.params.count} gradients for {len(group)} requests")
        best = drawn_gradients(self.params.count)[best_positions(self._scores[user], group)]
        height, width = self.context.catalogue.pixels(0).shape[:2]
        return [GeneratedImage(gradient(parameters, height, width)) for parameters in best]


def drawn_gradients(count: int) -> Floats:
    """float64 [count, 7]; two colours from 0 to 255, and a direction as an angle."""
    drawn = np.random.default_rng(0).random((count, PARAMETERS))
    return drawn * np.array([*[255.0] * 6, 2 * np.pi])


def gradient(parameters: Floats, height: int, width: int) -> Pixels:
    """uint8 [height, width, 3]; the first colour fades into the second along the direction."""
    down, across = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    along = down * np.sin(parameters[6]) + across * np.cos(parameters[6])
    share = ((along - along.min()) / max(float(np.ptp(along)), 1e-9))[..., None]
    colours: Pixels = np.round(parameters[:3] * (1 - share) + parameters[3:6] * share).astype(np.uint8)
    return colours


def statistics(images: Sequence[Pixels]) -> Floats:
    """float64 [n, 12]; means and spreads of light and colour, saturation, and how much is greenest or bluest.

    Per opponent colour (light, red against green, yellow against blue) also the difference between top and bottom.
    """
    return np.array([_statistics(as_square(image, STATISTICS_SIDE)) for image in images])


def _statistics(image: Pixels) -> list[float]:
    rgb = image / 255
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    opponents = [(red + green + blue) / 3, red - green, (red + green) / 2 - blue]
    half = len(image) // 2
    return [
        *(float(plane.mean()) for plane in opponents),
        *(float(plane.std()) for plane in opponents),
        *(float(plane[:half].mean() - plane[half:].mean()) for plane in opponents),
        float(np.ptp(rgb, axis=2).mean()),
        float((green > np.maximum(red, blue)).mean()),
        float((blue > np.maximum(red, green)).mean()),
    ]
