"""What generators and decoders exchange with the harness: requests, images, and the space of a prior."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol, runtime_checkable

from rebeca.arrays import Floats, Pixels


@dataclass(frozen=True, slots=True)
class Request:
    """One image to be generated.

    Attributes:
        user: The user's id.
        replicate: 0 to K - 1, counted within the user.
        seed: The image's own seed; streams are derived with ``rebeca.seeds.substream``.

    Example:
        >>> import numpy as np
        >>> from rebeca import Request
        >>> request = Request("ann", replicate=0, seed=7)
        >>> int(np.random.default_rng(request.seed).integers(100))
        94
    """

    user: str
    replicate: int
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class GeneratedImage:
    """One image that a generator or decoder returns.

    Attributes:
        pixels: uint8 RGB, [height, width, 3].
        embedding: What it was decoded from, float32 [dim] in the space of the task's encoder, or None.
        item: Index in the catalogue where the image is an item of the data set, else None.

    Example:
        >>> import numpy as np
        >>> from rebeca import GeneratedImage
        >>> red = GeneratedImage(np.full((8, 8, 3), (255, 0, 0), np.uint8))
        >>> red.digest() == GeneratedImage(red.pixels.copy()).digest()
        True
        >>> print(red.item)
        None
    """

    pixels: Pixels
    embedding: Floats | None = None
    item: int | None = None

    def digest(self) -> str:
        """SHA-256 over shape and pixels."""
        from rebeca.pixels import pixels_digest

        return pixels_digest(self.pixels)


@runtime_checkable
class Space(Protocol):
    """Maps between an encoder's space and the space in which a prior works.

    A protocol: any class with both methods is one. :class:`~rebeca.LinearSpace` serves most priors.

    Example:
        >>> import numpy as np
        >>> from rebeca import Space
        >>> class Halved:
        ...     def forward(self, embeddings):
        ...         return embeddings / 2
        ...     def inverse(self, points):
        ...         return points * 2
        >>> isinstance(Halved(), Space)
        True
        >>> Halved().inverse(np.array([[0.5, 1.0]], np.float32))
        array([[1., 2.]], dtype=float32)
    """

    def forward(self, embeddings: Floats) -> Floats:
        """Encoder's space -> prior's space, [n, dim] -> [n, prior dim]."""

    def inverse(self, points: Floats) -> Floats:
        """Prior's space -> encoder's space, [n, prior dim] -> [n, dim]."""


def whole_users(requests: Iterable[Request]) -> list[list[Request]]:
    """Groups consecutive requests by user, in order.

    Example:
        >>> from rebeca import Request, whole_users
        >>> requests = [Request("ann", 0, seed=1), Request("ann", 1, seed=2), Request("bob", 0, seed=3)]
        >>> [(group[0].user, len(group)) for group in whole_users(requests)]
        [('ann', 2), ('bob', 1)]
    """
    return [list(group) for _, group in groupby(requests, key=lambda request: request.user)]
