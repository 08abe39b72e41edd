"""Sampling from the prior against the published way, per embedding and step with guidance, on one core.

python scripts/perf/prior.py                   # with --compile also a compiled network, which takes minutes

The published way has 25 embeddings at once, passes the network twice, once without user and rating, and takes a step of
diffusers' DDPM. The network is written anew below, in the published shape, and has the same weights as this package's.
Both take turns in one process; the median CPU time of five turns after the first counts.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable

import click
import numpy as np
import torch
from torch import Tensor, nn

from rebeca.prior.network import build_prior
from rebeca.prior.options import PriorShape, SamplingOptions
from rebeca.prior.sampling import sample_prior

SHAPE = PriorShape(1024, 210)
PUBLISHED_BATCH = 25
STEPS = 10
"""Of one turn: all steps cost the same."""
TURNS = 6
OWN_BATCH = 48
"""Embeddings of one turn of this package, which divides them as it likes."""
GUIDANCE = 5.0
LEAST = 1.0
"""Limit of how many times faster than the published way this package has to be by default."""
APART = 1e-5
"""Limit of the largest difference between the networks' outputs."""
SPREAD = 0.05
"""Of what is added to the weights, some of which start at zero."""
Figure = dict[str, str | float | bool | None]


class PlainNorm(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden, elementwise_affine=False)
        self.scale, self.shift = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = (layer(condition).unsqueeze(1) for layer in (self.scale, self.shift))
        return self.norm(x) * (1 + scale) + shift


class PlainBlock(nn.Module):
    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([PlainNorm(hidden) for _ in range(3)])
        self.self_attention = nn.MultiheadAttention(hidden, heads, batch_first=True)
        self.cross_attention = nn.MultiheadAttention(hidden, heads, batch_first=True)
        self.gate = nn.Parameter(torch.zeros(()))
        self.mlp = nn.Sequential(nn.Linear(hidden, 4 * hidden), nn.GELU(), nn.Linear(4 * hidden, hidden))

    def forward(self, x: Tensor, tokens: Tensor, condition: Tensor) -> Tensor:
        h = self.norms[0](x, condition)
        x = x + self.self_attention(h, h, h, need_weights=False)[0]
        h = self.norms[1](x, condition)
        x = h + self.gate * self.cross_attention(h, tokens, tokens, need_weights=False)[0]
        return x + self.mlp(self.norms[2](x, condition))


class PlainTime(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(256, hidden), nn.SiLU(), nn.Linear(hidden, hidden))

    def forward(self, t: Tensor) -> Tensor:
        frequencies = torch.linspace(0.0, math.log(10_000.0), 128).exp()
        angles = t.float().unsqueeze(1) * frequencies
        return self.net(torch.cat([angles.sin(), angles.cos()], dim=1))


class PlainPrior(nn.Module):
    """The published network; modules are named as in this package, so that it takes the same weights."""

    def __init__(self, shape: PriorShape) -> None:
        super().__init__()
        width, hidden = shape.dim // shape.tokens, shape.hidden
        self.tokens = shape.tokens
        self.split, self.merge = nn.Linear(shape.dim, shape.dim), nn.Linear(shape.dim, shape.dim)
        self.in_proj, self.out_proj = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.user_table, self.score_table = nn.Embedding(shape.num_users + 1, hidden), nn.Embedding(3, hidden)
        self.time = PlainTime(hidden)
        self.condition = nn.Sequential(nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        self.blocks = nn.ModuleList([PlainBlock(hidden, shape.heads) for _ in range(shape.layers)])
        self.head = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor, t: Tensor, user: Tensor, score: Tensor) -> Tensor:
        h = self.in_proj(self.split(x).view(len(x), self.tokens, -1))
        tokens = torch.stack([self.user_table(user), self.score_table(score), self.time(t)], dim=1)
        condition = self.condition(tokens.mean(dim=1))
        for block in self.blocks:
            h = block(h, tokens, condition)
        return self.merge(self.out_proj(self.head(h)).reshape(len(x), -1))


