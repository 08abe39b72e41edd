"""Training the verifier's network.

As published: full-batch Adam on binary cross-entropy in which every user has equal total weight, learning rate
halved on a plateau, early stopping on an inner validation part, best state restored.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from rebeca.arrays import Bools, Floats, Ints
from rebeca.ncf.model import NCFModel, NCFShape, build_ncf
from rebeca.ncf.options import VerifierParams
from rebeca.seeds import substream, torch_generator

PLATEAU_PATIENCE = 5
PLATEAU_FACTOR = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Training rows: user, item and label, with the items' embeddings in one table.

    Attributes:
        user: int [n].
        item: int [n]; row of ``table``.
        liked: bool [n].
        table: float32 [items, emb_dim].
        population: float32 [items] or None.
    """

    user: Ints
    item: Ints
    liked: Bools
    table: Floats
    population: Floats | None = None


@dataclass(frozen=True, slots=True)
class NCFHistory:
    """Losses by epoch; ``best_epoch`` counts from 0."""

    train: tuple[float, ...]
    validation: tuple[float, ...]
    best_epoch: int
    best_validation: float


def equal_user_weights(user: Ints, num_users: int) -> Floats:
    """float64 [n]; 1 / (rows of the user * users with rows): every user has equal total weight, sum 1."""
    count = np.bincount(user, minlength=num_users)
    return 1.0 / (count[user] * np.count_nonzero(count))


def fit_ncf(
    shape: NCFShape,
    rows: Rows,
    validation: Bools,
    options: VerifierParams,
    seed: int,
    device: str = "cpu",
    progress: Callable[[int, int, str], None] | None = None,
    tolerance: float = 1e-4,
) -> tuple[NCFModel, NCFHistory]:
    """Trains one network.

    Args:
        shape: The network.
        rows: All rows.
        validation: bool [n]; rows held back for early stopping, at least one and not all.
        options: How to train; what describes the network is not used.
        seed: Initialisation, batches and dropout.
        device: Torch device.
        progress: Called with (epoch, epochs, note).
        tolerance: Smallest improvement of the validation loss that counts.

    Returns:
        The network with its best state, in evaluation mode, and the losses.
    """
    model = build_ncf(shape, substream(seed, "init")).to(device)
    table = torch.as_tensor(rows.table, dtype=torch.float32, device=device)
    population = None if rows.population is None else torch.as_tensor(rows.population, dtype=torch.float32).to(device)
    train, held = _part(rows, ~validation, device), _part(rows, validation, device)
    optimiser = _optimiser(model, options)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, "min", patience=PLATEAU_PATIENCE, factor=PLATEAU_FACTOR
    )
    shuffle = torch_generator(substream(seed, "batches"))
    best = (float("inf"), -1, copy.deepcopy(model.state_dict()))
    train_losses: list[float] = []
    held_losses: list[float] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(substream(seed, "dropout"))
        for epoch in range(options.epochs):
            train_losses.append(_epoch(model, optimiser, train, options.batch, shuffle, table, population))
            model.eval()
            with torch.inference_mode():
                held_loss = _loss(model, held, slice(None), table, population).item()
            plateau.step(held_loss)
            held_losses.append(held_loss)
            if held_loss < best[0] - tolerance:
                best = (held_loss, epoch, copy.deepcopy(model.state_dict()))
            if progress is not None:
                progress(epoch + 1, options.epochs, f"validation loss {held_loss:.4f}")
            if epoch - best[1] >= options.patience:
                break
    model.load_state_dict(best[2])
    return model.eval(), NCFHistory(tuple(train_losses), tuple(held_losses), best[1], best[0])


def _optimiser(model: NCFModel, options: VerifierParams) -> torch.optim.Optimizer:
    user_tables = {id(model.user_gmf.weight), id(model.user_mlp.weight)}
    decay = options.weight_decay if options.user_weight_decay is None else options.user_weight_decay
    groups = [
        {"params": [p for p in model.parameters() if id(p) not in user_tables], "weight_decay": options.weight_decay},
        {"params": [p for p in model.parameters() if id(p) in user_tables], "weight_decay": decay},
    ]
    return (torch.optim.AdamW if options.decoupled else torch.optim.Adam)(groups, lr=options.lr)


def _epoch(
    model: NCFModel,
    optimiser: torch.optim.Optimizer,
    train: _Part,
    most_rows: int | None,
    shuffle: torch.Generator,
    table: Tensor,
    population: Tensor | None,
) -> float:
    """One pass over the training rows, in one step where ``most_rows`` per batch suffice; the mean loss."""
    model.train()
    size = len(train.user)
    batch = size if most_rows is None else min(most_rows, size)
    order = torch.randperm(size, generator=shuffle).to(train.user.device) if batch < size else None
    total = 0.0
    for start in range(0, size, batch):
        index = slice(None) if order is None else order[start : start + batch]
        loss = _loss(model, train, index, table, population) * (size / batch if order is not None else 1.0)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        total += loss.item() * (batch / size)
    return total


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    user: Tensor
    item: Tensor
    label: Tensor
    weight: Tensor


def _part(rows: Rows, mask: Bools, device: str) -> _Part:
    user = rows.user[mask]
    weight = equal_user_weights(user, int(rows.user.max()) + 1)
    return _Part(
        torch.as_tensor(user, dtype=torch.long, device=device),
        torch.as_tensor(rows.item[mask], dtype=torch.long, device=device),
        torch.as_tensor(rows.liked[mask], dtype=torch.float32, device=device),
        torch.as_tensor(weight, dtype=torch.float32, device=device),
    )


def _loss(model: NCFModel, part: _Part, index: slice | Tensor, table: Tensor, population: Tensor | None) -> Tensor:
    item = part.item[index]
    logit = model(part.user[index], table[item], None if population is None else population[item])
    return binary_cross_entropy_with_logits(logit, part.label[index], weight=part.weight[index], reduction="sum")
