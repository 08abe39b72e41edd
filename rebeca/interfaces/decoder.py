"""Decoders: embeddings, or prompts, to images."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from rebeca.arrays import Floats
from rebeca.errors import PluginError
from rebeca.interfaces.images import GeneratedImage, Request, Space
from rebeca.interfaces.plugin import Plugin

if TYPE_CHECKING:
    from rebeca.data.catalogue import Candidates, Catalogue

P = TypeVar("P")


@dataclass(frozen=True, slots=True, eq=False)
class DecoderContext:
    """What a decoder is given.

    Attributes:
        catalogue: All items of the data set, without ratings and captions.
        embeddings: The catalogue in the space of the task's encoder, float32 [items, dim].
        candidates: Which items may be shown to whom.
        space: Maps between the encoder's space and the one in which the generator's points lie.
        device: Torch device name.

    Example:
        >>> from rebeca import DecoderContext, LinearSpace
        >>> context = DecoderContext.alone(LinearSpace())
        >>> len(context.catalogue), context.device
        (0, 'cpu')
    """

    catalogue: Catalogue
    embeddings: Floats
    candidates: Candidates
    space: Space
    device: str = "cpu"

    @classmethod
    def alone(cls, space: Space, device: str = "cpu") -> DecoderContext:
        """A context without items, for decoders that do not choose among them, outside of any task."""
        from rebeca.data.dataset import no_data

        data = no_data()
        return cls(data.catalogue, np.zeros((0, 0), np.float32), data.all_candidates(), space, device)


class Decoder(Plugin[P, DecoderContext]):
    """Turns points of a generator's embedding space into images.

    Example:
        >>> import numpy as np
        >>> from dataclasses import dataclass
        >>> from rebeca import Decoder, DecoderContext, GeneratedImage, LinearSpace, Request
        >>> @dataclass(frozen=True)
        ... class StripesParams:
        ...     side: int = 16
        >>> class Stripes(Decoder[StripesParams]):
        ...     Params = StripesParams
        ...     def decode(self, points, requests):
        ...         for vector in self.context.space.inverse(points):
        ...             levels = np.interp(np.linspace(0, 1, self.params.side), np.linspace(0, 1, len(vector)), vector)
        ...             grey = np.clip(128 + 64 * levels, 0, 255).astype(np.uint8)
        ...             pixels = np.broadcast_to(grey[:, None, None], (len(grey), len(grey), 3))
        ...             yield GeneratedImage(pixels.copy(), embedding=vector.astype(np.float32))
        >>> stripes = Stripes(StripesParams(side=3), DecoderContext.alone(LinearSpace()))
        >>> [image] = stripes.decode(np.array([[-1.0, 1.0]]), [Request("ann", replicate=0, seed=1)])
        >>> image.pixels[:, 0, 0].tolist()
        [64, 128, 192]
    """

    @classmethod
    def space(cls, params: P) -> str:
        """The encoder whose embeddings it decodes, as tasks name it; empty if it takes any, or nobody can know."""
        return ""

    @abc.abstractmethod
    def decode(self, points: Floats, requests: Sequence[Request]) -> Iterable[GeneratedImage | None]:
        """Decodes points into n images, None where one failed.

        Images may come one after another, so a caller that needs them all makes a list.

        Args:
            points: float [n, prior dim].
            requests: n requests of whole users in order; take randomness from their seeds.
        """

    def decode_prompts(
        self, prompts: Sequence[str], negative_prompts: Sequence[str], requests: Sequence[Request]
    ) -> Iterable[GeneratedImage | None]:
        """Generates n images from text alone, None where one failed.

        Raises:
            PluginError: If this decoder reads no text.
        """
        raise PluginError(
            f"the decoder {type(self).__name__} reads no text", hint="use stable-diffusion-ip-adapter with prompts"
        )

    @classmethod
    def repeats_with(cls, params: P) -> bool:
        """Whether one user may get the same image twice in one call of :meth:`decode`."""
        return True

    @property
    def repeats(self) -> bool:
        """The answer of :meth:`repeats_with` for these parameters."""
        return self.repeats_with(self.params)

    @classmethod
    def cut(cls, params: P, prompts: Sequence[str]) -> Sequence[str] | None:
        """Those of the prompts, and of its own, that are longer than its text encoder reads.

        Returns:
            None if this machine does not have what it takes to count.
        """
        return ()

    def rehearse(self, batch: int | None = None) -> int | None:
        """Finds how many images fit into one batch, before the first one counts; None where it does not matter.

        Args:
            batch: What an earlier rehearsal on this kind of device found; it is used again.
        """
        return None
