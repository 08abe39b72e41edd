"""Parameters of the verifiers: plain data, free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rebeca.params import Count, Dropout, NotNegative, Positive, Whole


@dataclass(frozen=True, slots=True)
class VerifierParams:
    """Parameters of a task file; defaults of ``ncf``.

    Attributes:
        nets: Networks that are averaged.
        hold_back: For early stopping: ``items``, each network holds back another share of the items (since items to be
            judged are new to it), and validation ratings are trained on; or ``rows``, a random tenth of the training
            rows, as published.
        dims: Principal directions of the embeddings; 0 takes them as they are.
        d: Width of both branches.
        mlp_layers: Hidden layers.
        dropout: After each hidden layer.
        population: Whether the fixed population logit is an input.
        user_scale: Standard deviation of the user factors at the start.
        linear_item: Whether there is a linear item term.
        lr: Learning rate.
        weight_decay: Weight decay of all but the user factors.
        user_weight_decay: Weight decay of the user factors; None takes ``weight_decay``.
        batch: Rows per step; None is full-batch.
        epochs: At most so many epochs.
        patience: Epochs without improvement before stopping.
        decoupled: AdamW instead of Adam with an L2 penalty.
    """

    nets: Count = 8
    hold_back: Literal["items", "rows"] = "items"
    dims: Whole = 64
    d: Count = 16
    mlp_layers: tuple[Count, ...] = (64, 32)
    dropout: Dropout = 0.4
    population: bool = True
    user_scale: NotNegative = 0.05
    linear_item: bool = True
    lr: Positive = 1e-3
    weight_decay: NotNegative = 1e-2
    user_weight_decay: NotNegative | None = 1.0
    batch: Count | None = 1024
    epochs: Count = 60
    patience: Count = 5
    decoupled: bool = True


@dataclass(frozen=True, slots=True)
class PublishedVerifierParams(VerifierParams):
    """The published verifier of the ViT-bigG space: one network, d 480, [128, 128], full-batch Adam."""

    nets: Count = 1
    hold_back: Literal["items", "rows"] = "rows"
    dims: Whole = 0
    d: Count = 480
    mlp_layers: tuple[Count, ...] = (128, 128)
    dropout: Dropout = 0.2
    population: bool = False
    user_scale: NotNegative = 1.0
    lr: Positive = 5e-6
    weight_decay: NotNegative = 0.01
    user_weight_decay: NotNegative | None = None
    batch: Count | None = None
    epochs: Count = 10_000
    patience: Count = 10
    decoupled: bool = False
