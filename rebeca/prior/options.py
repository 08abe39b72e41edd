"""What a prior is, how it is trained and how it is sampled: plain data, free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from rebeca.plain import Plain

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
        tokens: Tokens an embedding is split into; must divide ``dim``.
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
        """Index of the null user."""
        return self.num_users

    @property
    def null_score(self) -> int:
        """Index of the null rating."""
        return SCORE_CLASSES

    @property
    def user_width(self) -> int:
        """Width of a row of the user table."""
        return self.hidden if self.network == "transformer" else 16

    def to_json(self) -> Mapping[str, Plain]:
        """JSON for a saved model."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PriorOptions:
    """How to train; the defaults are the published ones.

    Attributes:
        objective: What the network predicts.
        schedule: Noise schedule.
        lr: AdamW's learning rate.
        weight_decay: AdamW's weight decay.
        batch: Rows a step.
        samples_per_user: At most so many rows of each user an epoch.
        drop_user: Probability that the user is replaced by the null user.
        drop_score: Probability that the rating is replaced by the null rating, independently.
        epochs: At most so many epochs.
        max_steps: At most so many steps; None for no limit.
        patience: Stop after so many epochs without a better validation loss; None never stops.
        freeze_user_rows: Whether the user table stays as it was initialised.
    """

    objective: Objective = "sample"
    schedule: Schedule = "squaredcos_cap_v2"
    lr: float = 1e-4
    weight_decay: float = 1e-5
    batch: int = 64
    samples_per_user: int = 100
    drop_user: float = 0.15
    drop_score: float = 0.15
    epochs: int = 2001
    max_steps: int | None = None
    patience: int | None = 50
    freeze_user_rows: bool = False


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """How to sample; the published setting is 1,000 ancestral steps at guidance 5.

    Attributes:
        sampler: Name of a diffusers scheduler class.
        steps: Solver steps.
        prior_guidance: w.
        batch: Embeddings at once (twice as many rows with guidance).
    """

    sampler: str = "DDPMScheduler"
    steps: int = 1000
    prior_guidance: float = 5.0
    batch: int = 512
