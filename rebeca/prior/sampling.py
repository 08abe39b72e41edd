"""Sampling embeddings from the prior: those of all users in one stream of batches.

How a matrix product rounds depends on its number of rows. So short batches are filled up, and an embedding does not
depend on how many others are sampled beside it.

Guidance: ``f_null + w (f(user, rating) - f_null)`` in the network's own output space. w = 0 ignores the condition,
w = 1 is conditional, w above 1 extrapolates. Both passes run as one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rebeca.arrays import Floats, Ints
from rebeca.device import on_processor
from rebeca.prior.diffusion import make_scheduler
from rebeca.prior.network import PriorNetwork
from rebeca.prior.options import Objective, SamplingOptions, Schedule
from rebeca.schedulers import step_options
from rebeca.seeds import substream, torch_generator

FEWEST = 64
"""Rows of a batch on the CPU at least. Only products of about a dozen rows or fewer round otherwise there, so more
would take time and change nothing. Other devices choose kernels by every size and are given full batches."""


@torch.inference_mode()
def sample_prior(
    model: PriorNetwork,
    users: Ints,
    scores: Ints,
    seeds: Sequence[int],
    objective: Objective,
    schedule: Schedule,
    options: SamplingOptions,
    device: str = "cpu",
    progress: Callable[[int, int, str], None] | None = None,
) -> Floats:
    """Samples one embedding per row.

    Args:
        model: A trained prior.
        users: int [n]; user of each row, or the null user.
        scores: int [n]; rating of each row, or the null rating.
        seeds: Seeds of n images; the noise of a row depends on its seed alone.
        objective: What the network predicts.
        schedule: Noise schedule of the training.
        options: How to sample.
        device: Torch device.
        progress: Called with (rows done, rows, note).

    Returns:
        float32 [n, dim].
    """
    out = np.empty((len(users), model.shape.dim), np.float32)
    fewest = min(FEWEST, options.batch) if on_processor(device) else options.batch
    for start in range(0, len(users), options.batch):
        stop = min(start + options.batch, len(users))
        rows = np.minimum(np.arange(start, max(stop, start + fewest)), stop - 1)
        sampled = _batch(
            model,
            torch.as_tensor(users[rows], dtype=torch.long, device=device),
            torch.as_tensor(scores[rows], dtype=torch.long, device=device),
            [seeds[row] for row in rows],
            make_scheduler(options.sampler, objective, schedule, options.steps, device),
            options.prior_guidance,
            device,
        )
        out[start:stop] = sampled[: stop - start]
        if progress is not None:
            progress(stop, len(users), "embeddings")
    return out


def _batch(
    model: PriorNetwork,
    user: Tensor,
    score: Tensor,
    seeds: Sequence[int],
    scheduler: Any,
    guidance: float,
    device: str,
) -> Floats:
    starts = [torch_generator(substream(s, "prior-init")) for s in seeds]
    noise = [torch_generator(substream(s, "prior-step")) for s in seeds]
    x = torch.stack([torch.randn(model.shape.dim, generator=start) for start in starts])
    x = x.to(device) * getattr(scheduler, "init_noise_sigma", 1.0)
    own_noise = step_options(scheduler, noise)
    null_user = torch.full_like(user, model.shape.null_user)
    null_score = torch.full_like(score, model.shape.null_score)
    if guidance == 0:
        user, score = null_user, null_score
    for t in scheduler.timesteps:
        scaled = scheduler.scale_model_input(x, t)
        times = torch.full((len(x),), int(t), device=device)
        if guidance in (0, 1):
            predicted = model(scaled, times, user, score)
        else:
            users, scores = torch.cat([null_user, user]), torch.cat([null_score, score])
            null, conditional = model(scaled.repeat(2, 1), times.repeat(2), users, scores).chunk(2)
            predicted = null + guidance * (conditional - null)
        x = scheduler.step(predicted, t, x, **own_noise).prev_sample
    return x.float().cpu().numpy()
