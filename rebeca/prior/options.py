"""The shape of a prior and how it is sampled: plain data, free of torch. How it is trained: ``rebeca.options``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Objective = Literal["sample", "epsilon", "v_prediction"]
Schedule = Literal["squaredcos_cap_v2", "laplace"]
SCORE_CLASSES = 2
DISLIKE, LIKE = 0, 1


@dataclass(frozen=True, slots=True)
class PriorShape:
    """Everything that is needed to build the network again. Null ids follow from it and are no constants.

    Attributes:
        dim: Numbers of an embedding.
        num_users: Users; index ``num_users`` stands for nobody in particular.
        network: ``transformer`` or ``mlp``.
        tokens: Tokens that an embedding is split into; must divide ``dim``.
        hidden: Width.
        heads: Attention heads; must divide ``hidden``.
        layers: Blocks.
        residual: Cross-attention as in the ``reference`` (the residual stream is replaced by the normalised one)
            or ``fixed``.
    """

    dim: int
    num_users: int
    network: Literal["transformer", "mlp"] = "transformer"
    tokens: int = 32
    hidden: int = 128
    heads: int = 8
    layers: int = 6
    residual: Literal["reference", "fixed"] = "reference"

    @property
    def null_user(self) -> int:
        return self.num_users

    @property
    def null_score(self) -> int:
        return SCORE_CLASSES

    @property
    def user_width(self) -> int:
        return self.hidden if self.network == "transformer" else 16

    @property
    def widest(self) -> int:
        """Numbers per row of the widest layer."""
        return max(self.dim, 4 * self.hidden * self.tokens if self.network == "transformer" else self.hidden)


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """How to sample; the published setting is 1,000 ancestral steps at guidance 5.

    Attributes:
        sampler: Name of a diffusers scheduler class.
        steps: Solver steps.
        prior_guidance: w.
        batch: Embeddings at once (twice as many rows with guidance); on a processor no more than fit its cache.
        dtype: Numbers of the network; those of the sampler are float32.
        compile: Whether the network is compiled.
    """

    sampler: str = "DDPMScheduler"
    steps: int = 1000
    prior_guidance: float = 5.0
    batch: int = 512
    dtype: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
