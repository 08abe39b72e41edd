"""Confirming judges as surrogates: drawn with other seeds than the one that a row will meet, and with gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from baselines.adversaries.surrogates import Saved
from rebeca.arrays import Floats
from rebeca.scorers.confirming import BINS, FILTERS, PATCH, SIDE, THRESHOLD, ConfirmingJudge

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class PatchSurrogate(Saved):
    """What a confirming judge answers, as a function of tensors.

    Attributes:
        kernels: float32 [filters, 3, 5, 5].
        offset: float32 [filters].
        mean: float32 [dim]; mean feature of the training items.
        deviation: float32 [dim]; standard deviation of it.
        anchors: float32 [m, dim]; features of the rated items.
        dual: float32 [users, m]; weights of the common and the personal part together.
        rate: float32 [users]; share of items that each user likes.
    """

    kernels: Floats
    offset: Floats
    mean: Floats
    deviation: Floats
    anchors: Floats
    dual: Floats
    rate: Floats

    @classmethod
    def of(cls, judge: ConfirmingJudge) -> Self:
        dual = np.zeros((len(judge.rate), len(judge.items)))
        dual[:, judge.common_items] = judge.common
        for user, (rated, weights) in enumerate(zip(judge.rated, judge.personal, strict=True)):
            np.add.at(dual[user], rated, weights)
        features = judge.drawn.features
        kernels = features.weights.T.reshape(FILTERS, 3, PATCH, PATCH)
        arrays = (kernels, features.offset, features.mean, features.deviation, judge.items, dual, judge.rate)
        return cls(*(np.ascontiguousarray(array, np.float32) for array in arrays))

    def tensor_scores(self, user: int) -> Callable[[Tensor], Tensor]:
        """The user's scores: float32 [n, 3, height, width] from 0 to 1 -> float32 [n], with gradients."""
        import torch
        from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d, normalize, relu

        kernels, offset, mean, deviation, anchors, dual = (
            torch.from_numpy(array)
            for array in (self.kernels, self.offset, self.mean, self.deviation, self.anchors, self.dual[user])
        )
        rate = float(self.rate[user])

        def scores(images: Tensor) -> Tensor:
            small = adaptive_avg_pool2d(images.cpu(), SIDE) * 2 - 1
            answers = conv2d(small, kernels, -offset)
            both = torch.cat([relu(answers - THRESHOLD), relu(-answers - THRESHOLD)], 1)
            binned = avg_pool2d(both, both.shape[2] // BINS).permute(0, 2, 3, 1).flatten(1)
            cosine = normalize((binned - mean) / deviation, dim=1) @ anchors.T
            return rate + ((1 + cosine) / 2).square() @ dual

        return scores
