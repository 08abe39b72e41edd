"""One loop for all parts: AdamW with a cosine schedule, moving average, checkpoints.

Step k draws from a random generator seeded by k, so a resumed training equals an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rebeca.seeds import digest_of, seed_of, torch_generator
from rebeca.weights import load_checkpoint, save_checkpoint

CHECKPOINT_EVERY = 500
REPORT_EVERY = 50


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a part is trained.

    Attributes:
        steps: Steps in all.
        batch: Images per step.
        lr: Highest learning rate; a short rise, then a cosine to a hundredth.
        weight_decay: AdamW's.
        average: Decay of the moving average that is returned; 0 returns the last state.
        seed: Of weights and steps.
    """

    steps: int
    batch: int
    lr: float
    weight_decay: float = 0.01
    average: float = 0.0
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


RISE = 100
"""Steps in which the learning rate rises."""
LEAST = 0.01


def rate(recipe: Recipe, step: int) -> float:
    """Learning rate of a step."""
    rise = min(1.0, (step + 1) / RISE)
    fall = LEAST + (1 - LEAST) * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
    return recipe.lr * rise * fall


def train(
    name: str,
    model: nn.Module,
    recipe: Recipe,
    loss: Callable[[int, torch.Generator], dict[str, Tensor]],
    checkpoint: Path,
    report: Callable[[str], None],
    others: Sequence[nn.Module] = (),
) -> list[dict[str, float]]:
    """Trains ``model`` in place, to its averaged state where the recipe says so.

    Args:
        name: Part, for the seeds and the report.
        model: What is trained.
        recipe: How.
        loss: ``loss(step, random)`` returns named terms; their sum is minimised.
        checkpoint: File to go on from, where recipe, first weights and ``others`` are the same; else it is renamed
            ``*.other``. It is never removed, so a finished part is not trained again.
        report: Called with a line of text.
        others: Trained parts that the loss uses.

    Returns:
        One row per :data:`REPORT_EVERY` steps: step and the mean of every term since the row before.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=recipe.lr, weight_decay=recipe.weight_decay, betas=(0.9, 0.99))
    average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    history: list[dict[str, float]] = []
    first = 0
    origin = digest_of([name, recipe.to_json(), *(weights_hash(part.state_dict()) for part in (model, *others))])
    state = load_checkpoint(checkpoint, str(trained[0].device))
    if state is not None and state.get("origin") != origin:
        checkpoint.replace(checkpoint.with_suffix(".other"))
        report(f"{name}: {checkpoint} is of another recipe or other parts and was renamed *.other; training restarts")
    elif state is not None:
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        average, history, first = state["average"], state["history"], state["step"]
    sums: dict[str, Tensor] = {}
    started, model_time = time.perf_counter(), first
    model.train()
    for step in range(first, recipe.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate(recipe, step)
        terms = loss(step, torch_generator(seed_of("tinyworld", recipe.seed, name, step)))
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        _follow(average, model, min(recipe.average, (1 + step) / (10 + step)))
        for key, value in terms.items():
            sums[key] = sums.get(key, 0.0) + value.detach().double()
        done = step + 1
        if done % REPORT_EVERY == 0 or done == recipe.steps:
            since = done - (int(history[-1]["step"]) if history else 0)
            history.append({"step": done, **{k: round(float(v) / since, 5) for k, v in sums.items()}})
            sums = {}
            pace = (time.perf_counter() - started) / (done - model_time)
            shown = " ".join(f"{k} {v:.4f}" for k, v in history[-1].items() if k != "step")
            left = (recipe.steps - done) * pace
            report(f"{name}: step {done}/{recipe.steps}, {shown}, {pace:.3f} s per step, {left:.0f} s left")
        if done % CHECKPOINT_EVERY == 0 or done == recipe.steps:
            save_checkpoint(
                checkpoint,
                {
                    "model": model.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "average": average,
                    "history": history,
                    "step": done,
                    "origin": origin,
                },
            )
    if recipe.average:
        model.load_state_dict(average)
    model.eval()
    return history


@torch.no_grad()
def _follow(average: dict[str, Tensor], model: nn.Module, decay: float) -> None:
    for key, value in model.state_dict().items():
        if value.dtype.is_floating_point:
            average[key].lerp_(value, 1 - decay)
        else:
            average[key].copy_(value)


def weights_hash(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes and values of a state dictionary."""
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.reshape(-1).view(dtype=torch.uint8).numpy().tobytes())
    return digest.hexdigest()
