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
    "EulerDiscreteScheduler",
    "PNDMScheduler",
)
"""Schedulers that were tried; any other scheduler class of diffusers can be named too."""
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


def check_steps(make: Callable[[], Any], shape: tuple[int, ...], where: str, name: str, steps: int) -> None:
    """Takes every step of a scheduler once with a small input.

    Args:
        make: Makes the scheduler, set to its steps.
        shape: Of the input, with as many dimensions as the real one.
        where: Begins the message, e.g. ``sampler``.
        name: Of the scheduler.
        steps: Its steps.

    Raises:
        SpecError: If it raises, or returns a number that is not finite.
    """
    import torch

    from rebeca.weights import quiet

    others = ", ".join(other for other in TRIED if other != name)
    remedy = f"try {min(steps - 1, 999) if steps > 4 else 4} steps, or another scheduler: {others}"
    try:
        with quiet(), torch.inference_mode():
            scheduler = make()
            x = torch.zeros(shape)
            options = step_options(scheduler, torch.Generator().manual_seed(0))
            for t in scheduler.timesteps:
                x = scheduler.step(torch.full_like(scheduler.scale_model_input(x, t), 0.1), t, x, **options).prev_sample
    except SpecError:
        raise
    except FAILURES as error:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise SpecError(f"{where}: {name} cannot take {steps:,} steps ({reason})", hint=remedy) from error
    if not torch.isfinite(x).all():
        raise SpecError(f"{where}: {name} cannot take {steps:,} steps (its result is not finite)", hint=remedy)
