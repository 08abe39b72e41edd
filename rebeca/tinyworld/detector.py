"""Tells postcards from images that merely have their statistics: a small network that was trained on both.

Outlier exposure (Hendrycks, Mazeika and Dietterich 2019, arXiv 1812.04606), with outliers that people or models could
make: gradients, drawings, means of postcards, shuffled blocks, random fields, and the like.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from rebeca.arrays import Floats, Pixels
from rebeca.tinyworld.models import WEIGHTS, by_parts, read_part, scaled
from rebeca.tinyworld.scenes import SIZE, require_postcards

if TYPE_CHECKING:
    from torch import Tensor

PART = "detector"
WIDTHS = (12, 20, 28, 32)
"""Channels of the stages; all but the last halve the side."""
GROUPS = 4
BATCH = 64


def postcard_scores(postcards: Pixels) -> Floats:
    """float64 [n]; the higher, the more an image of the postcards' size, uint8 [n, 64, 64, 3], looks like a postcard.

    Log odds less those that almost all postcards exceed, so that a postcard has 0 or more. Computed in double
    precision, so that another processor or another batch hardly ever changes a verdict.

    Raises:
        ValueError: If they are other arrays.
    """
    import torch

    require_postcards(postcards)
    model = _trained()
    with torch.inference_mode():
        batches = torch.from_numpy(postcards).split(BATCH)
        values: Floats = torch.cat([model(scaled(batch.double())) for batch in batches]).numpy()
    return values


def build() -> Any:
    """The network, with random weights: images [n, 3, 64, 64] in [-1, 1] to log odds [n]."""
    import torch
    from torch import nn

    class Detector(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers: list[nn.Module] = []
            before = 3
            for stage, width in enumerate(WIDTHS):
                size, stride = (5 if stage == 0 else 3), (1 if stage == len(WIDTHS) - 1 else 2)
                layers += [nn.Conv2d(before, width, size, stride, size // 2), nn.GroupNorm(GROUPS, width), nn.SiLU()]
                before = width
            self.body = nn.Sequential(*layers)
            side = SIZE // 2 ** (len(WIDTHS) - 1)
            self.head = nn.Linear(before * (side**2 + 2), 1)

        def forward(self, images: Tensor) -> Tensor:
            seen = by_parts(self.body, images)
            parts = (seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3)), seen.flatten(1))
            out: Tensor = self.head(torch.cat(parts, dim=1))[:, 0]
            return out

    return Detector()


@cache
def _trained() -> Any:
    model = build()
    model.load_state_dict(read_part(WEIGHTS, PART))
    return model.double().eval()
