"""Training the verifier's network.

As published: full-batch Adam on binary cross-entropy in which every user has equal total weight, learning rate
halved on a plateau, early stopping on an inner validation part, best state restored.

A rating names a row of a table of items, so that the network transforms the different items of a step, not its ratings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
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
    train, held = _part(rows, ~validation, device), _part(rows, validation, device)
    optimiser = _optimiser(model, options)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, "min", patience=PLATEAU_PATIENCE, factor=PLATEAU_FACTOR
    )
    shuffle = torch_generator(substream(seed, "batches"))
    best = (float("inf"), -1, _copy(model))
    train_losses: list[float] = []
    held_losses: list[float] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(substream(seed, "dropout"))
        for epoch in range(options.epochs):
            train_losses.append(_epoch(model, optimiser, train, options.batch, shuffle))
            model.eval()
            with torch.inference_mode():
                held_loss = _loss(model, held).item()
            plateau.step(held_loss)
            held_losses.append(held_loss)
            if held_loss < best[0] - tolerance:
                best = (held_loss, epoch, _copy(model))
            if progress is not None:
                progress(epoch + 1, options.epochs, f"validation loss {held_loss:.4f}")
            if epoch - best[1] >= options.patience:
                break
    model.load_state_dict(best[2], assign=True)
    return model.eval(), NCFHistory(tuple(train_losses), tuple(held_losses), best[1], best[0])


def _optimiser(model: NCFModel, options: VerifierParams) -> torch.optim.Optimizer:
    tables = [model.user_gmf.weight, model.user_mlp.weight]
    others = [parameter for parameter in model.parameters() if not any(parameter is table for table in tables)]
    decay = options.weight_decay if options.user_weight_decay is None else options.user_weight_decay
    groups = [
        {"params": [_merged(others)], "weight_decay": options.weight_decay},
        {"params": [_merged(tables)], "weight_decay": decay},
    ]
    fused = model.fuse.weight.device.type in ("cpu", "cuda")  # where there is such a kernel
    return (torch.optim.AdamW if options.decoupled else torch.optim.Adam)(groups, lr=options.lr, fused=fused)


def _merged(parameters: Sequence[Tensor]) -> nn.Parameter:
    """One parameter with the values and gradients of several, which become views of it: a step costs less."""
    merged = nn.Parameter(torch.cat([parameter.detach().flatten() for parameter in parameters]))
    merged.grad = torch.zeros_like(merged)
    sizes = [parameter.numel() for parameter in parameters]
    for parameter, value, grad in zip(parameters, merged.detach().split(sizes), merged.grad.split(sizes), strict=True):
        parameter.data, parameter.grad = value.view_as(parameter), grad.view_as(parameter)
    return merged


def _copy(model: NCFModel) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def _epoch(
    model: NCFModel,
    optimiser: torch.optim.Optimizer,
    train: _Part,
    most_rows: int | None,
    shuffle: torch.Generator,
) -> float:
    """One pass over the training rows, in one step where ``most_rows`` per batch suffice; the mean loss."""
    model.train()
    size = len(train.user)
    batch = size if most_rows is None else min(most_rows, size)
    losses = []
    for part in [train] if batch == size else _batches(train, torch.randperm(size, generator=shuffle), batch):
        loss = _loss(model, part)
        optimiser.zero_grad(set_to_none=False)  # the gradients stay views of one
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())  # read once, at the end: a GPU need not wait for each
    return float(torch.stack(losses).double().sum()) * (batch / size)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Ratings of one step, with their different items only.

    Attributes:
        user: int64 [n].
        item: int64 [n]; row of ``table``.
        label: float32 [n].
        weight: float32 [n].
        table: float32 [items, emb_dim].
        population: float32 [items] or None.
    """

    user: Tensor
    item: Tensor
    label: Tensor
    weight: Tensor
    table: Tensor
    population: Tensor | None


def _part(rows: Rows, mask: Bools, device: str) -> _Part:
    user = rows.user[mask]
    weight = equal_user_weights(user, int(rows.user.max()) + 1)
    items, item = np.unique(rows.item[mask], return_inverse=True)
    return _Part(
        torch.as_tensor(user, dtype=torch.long, device=device),
        torch.as_tensor(item, dtype=torch.long, device=device),
        torch.as_tensor(rows.liked[mask], dtype=torch.float32, device=device),
        torch.as_tensor(weight, dtype=torch.float32, device=device),
        torch.as_tensor(rows.table[items], dtype=torch.float32, device=device),
        None if rows.population is None else torch.as_tensor(rows.population[items], dtype=torch.float32).to(device),
    )


def _batches(part: _Part, order: Tensor, batch: int) -> Iterator[_Part]:
    """Parts of ``batch`` rows in an order; weights are scaled so that a step's loss is on the scale of all rows."""
    order = order.to(part.user.device)
    weight = part.weight * (len(order) / batch)
    user, item, label, weight = (column[order].split(batch) for column in (part.user, part.item, part.label, weight))
    if len(part.table) <= batch:
        for users, places, labels, weights in zip(user, item, label, weight, strict=True):
            yield _Part(users, places, labels, weights, part.table, part.population)
        return
    number = torch.arange(len(order), device=order.device) // batch
    keys, place = torch.unique(number * len(part.table) + part.item[order], return_inverse=True)  # batch by batch
    counts = torch.bincount(keys // len(part.table))
    place = (place - (counts.cumsum(0) - counts)[number]).split(batch)
    different = (keys % len(part.table)).split(counts.tolist())
    for users, places, labels, weights, items in zip(user, place, label, weight, different, strict=True):
        population = None if part.population is None else part.population[items]
        yield _Part(users, places, labels, weights, part.table[items], population)


def _loss(model: NCFModel, part: _Part) -> Tensor:
    logit = model(part.user, part.item, part.table, part.population)
    return binary_cross_entropy_with_logits(logit, part.label, weight=part.weight, reduction="sum")
