"""The noising process and what the network is asked to predict.

Schedules are those of diffusers' DDPM scheduler; any diffusers scheduler can sample, because it is given the same
betas. ``x_t = sqrt(a) x_0 + sqrt(1 - a) eps`` with a the cumulative product of 1 - beta.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from rebeca.errors import SpecError
from rebeca.prior.options import Objective, Schedule
from rebeca.schedulers import TRAIN_STEPS, scheduler_class, take_steps

MOST_STEPS = 10 * TRAIN_STEPS
"""Of a sampler; there are no more than :data:`TRAIN_STEPS` levels of noise."""
DRAWN = 4000
"""Points from which a standard deviation is estimated, to about 1 %."""


@cache
def betas_of(schedule: Schedule) -> Tensor:
    """float32 [1000]; the noise added at each step."""
    from diffusers import DDPMScheduler

    return torch.as_tensor(DDPMScheduler(TRAIN_STEPS, beta_schedule=schedule).betas, dtype=torch.float32)


class Noising:
    """Adds noise and gives the matching target."""

    def __init__(self, objective: Objective, schedule: Schedule, device: str = "cpu") -> None:
        self.objective = objective
        kept = torch.cumprod(1.0 - betas_of(schedule).double(), dim=0).float().to(device)
        self.signal = kept.sqrt()
        self.noise = (1.0 - kept).sqrt()

    def noisy(self, x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """x_t for x_0 [B, dim], noise [B, dim] and times [B]."""
        return self.signal[t, None] * x0 + self.noise[t, None] * eps

    def target(self, x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """What the network should output: x_0, eps, or v = sqrt(a) eps - sqrt(1 - a) x_0."""
        if self.objective == "sample":
            return x0
        if self.objective == "epsilon":
            return eps
        return self.signal[t, None] * eps - self.noise[t, None] * x0

    def exact(self, xt: Tensor, t: Tensor, deviation: float) -> Tensor:
        """What a perfect network outputs for x_t [B, dim] and times [B], where x_0 is N(0, deviation^2)."""
        signal, noise = self.signal[t, None], self.noise[t, None]
        per_variance = xt / ((signal * deviation).square() + noise.square())
        return self.target(signal * deviation**2 * per_variance, noise * per_variance, t)


def make_scheduler(sampler: str, objective: Objective, schedule: Schedule, steps: int, device: str) -> Any:
    """A diffusers scheduler over the same betas, set to ``steps`` steps.

    Raises:
        SpecError: If diffusers has no scheduler of this name.
    """
    kind = scheduler_class(sampler, "sampler")
    options: dict[str, object] = {
        "num_train_timesteps": TRAIN_STEPS,
        "trained_betas": betas_of(schedule).numpy(),
        "prediction_type": objective,
        "clip_sample": False,
        "timestep_spacing": "trailing",
    }
    accepted = kind.__init__.__wrapped__.__code__.co_varnames if hasattr(kind.__init__, "__wrapped__") else options
    scheduler = kind(**{name: value for name, value in options.items() if name in accepted})
    scheduler.set_timesteps(steps, device=device)
    return scheduler


def check_sampler(sampler: str, objective: Objective, schedule: Schedule, steps: int) -> None:
    """Refuses a sampler that cannot take so many steps.

    Raises:
        SpecError: With the reason and what to try.
    """
    spread_kept(sampler, objective, schedule, steps)


@cache
def spread_kept(sampler: str, objective: Objective, schedule: Schedule, steps: int, deviation: float = 1.0) -> float:
    """Standard deviation that comes back for points of N(0, deviation^2) and a perfect network, over ``deviation``.

    1 is right. Less means that the sampler narrows what the prior learned, whatever the prior is.

    Raises:
        SpecError: If the sampler cannot take so many steps.
    """
    if steps > MOST_STEPS:
        raise SpecError(f"steps: at most {MOST_STEPS:,}, found {steps:,}", hint=f"{TRAIN_STEPS:,} are one per level")
    noising = Noising(objective, schedule)

    def denoise(x: Tensor, t: int) -> Tensor:
        return noising.exact(x, torch.full((len(x),), t), deviation)

    def make() -> Any:
        return make_scheduler(sampler, objective, schedule, steps, "cpu")

    return float(take_steps(make, denoise, (DRAWN, 1), "sampler", sampler, steps).std()) / deviation
