"""Image encoders: images to vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

from rebeca.device import check_device
from rebeca.errors import SpecError, did_you_mean
from rebeca.guards import checked_class, guarded
from rebeca.interfaces import Encoder, EncoderContext
from rebeca.params import make_params
from rebeca.registered import registered

__all__ = ["make_encoder"]


def make_encoder(
    name: str, device: str = "cpu", *, of: Encoder[Any] | None = None, **params: float | str | bool | None
) -> Encoder[Any]:
    """Builds an image encoder by the name that a task would use; it reads its weights when it is first asked.

    Its ``encode`` takes what :func:`rebeca.images.read_images` returns and gives float32 [n, dim], such as
    ``rebeca.Prior.fit`` needs.

    Args:
        name: Such as ``published:vit-h``, ``open_clip:ViT-B-32-quickgelu/openai``, ``transformers:FOLDER`` or
            ``tinyworld:prior-encoder``, a small one that comes with the package.
        device: Torch device.
        of: The encoder below it, for those that need one, such as ``pca:16``.
        **params: Further parameters of the encoder.

    Raises:
        SpecError: If no encoder has this name, or a parameter does not fit.
        PluginError: If a plug-in cannot be imported or built.

    Example:
        >>> import numpy as np
        >>> from rebeca.encoders import make_encoder
        >>> from rebeca.images import read_images
        >>> images = read_images([np.zeros((64, 64, 3), np.uint8), np.full((32, 48), 255, np.uint8)])
        >>> make_encoder("tinyworld:prior-encoder").encode(images).shape
        (2, 96)
    """
    check_device(device)
    points = registered("encoders")
    use = str(name).partition(":")[0]
    if use not in points:
        raise SpecError(f"no encoder is called '{use}'", hint=did_you_mean(use, points))
    with guarded("encoder", use):
        kind: type[Encoder[Any]] = checked_class(points[use][0].load(), (Encoder,), f"encoder '{use}'")
    if (of is not None) != kind.TAKES_ENCODER:
        needs = "needs an encoder below it" if of is None else "takes no encoder below it"
        raise SpecError(f"encoder '{name}' {needs}", hint="of=make_encoder(...)" if of is None else "leave out of")
    read = make_params(kind.Params, with_argument(kind, name, params), f"encoder '{name}'")
    with guarded("encoder", use):
        return kind(read, EncoderContext(device, of))


def with_argument(kind: type[Encoder[Any]], name: str, params: Mapping[str, object]) -> dict[str, object]:
    """Parameters of an encoder, with the one that stands after the colon of its name.

    Raises:
        SpecError: If the encoder takes nothing there, or the parameter is given twice.
    """
    use, colon, argument = name.partition(":")
    if not colon:
        return dict(params)
    if kind.ARGUMENT is None:
        raise SpecError(f"encoder '{use}' takes nothing after a colon, found '{argument}'")
    if kind.ARGUMENT in params:
        raise SpecError(f"encoder '{name}': params.{kind.ARGUMENT} is already given after the colon")
    whole = argument.isascii() and argument.isdigit() and get_type_hints(kind.Params)[kind.ARGUMENT] is int
    return {**params, kind.ARGUMENT: int(argument) if whole else argument}
