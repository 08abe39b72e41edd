"""Sampling embeddings from the prior: those of all users in one stream of batches.

How a matrix product rounds depends on its number of rows. So short batches are filled up, and an embedding does not
depend on how many others are sampled beside it.

Guidance: ``f_null + w (f(user, rating) - f_null)`` in the network's own output space. w = 0 ignores the condition,
w = 1 is conditional, w above 1 extrapolates. Both passes run as one batch.
"""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rebeca.arrays import Floats, Ints
from rebeca.device import device_class, on_processor
from rebeca.errors import SpecError
from rebeca.prior.diffusion import make_scheduler
from rebeca.prior.network import PriorNetwork
from rebeca.prior.options import Objective, PriorShape, SamplingOptions, Schedule
from rebeca.schedulers import step_options
from rebeca.seeds import substream, torch_generator

Network = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""From noisy embeddings, times, users and ratings."""
FEWEST = 32
"""Rows of the network's batch on the CPU at least. Only products of about a dozen rows or fewer round otherwise there,
so more would take time and change nothing. Other devices, compiled networks and bfloat16 choose kernels by every size
and are given full batches."""
CACHED = 1 << 19
"""Numbers of the widest layer that a processor computes at once, beyond :data:`FEWEST` rows: 2 MiB, 32 rows of the
published network."""
FREED = 24 << 20
"""Bytes that are taken and freed before sampling on a processor. Having seen a block of this size, glibc keeps the
memory of smaller ones, which it would otherwise give back and clear again in every layer: up to a fifth of the time."""


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

    Raises:
        SpecError: If the network is to be compiled and cannot be.
    """
    out = np.empty((len(users), model.shape.dim), np.float32)
    if on_processor(device):
        torch.empty(FREED, dtype=torch.uint8)
    batch, network = _rows_at_once(model.shape, options, device), _network(model, options, device)
    fills = not on_processor(device) or options.compile or options.dtype != "float32"
    fewest = batch if fills else FEWEST // _passes(options)
    for start in range(0, len(users), batch):
        stop = min(start + batch, len(users))
        rows = np.minimum(np.arange(start, max(stop, start + fewest)), stop - 1)
        with torch.autocast(device_class(device), torch.bfloat16, enabled=options.dtype == "bfloat16"):
            sampled = _batch(
                network,
                model.shape,
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


def _passes(options: SamplingOptions) -> int:
    return 1 if options.prior_guidance in (0, 1) else 2


def _rows_at_once(shape: PriorShape, options: SamplingOptions, device: str) -> int:
    if not on_processor(device):
        return options.batch
    passes = _passes(options)
    return max(FEWEST, min(passes * options.batch, CACHED // shape.widest)) // passes


def _network(model: PriorNetwork, options: SamplingOptions, device: str) -> Network:
    """The network with weights as the options say, and compiled if they say so.

    Raises:
        SpecError: If this machine cannot compile it.
    """
    if options.dtype == "bfloat16":
        model = copy.deepcopy(model)
        for layer in model.modules():
            if isinstance(layer, nn.Linear | nn.MultiheadAttention):
                layer.bfloat16()  # once, while autocast would do it in every step
    if not options.compile:
        return model
    compiler = os.environ.get("CXX", "g++")
    if on_processor(device) and shutil.which(compiler) is None:
        raise SpecError(
            f"compile: PyTorch needs a C++ compiler, and there is no '{compiler}'",
            hint="install one, name it in the environment variable CXX, or set compile: false",
        )
    compiled: Network = torch.compile(model, dynamic=False)
    return compiled


def _batch(
    network: Network,
    shape: PriorShape,
    user: Tensor,
    score: Tensor,
    seeds: Sequence[int],
    scheduler: Any,
    guidance: float,
    device: str,
) -> Floats:
    starts = [torch_generator(substream(s, "prior-init")) for s in seeds]
    noise = [torch_generator(substream(s, "prior-step")) for s in seeds]
    x = torch.stack([torch.randn(shape.dim, generator=start) for start in starts])
    x = x.to(device) * getattr(scheduler, "init_noise_sigma", 1.0)
    own_noise = step_options(scheduler, noise)
    null_user = torch.full_like(user, shape.null_user)
    null_score = torch.full_like(score, shape.null_score)
    if guidance == 0:
        user, score = null_user, null_score
    for t in scheduler.timesteps:
        scaled = scheduler.scale_model_input(x, t)
        times = torch.full((len(x),), int(t), device=device)
        if guidance in (0, 1):
            predicted = network(scaled, times, user, score).float()
        else:
            users, scores = torch.cat([null_user, user]), torch.cat([null_score, score])
            null, conditional = network(scaled.repeat(2, 1), times.repeat(2), users, scores).float().chunk(2)
            predicted = null + guidance * (conditional - null)
        x = scheduler.step(predicted, t, x, **own_noise).prev_sample
    return x.float().cpu().numpy()
