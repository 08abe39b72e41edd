"""Decoding to the nearest catalogue picture: a generator without a GPU, as in the published synthetic experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rebeca.arrays import Floats, Ints, unit_rows
from rebeca.data.catalogue import Candidates, Catalogue
from rebeca.errors import GeneratorError
from rebeca.interfaces import Decoder, Picture, Request, Space, whole_users
from rebeca.ties import is_highest

Metric = Literal["euclidean", "cosine"]


@dataclass(frozen=True, slots=True)
class NearestParams:
    """Parameters of a task file.

    Attributes:
        metric: Distance in the prior's space.
        repeats: Whether a person may get the same picture twice; without, pictures are chosen in replicate order.
    """

    metric: Metric = "euclidean"
    repeats: bool = False


class NearestPicture(Decoder):
    """Answers every point with the nearest of the person's candidates."""

    Params = NearestParams

    def __init__(
        self,
        catalogue: Catalogue,
        points: Floats,
        candidates: Candidates,
        params: NearestParams | None = None,
        space: Space | None = None,
    ) -> None:
        """Prepares the decoder.

        Args:
            catalogue: The pictures.
            points: float [items, prior dim]; the catalogue in the prior's space.
            candidates: Who may be shown what.
            params: Metric and repeats.
            space: The prior's; None where it is the encoder's own.
        """
        self.catalogue = catalogue
        self.points = points
        self.candidates = candidates
        self.params = params or NearestParams()
        self.space = space
        self._index = {user: index for index, user in enumerate(candidates.user_ids)}

    @classmethod
    def bind(
        cls,
        catalogue: Catalogue,
        embeddings: Floats,
        candidates: Candidates,
        params: NearestParams,
        space: Space,
        device: str,
    ) -> NearestPicture:
        """The decoder for a prior that works in ``space``; ``embeddings`` are the catalogue in the encoder's space."""
        return cls(catalogue, space.forward(embeddings), candidates, params, space)

    def decode(self, points: Floats, requests: Sequence[Request]) -> list[Picture]:
        """One picture a request; the point, in the encoder's space, is kept as the picture's embedding.

        Raises:
            GeneratorError: If a person has fewer candidates than requests and repeats are not allowed.
        """
        pictures: list[Picture] = []
        vectors = points if self.space is None else self.space.inverse(points)
        start = 0
        for group in whole_users(requests):
            own, kept = points[start : start + len(group)], vectors[start : start + len(group)]
            start += len(group)
            allowed = self.candidates.of(self._index[group[0].user])
            if not len(allowed) or (not self.params.repeats and len(allowed) < len(group)):
                raise GeneratorError(
                    f"user '{group[0].user}' has {len(allowed)} candidate pictures for {len(group)} requests",
                    hint="lower pictures, hold out more items, or set decoder.params.repeats: true",
                )
            chosen = nearest(own, self.points[allowed], self.params)
            for vector, item in zip(kept, allowed[chosen], strict=True):
                pictures.append(Picture(self.catalogue.pixels(int(item)), np.asarray(vector, np.float32), int(item)))
        return pictures


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
