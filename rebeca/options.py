"""Parameters of the generator ``rebeca``, in one place for the generator and for training its prior alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from rebeca.errors import SpecError
from rebeca.params import Count, NotNegative, ParamError, Positive, Probability, Share, make_params
from rebeca.prior.options import Objective, Schedule
from rebeca.taste import DEFAULT_RIDGE


@dataclass(frozen=True, slots=True)
class RebecaParams:
    """Parameters of a task file; the defaults are the published configuration.

    Attributes:
        normalize: Space of the prior: ``none``, ``l2``, ``l2-clamp``, ``standardize`` or ``pca``.
        dims: Directions kept by ``pca``.
        scale: Standard deviation of a ``pca`` direction.
        network: ``transformer`` or ``mlp``.
        tokens: Tokens that the transformer splits an embedding into; must divide its length.
        hidden: Width.
        heads: Attention heads of the transformer; must divide ``hidden``.
        layers: Blocks.
        residual: Cross-attention of the transformer: ``reference`` as published, or ``fixed``, which keeps the
            residual stream.
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
        sample_batch: Embeddings sampled at once; a processor takes fewer where they would not fit its cache.
        sample_dtype: Numbers of the network while it samples; ``bfloat16`` is faster where the hardware has it.
        compile: Whether the network is compiled for sampling, which takes a minute or two and, on a processor, needs a
            C++ compiler.
        condition: What the sampling is conditioned on.
        rating: Which rating is asked for.
        best_of: Images generated for each one that is kept, which has the verifier's highest score; needs the judge.
            The first has the image's own seed, the j-th after it that seed's stream ``candidate-j``.
        users: ``own`` or ``shuffled`` (a uniform permutation of all users, fixed points allowed).
    """

    LATER: ClassVar[tuple[str, ...]] = ("sample_dtype", "compile")

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
    sample_dtype: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    condition: tuple[Literal["user", "rating"], ...] = ("user", "rating")
    rating: Literal["like", "dislike"] = "like"
    best_of: Count = 1
    users: Literal["own", "shuffled"] = "own"

    def __post_init__(self) -> None:
        if self.network == "transformer" and self.hidden % self.heads:
            raise SpecError(f"heads: {self.heads} must divide hidden, which is {self.hidden}")
        if self.prior_guidance == "validation" and not self.guidance_grid:
            raise SpecError("prior_guidance: validation needs guidance_grid", hint="e.g. guidance_grid: [1, 3, 6, 10]")


SAMPLING_ONLY = frozenset(
    {
        "sampler",
        "steps",
        "prior_guidance",
        "sample_batch",
        "sample_dtype",
        "compile",
        "condition",
        "rating",
        "best_of",
        "users",
    }
)
GENERATOR_ONLY = frozenset({"ratings_share", "guidance_grid", "condition", "rating", "best_of", "users"})
"""What a prior that is used without the benchmark has no use for."""


def prior_params(raw: Mapping[str, object], where: str) -> RebecaParams:
    """Reads parameters of a prior that is trained alone.

    Raises:
        ParamError: Naming the first parameter that is unknown, impossible, or of the generator only.
    """
    for name, value in raw.items():
        if name in GENERATOR_ONLY:
            raise ParamError(f"{where}.{name}: only the generator has this parameter", (name,), hint="leave it out")
        if (name, value) == ("prior_guidance", "validation"):
            raise ParamError(f"{where}.{name}: only the generator chooses it", (name,), hint="give a number")
    return make_params(RebecaParams, raw, where)
