"""A decoder: shows one of the items nearest to a point, drawn at random.

What to change: the parameters, and ``decode`` (how a point becomes an image).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rebeca import Decoder, GeneratedImage, Request
from rebeca.arrays import Floats, Ints
from rebeca.params import Count
from rebeca.seeds import substream


@dataclass(frozen=True)
class MyPluginParams:
    """What a task file can set under ``params``.

    Attributes:
        nearest: Items per point among which one is drawn.
    """

    nearest: Count = 5


class MyPlugin(Decoder[MyPluginParams]):
    """Shows one of the candidates nearest to a point, drawn at random."""

    Params = MyPluginParams

    def decode(
        self, points: Floats, requests: Sequence[Request]
    ) -> Iterator[GeneratedImage | None]:
        context = self.context
        rows = {user: row for row, user in enumerate(context.candidates.user_ids)}
        # Points lie in the generator's space; this is how to get to the encoder's.
        vectors = context.space.inverse(points).astype(np.float32)
        for vector, request in zip(vectors, requests, strict=True):
            items = context.candidates.of(rows[request.user])
            if not len(items):
                yield None  # no image for this request
                continue
            order = by_distance(context.embeddings[items], vector)
            # One random stream per image: it depends on no other request.
            rng = np.random.default_rng(substream(request.seed, "my-plugin"))
            item = int(items[rng.choice(order[: self.params.nearest])])
            # An image that is no item of the data set has pixels of its own, uint8 RGB
            # [height, width, 3], and no item.
            yield GeneratedImage(context.catalogue.pixels(item), vector, item)


def by_distance(embeddings: Floats, vector: Floats) -> Ints:
    """Rows of embeddings, the nearest to the vector first, int [n].

    Args:
        embeddings: float [n, dim].
        vector: float [dim].
    """
    distances = np.square(embeddings - vector, dtype=np.float64).sum(axis=1)
    return np.argsort(distances, kind="stable")
