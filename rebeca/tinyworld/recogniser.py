"""Reads from pixels what a postcard shows, for the world's users and for nobody else.

A small convolutional network with a seed, an architecture and postcards of its own. No judge and no generator may use
it: whoever knows what users see can please them without a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rebeca.arrays import Floats, Pixels
from rebeca.tinyworld.contents import CLASSES, NUMBERS
from rebeca.tinyworld.models import WEIGHTS, by_parts, read_part, scaled
from rebeca.tinyworld.scenes import SIZE, require_postcards

if TYPE_CHECKING:
    from torch import Tensor

PART = "recogniser"
WIDTHS = (24, 32, 48, 64)
"""Channels of the stages, each of half the side of the one before."""
PLACES = 16
"""Channels that are read place by place."""
HIDDEN = 96
GROUPS = 8
BATCH = 64


@dataclass(frozen=True, slots=True, eq=False)
class Recognised:
    """What n images show, as far as can be seen.

    Attributes:
        chances: By content, see :data:`rebeca.tinyworld.contents.CLASSES`: float64 [n, classes], rows sum to 1.
        numbers: float64 [n, 5], in the order of :data:`rebeca.tinyworld.contents.NUMBERS`, in spreads from the centre.
    """

    chances: dict[str, Floats]
    numbers: Floats


def recognise(postcards: Pixels) -> Recognised:
    """Reads images of the postcards' size, uint8 [n, 64, 64, 3].

    Computed in double precision, so that another processor or another batch hardly ever changes a rating.

    Raises:
        ValueError: If they are other arrays. Floats from 0 to 1 would be read as almost black images.
    """
    import torch

    require_postcards(postcards)
    model = _trained()
    with torch.inference_mode():
        batches = torch.from_numpy(postcards).split(BATCH)
        values = torch.cat([model(scaled(batch.double())) for batch in batches])
    *logits, numbers = values.split([*CLASSES.values(), len(NUMBERS)], dim=1)
    chances = {name: part.softmax(dim=1).numpy() for name, part in zip(CLASSES, logits, strict=True)}
    return Recognised(chances, numbers.numpy())


def build() -> Any:
    """The network, with random weights: images [n, 3, 64, 64] to logits of all classes, then the numbers."""
    import torch
    from torch import nn

    def stage(before: int, width: int) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for channels, stride in ((before, 2), (width, 1)):
            layers += [nn.Conv2d(channels, width, 3, stride, 1), nn.GroupNorm(GROUPS, width), nn.SiLU()]
        return layers

    class Recogniser(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            first = WIDTHS[0]
            body: list[nn.Module] = [nn.Conv2d(3, first, 3, 1, 1), nn.GroupNorm(GROUPS, first), nn.SiLU()]
            for before, width in pairwise(WIDTHS):
                body += stage(before, width)
            self.body = nn.Sequential(*body)
            self.places = nn.Conv2d(WIDTHS[-1], PLACES, 1)
            side = SIZE // 2 ** (len(WIDTHS) - 1)
            self.head = nn.Sequential(
                nn.Linear(2 * WIDTHS[-1] + PLACES * side * side, HIDDEN),
                nn.SiLU(),
                nn.Linear(HIDDEN, sum(CLASSES.values()) + len(NUMBERS)),
            )

        def forward(self, images: Tensor) -> Tensor:
            seen = by_parts(self.body, images)
            parts = (seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3)), self.places(seen).flatten(1))
            out: Tensor = self.head(torch.cat(parts, dim=1))
            return out

    return Recogniser()


@cache
def _trained() -> Any:
    model = build()
    model.load_state_dict(read_part(WEIGHTS, PART))
    return model.double().eval()
