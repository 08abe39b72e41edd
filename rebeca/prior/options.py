"""The shape of a prior, how it is sampled, and the parameters of the generator ``rebeca``; free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rebeca.errors import SpecError
from rebeca.params import Count, NotNegative, Positive, Probability, Share
from rebeca.taste import DEFAULT_RIDGE

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


@dataclass(frozen=True, slots=True)
class RebecaParams:
    """Parameters of a task file; the defaults are the published configuration.

    Attributes:
        normalize: Space of the prior: ``none``, ``l2``, ``l2-clamp``, ``standardize`` or ``pca``.
        dims: Directions kept by ``pca``.
        scale: Standard deviation of a ``pca`` direction.
        network: ``transformer`` or ``mlp``.
        tokens: See :class:`PriorShape`.
        hidden: Likewise.
        heads: Likewise.
        layers: Likewise.
        residual: Likewise.
        user_rows: Start of the user table: ``learned`` draws rows from N(0, 1), as published; ``taste`` takes ridge
            regressions, see :func:`rebeca.taste.taste_rows`.
        freeze_user_rows: Whether the user table stays as it started.
        ridge: Penalty of the taste model.
        ratings_share: Share of each user's training ratings that the fit sees; smaller shares are parts of
            larger ones. Validation ratings stay whole.
        train_users: ``own``, or ``nobody`` to train without users.
        objective: What the network predicts.
        schedule: Noise schedule.
        lr: AdamW's learning rate.
        weight_decay: AdamW's weight decay.
        batch: Rows per training step.
        samples_per_user: At most so many rows per user and epoch.
        drop_user: Probability that the user is replaced by the null user.
        drop_score: Probability that the rating is replaced by the null rating, independently.
        epochs: At most so many epochs.
        max_steps: At most so many steps; None for no limit.
        patience: Stop after so many epochs without a better validation loss; None never stops.
        guidance_grid: Values among which ``prior_guidance: validation`` chooses.
        sampler: A diffusers scheduler.
        steps: Solver steps.
        prior_guidance: Guidance of the prior, or ``validation``.
        sample_batch: Embeddings sampled at once.
        condition: What the sampling is conditioned on.
        rating: Which rating is asked for.
        best_of: Images generated for each one that is kept, which has the verifier's highest score; needs the judge.
            The first has the image's own seed, the j-th after it that seed's stream ``candidate-j``.
        users: ``own`` or ``shuffled`` (a uniform permutation of all users, fixed points allowed).
    """

    normalize: Literal["none", "l2", "l2-clamp", "standardize", "pca"] = "none"
    dims: Count = 16
    scale: Positive = 1.0
    network: Literal["transformer", "mlp"] = "transformer"
    tokens: Count = 32
    hidden: Count = 128
    heads: Count = 8
    layers: Count = 6
    residual: Literal["reference", "fixed"] = "reference"
    user_rows: Literal["learned", "taste"] = "learned"
    freeze_user_rows: bool = False
    ridge: NotNegative = DEFAULT_RIDGE
    ratings_share: Share = 1.0
    train_users: Literal["own", "nobody"] = "own"
    objective: Objective = "sample"
    schedule: Schedule = "squaredcos_cap_v2"
    lr: Positive = 1e-4
    weight_decay: NotNegative = 1e-5
    batch: Count = 64
    samples_per_user: Count = 100
    drop_user: Probability = 0.15
    drop_score: Probability = 0.15
    epochs: Count = 2001
    max_steps: Count | None = None
    patience: Count | None = 50
    guidance_grid: tuple[float, ...] = ()
    sampler: str = "DDPMScheduler"
    steps: Count = 1000
    prior_guidance: float | Literal["validation"] = 5.0
    sample_batch: Count = 1024
    condition: tuple[Literal["user", "rating"], ...] = ("user", "rating")
    rating: Literal["like", "dislike"] = "like"
    best_of: Count = 1
    users: Literal["own", "shuffled"] = "own"

    def __post_init__(self) -> None:
        if self.prior_guidance == "validation" and not self.guidance_grid:
            raise SpecError("prior_guidance: validation needs guidance_grid", hint="e.g. guidance_grid: [1, 3, 6, 10]")


SAMPLING_ONLY = frozenset(
    {"sampler", "steps", "prior_guidance", "sample_batch", "condition", "rating", "best_of", "users"}
)
