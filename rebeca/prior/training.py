"""Training the prior: balanced sampling of users, independent condition dropout, early stopping, resume."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from rebeca.arrays import Floats, Ints
from rebeca.data.interactions import Interactions
from rebeca.options import RebecaParams
from rebeca.prior.diffusion import Noising
from rebeca.prior.network import PriorNetwork, build_prior
from rebeca.prior.options import PriorShape
from rebeca.schedulers import TRAIN_STEPS
from rebeca.seeds import substream, torch_generator
from rebeca.weights import load_checkpoint, save_checkpoint

PLATEAU_PATIENCE = 5
PLATEAU_FACTOR = 0.5
CHECKPOINT_EVERY = 10
"""Epochs between checkpoints; a checkpoint is a few megabytes and an epoch a second or more."""


@dataclass(frozen=True, slots=True)
class PriorHistory:
    """Losses by epoch (mean over rows), learning rates, the epoch whose state was kept, and the number of steps."""

    train: tuple[float, ...]
    validation: tuple[float, ...]
    learning_rate: tuple[float, ...]
    best_epoch: int
    steps: int


def balanced_epoch(order: Ints, bounds: Ints, samples: int, rng: np.random.Generator) -> Ints:
    """Row numbers of one epoch: min(samples, own rows) of each user without replacement, all permuted.

    Args:
        order: int [n]; row numbers sorted by user.
        bounds: int [users + 1]; where each user's rows begin in ``order``.
        samples: At most so many rows per user.
        rng: Random numbers.
    """
    user = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    shuffled = order[np.lexsort((rng.random(len(order)), user))]
    position = np.arange(len(order)) - bounds[user]
    return rng.permutation(shuffled[position < samples])


class PriorTraining:
    """One training run that can be stopped after any epoch and resumed from its checkpoint."""

    def __init__(
        self,
        shape: PriorShape,
        options: RebecaParams,
        train: Interactions,
        validation: Interactions,
        points: Floats,
        seed: int,
        device: str = "cpu",
        user_rows: Floats | None = None,
    ) -> None:
        """Prepares a run.

        Args:
            shape: Of the network.
            options: How to train; parameters of sampling are not used.
            train: Training ratings.
            validation: Ratings for early stopping; may be empty, then the last state is kept.
            points: float32 [items, dim]; the catalogue in the prior's space.
            seed: Seed of the fit.
            device: Torch device.
            user_rows: float32 [num_users, width]; start of the user table; None draws it from N(0, 1).
        """
        self.shape, self.options, self.seed, self.device = shape, options, seed, device
        self.model: PriorNetwork = build_prior(shape, substream(seed, "init")).to(device)
        if user_rows is not None:
            with torch.no_grad():
                self.model.user_table.weight[: shape.num_users] = torch.as_tensor(user_rows).to(device)
                self.model.user_table.weight[shape.num_users] = 0.0
        self.model.user_table.weight.requires_grad_(not options.freeze_user_rows)
        self.noising = Noising(options.objective, options.schedule, device)
        self.points = torch.as_tensor(points, dtype=torch.float32, device=device)
        self.rows = _columns(train, device)
        self.held = _columns(validation, device)
        self.order = np.argsort(train.user, kind="stable")
        self.bounds = np.searchsorted(train.user[self.order], np.arange(train.num_users + 1))
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        fused = self.points.device.type in ("cpu", "cuda")  # where there is such a kernel
        self.optimiser = torch.optim.AdamW(parameters, lr=options.lr, weight_decay=options.weight_decay, fused=fused)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimiser, "min", patience=PLATEAU_PATIENCE, factor=PLATEAU_FACTOR
        )
        self.random = torch_generator(substream(seed, "noise"))
        self.sampler = np.random.default_rng(substream(seed, "sampler"))
        self.train_losses: list[float] = []
        self.held_losses: list[float] = []
        self.rates: list[float] = []
        self.steps = 0
        self.best_loss = math.inf
        self.best_epoch = -1
        self.best_state = _copy(self.model)

    def run(
        self,
        checkpoint: Path | None = None,
        progress: Callable[[int, int, str], None] | None = None,
        stop_after: int | None = None,
    ) -> tuple[PriorNetwork, PriorHistory]:
        """Trains until a limit or until validation stops improving.

        Args:
            checkpoint: File that is written every few epochs and read at the start if it exists.
            progress: Called with (step, steps at most, note).
            stop_after: Leave after so many epochs of this call (for tests and time slices).

        Returns:
            The network in its best state, in evaluation mode, and the losses.
        """
        state = None if checkpoint is None else load_checkpoint(checkpoint, "cpu")  # where AdamW's counters stay
        if state is not None:
            self._load(state)
        options = self.options
        rows_per_epoch = int(np.minimum(np.diff(self.bounds), options.samples_per_user).sum())
        most_steps = options.max_steps or options.epochs * math.ceil(rows_per_epoch / options.batch)
        last_epoch = math.inf if stop_after is None else len(self.train_losses) + stop_after
        while len(self.train_losses) < options.epochs and not self._finished():
            self._epoch(most_steps, progress)
            stops = len(self.train_losses) >= last_epoch
            if checkpoint is not None and (stops or len(self.train_losses) % CHECKPOINT_EVERY == 0):
                self._save(checkpoint)
            if stops:
                break
        if self.held.shape[1]:
            self.model.load_state_dict(self.best_state)
        self.model.eval()
        return self.model, PriorHistory(
            tuple(self.train_losses), tuple(self.held_losses), tuple(self.rates), self.best_epoch, self.steps
        )

    def _finished(self) -> bool:
        options, epochs_since_best = self.options, len(self.train_losses) - 1 - self.best_epoch
        if options.max_steps is not None and self.steps >= options.max_steps:
            return True
        return options.patience is not None and bool(self.held_losses) and epochs_since_best >= options.patience

    def _epoch(self, most_steps: int, progress: Callable[[int, int, str], None] | None) -> None:
        options = self.options
        chosen = balanced_epoch(self.order, self.bounds, options.samples_per_user, self.sampler)
        self.model.train()
        total, count = 0.0, 0
        for rows in torch.as_tensor(chosen, dtype=torch.long).split(options.batch):
            if len(rows) < 2 and self.shape.network == "mlp":
                continue  # batch normalisation needs two rows
            if options.max_steps is not None and self.steps >= options.max_steps:
                break
            rows = rows.to(self.device)
            loss = self._loss(self.rows, rows, dropout=True)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
            self.steps += 1
            total += loss.item() * len(rows)
            count += len(rows)
            if progress is not None:
                progress(self.steps, most_steps, "steps")
        self.train_losses.append(total / max(count, 1))
        self.rates.append(float(self.optimiser.param_groups[0]["lr"]))
        if not self.held.shape[1]:
            self.best_epoch = len(self.train_losses) - 1
            return
        held_loss = self._validation_loss()
        self.held_losses.append(held_loss)
        self.plateau.step(held_loss)
        if held_loss < self.best_loss:
            self.best_loss, self.best_epoch = held_loss, len(self.train_losses) - 1
            self.best_state = _copy(self.model)

    @torch.inference_mode()
    def _validation_loss(self) -> float:
        self.model.eval()
        count = self.held.shape[1]
        batches = torch.arange(count, device=self.device).split(4096)
        return sum(self._loss(self.held, rows, dropout=False).item() * len(rows) for rows in batches) / count

    def _loss(self, columns: Tensor, rows: Tensor, *, dropout: bool) -> Tensor:
        user, item, score = columns[:, rows]
        x0, size = self.points[item], len(rows)
        t = torch.randint(0, TRAIN_STEPS, (size,), generator=self.random).to(self.device)
        eps = torch.randn(x0.shape, generator=self.random).to(self.device)
        if self.options.drop_user >= 1:  # no user's row is trained, so none may be used
            user = torch.full_like(user, self.shape.null_user)
        if dropout:
            dropped = torch.rand(2, size, generator=self.random).to(self.device)
            user = torch.where(dropped[0] < self.options.drop_user, self.shape.null_user, user)
            score = torch.where(dropped[1] < self.options.drop_score, self.shape.null_score, score)
        predicted = self.model(self.noising.noisy(x0, eps, t), t, user, score)
        return mse_loss(predicted, self.noising.target(x0, eps, t))

    def _save(self, path: Path) -> None:
        save_checkpoint(
            path,
            {
                "model": self.model.state_dict(),
                "best": self.best_state,
                "optimiser": self.optimiser.state_dict(),
                "plateau": self.plateau.state_dict(),
                "random": self.random.get_state(),
                "sampler": json.dumps(self.sampler.bit_generator.state),
                "losses": [self.train_losses, self.held_losses, self.rates],
                "steps": self.steps,
                "best_loss": self.best_loss,
                "best_epoch": self.best_epoch,
            },
        )

    def _load(self, state: Any) -> None:
        self.model.load_state_dict(state["model"])
        self.best_state = state["best"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.plateau.load_state_dict(state["plateau"])
        self.random.set_state(state["random"].cpu())
        self.sampler.bit_generator.state = json.loads(state["sampler"])
        self.train_losses, self.held_losses, self.rates = (list(values) for values in state["losses"])
        self.steps, self.best_loss, self.best_epoch = state["steps"], state["best_loss"], state["best_epoch"]


def _columns(ratings: Interactions, device: str) -> Tensor:
    """int64 [3, n]; user, item and like."""
    return torch.as_tensor(np.stack([ratings.user, ratings.item, ratings.liked]), dtype=torch.long, device=device)


def _copy(model: PriorNetwork) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
