"""Entry points of the project's own encoders: each takes the text after the colon and the ``params`` of a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rebeca.errors import SpecError, did_you_mean
from rebeca.interfaces import Encoder

TOWERS = ("vit-h", "vit-g", "vit-l")
"""Published image towers."""


def efficientnet_lite0(argument: str, device: str, **params: Any) -> Encoder:
    """``efficientnet-lite0``."""
    return _efficientnet(0, argument, device, params)


def efficientnet_lite1(argument: str, device: str, **params: Any) -> Encoder:
    """``efficientnet-lite1``."""
    return _efficientnet(1, argument, device, params)


def efficientnet_lite2(argument: str, device: str, **params: Any) -> Encoder:
    """``efficientnet-lite2``."""
    return _efficientnet(2, argument, device, params)


def open_clip(argument: str, device: str, **params: Any) -> Encoder:
    """``open_clip:<model>/<pretrained>``."""
    _no_params("open_clip", params)
    from rebeca.encoders.clip import OpenClipEncoder

    model, slash, pretrained = argument.partition("/")
    if not slash or not pretrained:
        raise SpecError(f"encoder 'open_clip:{argument}' names no weights", hint="write open_clip:<model>/<pretrained>")
    return OpenClipEncoder(model, pretrained, device)


def transformers(argument: str, device: str, **params: Any) -> Encoder:
    """``transformers:<repository or folder>``."""
    _no_params("transformers", params)
    from rebeca.encoders.clip import TransformersEncoder

    return TransformersEncoder(argument, device)


def tinyworld(argument: str, device: str, **params: Any) -> Encoder:
    """``tinyworld:<eyes>``: one of the miniature's three CLIPs."""
    _no_params("tinyworld", params)
    from rebeca.encoders.clip import TransformersEncoder
    from rebeca.tinyworld.models import EYES, layouts

    if argument not in EYES:
        raise SpecError(f"encoder 'tinyworld:{argument}' is unknown", hint=did_you_mean(argument, EYES))
    return TransformersEncoder(str(layouts() / "clip" / argument), device, f"tinyworld:{argument}")


def published(argument: str, device: str, **params: Any) -> Encoder:
    """``published:vit-h``, ``vit-g`` or ``vit-l``, with ``dtype`` and ``batch``."""
    unknown = sorted(set(params) - {"dtype", "batch"})
    if unknown:
        raise SpecError(f"encoder 'published' has no parameter '{unknown[0]}'", hint="allowed: batch, dtype")
    if argument not in TOWERS:
        raise SpecError(f"encoder 'published:{argument}' is unknown", hint=did_you_mean(argument, TOWERS))
    from rebeca.encoders.published import PublishedEncoder

    return PublishedEncoder(argument, device, **params)


def precomputed(argument: str, device: str, **params: Any) -> Encoder:
    """``precomputed:<file.npy>``."""
    _no_params("precomputed", params)
    from rebeca.encoders.precomputed import Precomputed

    return Precomputed(Path(argument))


def fourier(argument: str, device: str, **params: Any) -> Encoder:
    """``fourier:<size>``, 32 by default."""
    _no_params("fourier", params)
    from rebeca.encoders.simple import FourierEncoder

    return FourierEncoder(_positive("fourier", argument, 32))


def autoencoder(argument: str, device: str, **params: Any) -> Encoder:
    """``autoencoder:<latent>``, 16 by default, with ``epochs``, ``batch`` and ``lr``."""
    unknown = sorted(set(params) - {"epochs", "batch", "lr"})
    if unknown:
        raise SpecError(f"encoder 'autoencoder' has no parameter '{unknown[0]}'", hint="allowed: batch, epochs, lr")
    from rebeca.encoders.autoencoder import AutoencoderEncoder

    return AutoencoderEncoder(_positive("autoencoder", argument, 16), device=device, **params)


def _efficientnet(variant: int, argument: str, device: str, params: dict[str, Any]) -> Encoder:
    name = f"efficientnet-lite{variant}"
    if argument:
        raise SpecError(f"encoder '{name}' takes nothing after a colon, found '{argument}'")
    _no_params(name, params)
    from rebeca.encoders.efficientnet import EfficientNetLite

    return EfficientNetLite(variant, device)


def _no_params(name: str, params: dict[str, Any]) -> None:
    if params:
        raise SpecError(f"encoder '{name}' has no parameter '{sorted(params)[0]}'", hint="it has none at all")


def _positive(name: str, argument: str, default: int) -> int:
    if not argument:
        return default
    if not argument.isdigit() or int(argument) < 1:
        raise SpecError(f"encoder '{name}:{argument}': expected a positive whole number after the colon")
    return int(argument)
