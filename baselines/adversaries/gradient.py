"""Gradient attacks: random items, changed a little by ascending the gradient of surrogates of the judge.

Projected gradient ascent on signs (Madry et al. 2018, arXiv 1706.06083), optionally through random transformations
(Athalye et al. 2018, arXiv 1707.07397). Surrogates are fitted to the training ratings in the spaces of encoders that
torch can differentiate, and confirming judges with other seeds stand for the one that nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baselines.adversaries.adversary import Adversary
from baselines.adversaries.patches import PatchSurrogate
from baselines.adversaries.surrogates import (
    Surrogate,
    anchored,
    as_square,
    encode_items,
    encoders_of,
    weights_fingerprint,
)
from baselines.catalogue import candidates_for, drawn_items
from rebeca.arrays import Pixels
from rebeca.data.interactions import Interactions
from rebeca.encoders.gradients import differentiable, resized
from rebeca.errors import PluginError
from rebeca.interfaces import GeneratedImage, GeneratorContext, Request
from rebeca.params import Count, Whole
from rebeca.scorers.confirming import ConfirmingJudge, thumbnails
from rebeca.seeds import seed_of, substream, torch_generator

if TYPE_CHECKING:
    import torch
    from torch import Tensor

TensorScores = Callable[["Tensor"], "Tensor"]
"""float32 [n, 3, height, width] from 0 to 1 -> float32 [n]."""
MARGIN = 2.5
"""All steps together are so many times the budget long, so that a pixel can cross it and turn (Madry et al. 2018)."""
ALONE = 64
"""Side of the images where no encoder has one."""
NOISE, SHIFT, ZOOM = 0.02, 1 / 20, 0.1
"""Of transformations: deviation of pixels from 0 to 1, largest shift and largest change of size as shares of a side."""


@dataclass(frozen=True, slots=True)
class GradientParams:
    """Parameters of a task file.

    Attributes:
        surrogates: Encoders in whose spaces surrogates are fitted, such as ``tinyworld:verifier-encoder``.
        budget: Largest change of a pixel, of 255.
        steps: Gradient steps.
        augment: Whether every step goes through a random shift, change of size and noise.
        patch_nets: Networks of random patches that are attacked as well, one per step in turn.
    """

    surrogates: tuple[str, ...] = ()
    budget: Count = 8
    steps: Count = 30
    augment: bool = False
    patch_nets: Whole = 0

    def __post_init__(self) -> None:
        if not self.surrogates and not self.patch_nets:
            raise ValueError("name encoders in surrogates, or give a number of patch_nets")
        if self.budget > 255:
            raise ValueError(f"budget: a pixel has 256 grades, found {self.budget}")


class GradientAttack(Adversary[GradientParams]):
    """Images are squares with the side of the largest encoder, and the budget counts from an item of that size.

    Without encoders the side is 64. Tinyworld's items have that size already; others are resized to it as a whole.
    """

    Params = GradientParams

    def __init__(self, params: GradientParams, context: GeneratorContext) -> None:
        super().__init__(params, context)
        self._encoders: list[Any] = []
        self._spaces: list[Surrogate] = []
        self._nets: list[PatchSurrogate] = []

    @classmethod
    def fingerprint(cls, params: GradientParams) -> str:
        return weights_fingerprint(params.surrogates)

    @classmethod
    def check(cls, params: GradientParams) -> None:
        """Refuses encoders without gradients."""
        for encoder in encoders_of(params.surrogates):
            differentiable(encoder)

    def fit(self, train: Interactions) -> None:
        ratings, items = anchored(train)
        catalogue = self.context.catalogue
        for encoder in self._opened():
            self._spaces.append(Surrogate.fit(ratings, items, encode_items(encoder, catalogue, items)))
        if self.params.patch_nets:
            every = thumbnails(catalogue.pixels(item) for item in range(len(catalogue)))
            for number in range(self.params.patch_nets):
                seed = seed_of("attack-patches", number)
                judge = ConfirmingJudge.fit(ratings, every, self.context.training_items, seed)
                self._nets.append(PatchSurrogate.of(judge))

    def save(self, folder: Path) -> None:
        """Writes the surrogates."""
        for number, surrogate in enumerate(self._spaces):
            surrogate.save(folder / f"encoder-{number}.npz")
        for number, net in enumerate(self._nets):
            net.save(folder / f"patches-{number}.npz")

    def load(self, folder: Path) -> None:
        self._opened()
        self._spaces = [Surrogate.load(folder / f"encoder-{i}.npz") for i in range(len(self.params.surrogates))]
        self._nets = [PatchSurrogate.load(folder / f"patches-{i}.npz") for i in range(self.params.patch_nets)]

    def images_of(self, user: int, group: Sequence[Request]) -> Sequence[GeneratedImage | None]:
        """Starts from the items that ``catalogue-random`` would show, and changes those of one user at once."""
        if not self._spaces and not self._nets:
            raise PluginError("it was asked to generate before it was fitted or loaded")
        side = max([encoder.side for encoder in self._encoders], default=ALONE)
        items = drawn_items(candidates_for(self.context, user, group).tolist(), group)
        start = np.stack([as_square(self.context.catalogue.pixels(item), side) for item in items])
        seed = substream(group[0].seed, "attack-augment") if self.params.augment else None
        changed = ascend(start, self.scores_of(user), self.params.budget, self.params.steps, seed, self.context.device)
        return [GeneratedImage(pixels) for pixels in changed]

    def _opened(self) -> list[Any]:
        self._encoders = [differentiable(e) for e in encoders_of(self.params.surrogates, self.context.device)]
        return self._encoders

    def scores_of(self, user: int) -> Callable[[int], list[TensorScores]]:
        """By step: what is summed to the height that the step ascends."""
        spaces = [
            _through(encoder.embed, surrogate.tensor_scores(user))
            for encoder, surrogate in zip(self._encoders, self._spaces, strict=True)
        ]
        nets = [net.tensor_scores(user) for net in self._nets]
        return lambda step: [*spaces, nets[step % len(nets)]] if nets else spaces


def _through(embed: TensorScores, scores: TensorScores) -> TensorScores:
    return lambda images: scores(embed(images))


def ascend(
    start: Pixels,
    scores_at: Callable[[int], Sequence[TensorScores]],
    budget: int,
    steps: int,
    seed: int | None = None,
    device: str = "cpu",
) -> Pixels:
    """uint8 [n, height, width, 3]; images with higher scores, no value of which is further than the budget away.

    Args:
        start: uint8 [n, height, width, 3].
        scores_at: The scores whose sum a step ascends, by the number of the step.
        budget: Largest change of a value, of 255.
        steps: Number of steps.
        seed: Of random transformations; None for none.
        device: Torch device name.
    """
    import torch

    first = torch.from_numpy(start).permute(0, 3, 1, 2).float().to(device) / 255
    reach, random = budget / 255, None if seed is None else torch_generator(seed)
    images = first
    for step in range(steps):
        images = images.detach().requires_grad_()
        seen = images if random is None else transformed(images, random)
        height = torch.stack([scores(seen).sum() for scores in scores_at(step)]).sum()
        (slope,) = torch.autograd.grad(height, images)
        images = images + reach * MARGIN / steps * slope.sign()
        images = torch.minimum(torch.maximum(images, first - reach), first + reach).clamp(0, 1)
    grades: Pixels = (images.detach() * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return grades


def transformed(images: Tensor, random: torch.Generator) -> Tensor:
    """The images, shifted (what leaves on one side comes back on the other), changed in size and back, with noise."""
    import torch

    side = images.shape[2]
    shift, zoom = torch.rand(2, generator=random), torch.rand(1, generator=random)
    steps = ((shift * 2 - 1) * side * SHIFT).round().int().tolist()
    other = round(side * (1 + (float(zoom) * 2 - 1) * ZOOM))
    noise = torch.randn(images.shape, generator=random).to(images.device) * NOISE
    moved = torch.roll(images, tuple(steps), (2, 3))
    return resized(resized(moved, other, other), side, side) + noise
