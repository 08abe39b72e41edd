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
    """Maps between an encoder's space and the space in which a prior works."""

    def forward(self, embeddings: Floats) -> Floats:
        """Encoder's space -> prior's space, [n, dim] -> [n, prior dim]."""

    def inverse(self, points: Floats) -> Floats:
        """Prior's space -> encoder's space, [n, prior dim] -> [n, dim]."""


def whole_users(requests: Iterable[Request]) -> list[list[Request]]:
    """Groups consecutive requests by user, in order."""
    return [list(group) for _, group in groupby(requests, key=lambda request: request.user)]
