"""Encoders: images to embeddings."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from rebeca.arrays import Floats, Pixels
from rebeca.errors import PluginError
from rebeca.interfaces.plugin import Plugin

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class EncoderContext:
    """What an encoder is given.

    Attributes:
        device: Torch device name.
        base: The encoder that the task names with ``of``, where the class sets ``TAKES_ENCODER``.

    Example:
        >>> from rebeca import EncoderContext
        >>> EncoderContext(device="cuda:0").device
        'cuda:0'
        >>> EncoderContext().below
        Traceback (most recent call last):
        ...
        rebeca.errors.PluginError: it uses an encoder below it, and the class does not set TAKES_ENCODER = True
    """

    device: str = "cpu"
    base: Encoder[Any] | None = None

    @property
    def below(self) -> Encoder[Any]:
        """The encoder below this one.

        Raises:
            PluginError: If the class does not set ``TAKES_ENCODER``.
        """
        if self.base is None:
            raise PluginError("it uses an encoder below it, and the class does not set TAKES_ENCODER = True")
        return self.base


class Encoder(Plugin[P, EncoderContext]):
    """Turns images into embeddings.

    A task names it as ``encoder: "thumbnail:8"`` or ``encoder: {use: "thumbnail:8", params: {...}}``; the text after
    the colon is the parameter that :attr:`ARGUMENT` names.

    Example:
        >>> import numpy as np
        >>> from dataclasses import dataclass
        >>> from rebeca import Encoder, EncoderContext
        >>> @dataclass(frozen=True)
        ... class ThumbnailParams:
        ...     side: int = 8
        >>> class Thumbnail(Encoder[ThumbnailParams]):
        ...     Params = ThumbnailParams
        ...     ARGUMENT = "side"
        ...     @property
        ...     def dim(self):
        ...         return 3 * self.params.side**2
        ...     def encode(self, images, items=None):
        ...         small = []
        ...         for image in images:
        ...             rows, columns = (np.linspace(0, n - 1, self.params.side).astype(int) for n in image.shape[:2])
        ...             small.append(image[rows][:, columns])
        ...         return np.stack(small).reshape(len(images), self.dim).astype(np.float32) / 255
        >>> encoder = Thumbnail(ThumbnailParams(side=4), EncoderContext())
        >>> encoder.encode([np.zeros((32, 32, 3), np.uint8)]).shape
        (1, 48)

    Attributes:
        ARGUMENT: Field of ``Params`` that the text after the colon sets; None where no text may stand there.
        TAKES_ENCODER: Whether the task must name an encoder below this one with ``of``.
    """

    ARGUMENT: ClassVar[str | None] = None
    TAKES_ENCODER: ClassVar[bool] = False

    @classmethod
    def space(cls, params: P) -> str:
        """Name of the space of its embeddings, where another encoder has the same one; empty for a space of its own."""
        return ""

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """Length of an embedding; asked after :meth:`fit` where the encoder learns."""

    @abc.abstractmethod
    def encode(self, images: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        """Encodes images, finite float32 [n, dim].

        Args:
            images: n images, uint8 RGB [height, width, 3] of any size.
            items: Index in the catalogue of every image that is an item of the data set, where known.
        """

    @classmethod
    def learns(cls, params: P) -> bool:
        """Whether :meth:`fit` does anything."""
        return False

    def fit(self, images: Sequence[Pixels], items: Sequence[int], seed: int) -> None:
        """Learns from images of training items, never from held-out ones; called where :meth:`learns` says so.

        Args:
            images: n images.
            items: Their indices in the catalogue, int [n].
            seed: Seed of the fit.
        """
