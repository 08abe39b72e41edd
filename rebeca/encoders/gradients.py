"""Embeddings that torch can differentiate: for what changes images step by step, such as attacks on judges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from rebeca.errors import SpecError
from rebeca.interfaces import Encoder

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Differentiable", "differentiable"]


class Differentiable(Protocol):
    """An encoder whose embeddings have gradients with respect to pixels.

    Attributes:
        side: Side of the square that its network sees, pixels.
    """

    @property
    def side(self) -> int: ...

    def embed(self, images: Tensor) -> Tensor:
        """float32 [n, dim] of images of one size, float32 RGB [n, 3, height, width] from 0 to 1.

        They are resized in torch, where :meth:`rebeca.Encoder.encode` resizes with Pillow and rounds to whole grades.
        Images with the network's own side are not resized, and get the embeddings of ``encode`` but for rounding.
        """


def differentiable(encoder: Encoder[Any]) -> Differentiable:
    """The encoder itself, if its embeddings have gradients.

    Raises:
        SpecError: If they have none.

    Example:
        >>> import torch
        >>> from rebeca.encoders import make_encoder
        >>> from rebeca.encoders.gradients import differentiable
        >>> encoder = differentiable(make_encoder("tinyworld:auditor-encoder"))
        >>> image = torch.full((1, 3, 64, 64), 0.5, requires_grad=True)
        >>> encoder.embed(image)[0, 0].backward()
        >>> encoder.side, bool(image.grad.any())
        (64, True)
    """
    if not hasattr(type(encoder), "embed"):  # asked of the class, since asking for the side reads weights
        raise SpecError(
            f"encoder '{type(encoder).__name__}' has no gradients",
            hint="use tinyworld:<name>, transformers:<source> or efficientnet-lite0 to efficientnet-lite2",
        )
    return cast(Differentiable, encoder)


def resized(images: Tensor, height: int, width: int) -> Tensor:
    """float32 [n, 3, height, width]; bicubic with antialiasing, whose weights are Pillow's."""
    from torch.nn.functional import interpolate

    if images.shape[2:] == (height, width):
        return images
    small: Tensor = interpolate(images, size=(height, width), mode="bicubic", antialias=True, align_corners=False)
    return small.clamp(0, 1)
