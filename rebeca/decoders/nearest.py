"""Decoding to the nearest item: a generator without a GPU, as in the published synthetic experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rebeca.arrays import Floats, Ints, unit_rows
from rebeca.errors import PluginError
from rebeca.interfaces import Decoder, DecoderContext, GeneratedImage, Request, whole_users
from rebeca.ties import is_highest

Metric = Literal["euclidean", "cosine"]


@dataclass(frozen=True, slots=True)
class NearestParams:
    """Parameters of a task file.

    Attributes:
        metric: Distance in the prior's space.
        repeats: Whether a user may get the same item twice; without, items are chosen in replicate order.
    """

    metric: Metric = "euclidean"
    repeats: bool = False


class NearestItem(Decoder[NearestParams]):
    """Decodes every point to the nearest of the user's candidates."""

    Params = NearestParams

    def __init__(self, params: NearestParams, context: DecoderContext) -> None:
        super().__init__(params, context)
        self._points = context.space.forward(context.embeddings)
        self._index = {user: index for index, user in enumerate(context.candidates.user_ids)}

    @classmethod
    def repeats_with(cls, params: NearestParams) -> bool:
        return params.repeats

    def decode(self, points: Floats, requests: Sequence[Request]) -> list[GeneratedImage]:
        """One item per request; its ``embedding`` is the point in the encoder's space.

        Args:
            points: float [n, prior dim].
            requests: n requests of whole users.

        Raises:
            PluginError: If a user has fewer candidates than requests and repeats are not allowed.
        """
        context = self.context
        images: list[GeneratedImage] = []
        vectors = context.space.inverse(points)
        for group in whole_users(requests):
            rows = slice(len(images), len(images) + len(group))
            allowed = context.candidates.of(self._index[group[0].user])
            if not len(allowed) or (not self.params.repeats and len(allowed) < len(group)):
                raise PluginError(
                    f"user '{group[0].user}' has {len(allowed)} candidate items for {len(group)} requests",
                    hint="lower images, hold out more items, or set decoder.params.repeats: true",
                )
            chosen = nearest(points[rows], self._points[allowed], self.params)
            for vector, item in zip(vectors[rows], allowed[chosen].tolist(), strict=True):
                images.append(GeneratedImage(context.catalogue.pixels(item), np.asarray(vector, np.float32), item))
        return images


def nearest(points: Floats, candidates: Floats, params: NearestParams) -> Ints:
    """Int [n]; row of ``candidates`` [m, dim] nearest to each of ``points`` [n, dim]; ties go to the first row.

    In double precision, whatever the arguments: copies of one candidate must tie.
    """
    points, candidates = points.astype(np.float64), candidates.astype(np.float64)
    if params.metric == "cosine":
        points, candidates = unit_rows(points), unit_rows(candidates)
    distance = np.square(points).sum(axis=1)[:, None] - 2.0 * points @ candidates.T + np.square(candidates).sum(axis=1)
    if params.repeats:
        return is_highest(-distance).argmax(axis=1)
    chosen = np.empty(len(points), np.int64)
    for row in range(len(points)):
        chosen[row] = is_highest(-distance[row]).argmax()
        distance[:, chosen[row]] = np.inf
    return chosen