@torch.no_grad()
def published_way(network: nn.Module) -> None:
    """One turn of the published loop."""
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler(1000, beta_schedule="squaredcos_cap_v2", prediction_type="sample", clip_sample=False)
    user, liked = torch.arange(PUBLISHED_BATCH), torch.ones(PUBLISHED_BATCH, dtype=torch.long)
    nobody, unrated = torch.full_like(user, SHAPE.null_user), torch.full_like(liked, SHAPE.null_score)
    x = torch.randn(PUBLISHED_BATCH, SHAPE.dim)
    for t in range(999, 999 - STEPS, -1):
        times = torch.full((PUBLISHED_BATCH,), t)
        null, conditional = network(x, times, nobody, unrated), network(x, times, user, liked)
        x = scheduler.step(null + GUIDANCE * (conditional - null), t, x).prev_sample


def measure(compiled: bool) -> list[Figure]:
    """Figures of both ways and of the options."""
    model = build_prior(SHAPE, 0).eval()
    with torch.no_grad():
        random = torch.Generator().manual_seed(0)
        for weights in model.parameters():
            weights.add_(SPREAD * torch.randn(weights.shape, generator=random))
    plain = PlainPrior(SHAPE).eval()
    plain.load_state_dict(model.state_dict())
    rows = torch.arange(PUBLISHED_BATCH)
    inputs = (torch.randn(PUBLISHED_BATCH, SHAPE.dim), 40 * rows, rows, rows % 3)
    with torch.no_grad():
        apart = float((model(*inputs) - plain(*inputs)).abs().max())
    users, liked = np.arange(OWN_BATCH), np.ones(OWN_BATCH, np.int64)

    def own_way(options: SamplingOptions) -> Callable[[], object]:
        return lambda: sample_prior(model, users, liked, range(OWN_BATCH), "sample", "squaredcos_cap_v2", options)

    default = SamplingOptions(steps=STEPS, prior_guidance=GUIDANCE)
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "published way": (lambda: published_way(plain), PUBLISHED_BATCH),
        "default": (own_way(default), OWN_BATCH),
        "bfloat16": (own_way(SamplingOptions(steps=STEPS, prior_guidance=GUIDANCE, dtype="bfloat16")), OWN_BATCH),
    }
    if compiled:
        options = SamplingOptions(steps=STEPS, prior_guidance=GUIDANCE, compile=True)
        ways["compiled"] = (own_way(options), OWN_BATCH)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, (turn, count) in ways.items():
            started = time.process_time()
            turn()
            seconds[name].append((time.process_time() - started) / (count * STEPS))
    medians = {name: statistics.median(taken[1:]) for name, taken in seconds.items()}
    figures: list[Figure] = [
        {"what": f"{name}: ms per embedding and step", "value": 1000 * taken, "limit": None, "met": None}
        for name, taken in medians.items()
    ]
    for name in list(ways)[1:]:
        ratio, limit = medians["published way"] / medians[name], LEAST if name == "default" else None
        met = None if limit is None else ratio >= limit
        figures.append({"what": f"{name}: times faster", "value": ratio, "limit": limit, "met": met})
    what = "largest difference between the networks' outputs"
    return [*figures, {"what": what, "value": apart, "limit": APART, "met": apart <= APART}]


@click.command()
@click.option("--compile", "compiled", is_flag=True, help="Also time a compiled network.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of figures as JSON.")
def main(compiled: bool, as_json: bool) -> None:
    """Prints times and their ratios; ends with 1 if a limit is missed."""
    torch.set_num_threads(1)
    figures = measure(compiled)
    if as_json:
        click.echo(json.dumps(figures, indent=1))
    else:
        for figure in figures:
            verdict = (
                "" if figure["met"] is None else f"  limit {figure['limit']}: {'met' if figure['met'] else 'MISSED'}"
            )
            click.echo(f"{figure['value']:12.6g}  {figure['what']}{verdict}")
    if any(figure["met"] is False for figure in figures):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
