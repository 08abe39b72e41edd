"""Schedulers of diffusers by name, and whether one can serve a number of steps, found out before anything is fitted."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from rebeca.errors import SpecError, did_you_mean

TRIED = (
    "DDPMScheduler",
    "DDIMScheduler",
    "DPMSolverMultistepScheduler",
    "DEISMultistepScheduler",
    "UniPCMultistepScheduler",
    "EulerDiscreteScheduler",
    "PNDMScheduler",
)
"""Schedulers that were tried; any other scheduler class of diffusers can be named too."""
TRAIN_STEPS = 1000
"""Levels of noise of the prior's training; Stable Diffusion has as many."""
FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What schedulers of diffusers raise for steps, predictions or shapes that they do not know."""


def scheduler_class(name: str, where: str) -> type[Any]:
    """A scheduler class of diffusers.

    Args:
        name: Its name.
        where: Begins the message, e.g. ``sampler``.

    Raises:
        SpecError: If diffusers has no scheduler of this name, with the nearest spelling.
    """
    import diffusers

    kind = getattr(diffusers, name, None) if name.endswith("Scheduler") else None
    if kind is None:
        raise SpecError(f"{where}: diffusers has no '{name}'", hint=did_you_mean(name, TRIED))
    scheduler: type[Any] = kind
    return scheduler


def step_options(scheduler: Any, generator: Any) -> dict[str, Any]:
    """The random generator for ``scheduler.step``, where it takes one."""
    return {"generator": generator} if "generator" in inspect.signature(scheduler.step).parameters else {}


def take_steps(
    make: Callable[[], Any],
    denoise: Callable[[Any, int], Any],
    shape: tuple[int, ...],
    where: str,
    name: str,
    steps: int,
) -> Any:
    """Takes every step of a scheduler once, from noise.

    Args:
        make: Makes the scheduler, set to its steps.
        denoise: The network's output for an input of ``shape`` at a time.
        shape: Of the input, with as many dimensions as the real one.
        where: Begins the message, e.g. ``sampler``.
        name: Of the scheduler.
        steps: Its steps.

    Returns:
        The tensor of ``shape`` that the last step gives.

    Raises:
        SpecError: If the scheduler raises, repeats a level of noise, asks for one outside of the training's, or returns
            a number that is not finite.
    """
    import torch

    from rebeca.weights import quiet

    others = ", ".join(other for other in TRIED if other != name)
    remedy = f"try {min(steps - 1, 999) if steps > 4 else 4} steps, or another scheduler: {others}"
    refusal = f"{where}: {name} cannot take {steps:,} steps"
    try:
        with quiet(), torch.inference_mode():
            scheduler = make()
            times = [int(t) for t in scheduler.timesteps]
            if len(set(times)) < steps:
                raise SpecError(f"{refusal} (they have {len(set(times)):,} levels of noise)", hint=remedy)
            if not 0 <= min(times) <= max(times) < TRAIN_STEPS:
                raise SpecError(f"{refusal} (its times are not 0 to {TRAIN_STEPS - 1})", hint=remedy)
            random = torch.Generator().manual_seed(0)
            options = step_options(scheduler, random)
            x = torch.randn(shape, generator=random) * getattr(scheduler, "init_noise_sigma", 1.0)
            for t, time in zip(scheduler.timesteps, times, strict=True):
                x = scheduler.step(denoise(scheduler.scale_model_input(x, t), time), t, x, **options).prev_sample
    except SpecError:
        raise
    except FAILURES as error:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise SpecError(f"{refusal} ({reason})", hint=remedy) from error
    if not torch.isfinite(x).all():
        raise SpecError(f"{refusal} (its result is not finite)", hint=remedy)
    return x
