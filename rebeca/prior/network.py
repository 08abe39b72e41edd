"""The prior's networks.

``transformer`` is the published one: the embedding is split into tokens by a learned map, blocks attend to a user,
a rating and a time token, and adaptive layer norm modulates by their mean. ``mlp`` is the small network of the
published synthetic experiment. Both predict from a noisy embedding x, a time t, a user and a rating.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rebeca.errors import SpecError
from rebeca.prior.options import SCORE_CLASSES, PriorShape

TIME_FREQUENCIES = 128
TIME_BASE = 10_000.0


class TimeEmbedding(nn.Module):
    """Sine and cosine of t times frequencies from 1 to 10,000, then Linear, SiLU, Linear.

    The original multiplies by the frequencies (most implementations divide), which is kept.
    """

    frequencies: Tensor

    def __init__(self, hidden: int) -> None:
        super().__init__()
        steps = torch.linspace(0.0, math.log(TIME_BASE), TIME_FREQUENCIES)
        self.register_buffer("frequencies", steps.exp(), persistent=False)
        self.net = nn.Sequential(nn.Linear(2 * TIME_FREQUENCIES, hidden), nn.SiLU(), nn.Linear(hidden, hidden))

    def forward(self, t: Tensor) -> Tensor:
        """[B] -> [B, hidden]."""
        angles = t.float()[:, None] * self.frequencies
        return self.net(torch.cat([angles.sin(), angles.cos()], dim=1))


class AdaptiveNorm(nn.Module):
    """LayerNorm without parameters, scaled and shifted by the condition; starts as plain LayerNorm."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden, elementwise_affine=False)
        self.scale = nn.Linear(hidden, hidden)
        self.shift = nn.Linear(hidden, hidden)
        for layer in (self.scale, self.shift):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        """[B, T, H], [B, H] -> [B, T, H]."""
        return self.norm(h) * (1 + self.scale(condition)[:, None]) + self.shift(condition)[:, None]


class PriorBlock(nn.Module):
    """Self-attention, cross-attention to the condition tokens behind a gate that starts at zero, feed-forward."""

    def __init__(self, shape: PriorShape) -> None:
        super().__init__()
        hidden = shape.hidden
        self.residual = shape.residual
        self.norms = nn.ModuleList(AdaptiveNorm(hidden) for _ in range(3))
        self.self_attention = nn.MultiheadAttention(hidden, shape.heads, batch_first=True)
        self.cross_attention = nn.MultiheadAttention(hidden, shape.heads, batch_first=True)
        self.gate = nn.Parameter(torch.zeros(()))
        last = nn.Linear(4 * hidden, hidden)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.mlp = nn.Sequential(nn.Linear(hidden, 4 * hidden), nn.GELU(), last)

    def forward(self, x: Tensor, tokens: Tensor, condition: Tensor) -> Tensor:
        """[B, T, H], condition tokens [B, 3, H], condition [B, H] -> [B, T, H]."""
        h = self.norms[0](x, condition)
        x = x + self.self_attention(h, h, h, need_weights=False)[0]
        h = self.norms[1](x, condition)
        attended = self.gate * self.cross_attention(h, tokens, tokens, need_weights=False)[0]
        x = (h if self.residual == "reference" else x) + attended
        return x + self.mlp(self.norms[2](x, condition))


class TransformerPrior(nn.Module):
    """The published network; 4,411,174 parameters at dim 1024, 210 users, 32 tokens, 128 wide, 6 layers."""

    def __init__(self, shape: PriorShape) -> None:
        super().__init__()
        if shape.dim % shape.tokens or shape.hidden % shape.heads:
            raise SpecError(
                f"tokens ({shape.tokens}) must divide dim ({shape.dim}), heads ({shape.heads}) hidden ({shape.hidden})"
            )
        self.shape = shape
        width, hidden = shape.dim // shape.tokens, shape.hidden
        self.split = nn.Linear(shape.dim, shape.dim)
        self.in_proj = nn.Linear(width, hidden)
        self.user_table = nn.Embedding(shape.num_users + 1, hidden)
        self.score_table = nn.Embedding(SCORE_CLASSES + 1, hidden)
        self.time = TimeEmbedding(hidden)
        self.condition = nn.Sequential(nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        self.blocks = nn.ModuleList(PriorBlock(shape) for _ in range(shape.layers))
        self.head = nn.Linear(hidden, hidden)
        self.out_proj = nn.Linear(hidden, width)
        self.merge = nn.Linear(shape.dim, shape.dim)

    def forward(self, x: Tensor, t: Tensor, user: Tensor, score: Tensor) -> Tensor:
        """[B, dim], [B], [B], [B] -> [B, dim]."""
        h = self.in_proj(self.split(x).view(len(x), self.shape.tokens, -1))
        tokens = torch.stack([self.user_table(user), self.score_table(score), self.time(t)], dim=1)
        condition = self.condition(tokens.mean(dim=1))
        for block in self.blocks:
            h = block(h, tokens, condition)
        return self.merge(self.out_proj(self.head(h)).flatten(1))


class MLPPrior(nn.Module):
    """The network of the published synthetic experiment: one wide layer, residual blocks, input skip.

    Time is the usual sinusoidal embedding of 100 numbers; user and rating have 16 each.
    """

    TIME_WIDTH = 100
    frequencies: Tensor

    def __init__(self, shape: PriorShape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.user_width
        self.user_table = nn.Embedding(shape.num_users + 1, width)
        self.score_table = nn.Embedding(SCORE_CLASSES + 1, width)
        half = self.TIME_WIDTH // 2
        steps = torch.arange(half) * (-math.log(TIME_BASE) / (half - 1))
        self.register_buffer("frequencies", steps.exp(), persistent=False)
        hidden = shape.hidden
        self.first = nn.Sequential(
            nn.Linear(shape.dim + 2 * width + self.TIME_WIDTH, hidden), nn.BatchNorm1d(hidden), nn.GELU()
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(hidden, hidden),
                nn.BatchNorm1d(hidden),
                nn.GELU(),
                nn.Linear(hidden, hidden),
                nn.BatchNorm1d(hidden),
            )
            for _ in range(shape.layers)
        )
        self.activation = nn.GELU()
        self.last = nn.Linear(hidden, shape.dim)

    def forward(self, x: Tensor, t: Tensor, user: Tensor, score: Tensor) -> Tensor:
        """[B, dim], [B], [B], [B] -> [B, dim]."""
        angles = t.float()[:, None] * self.frequencies
        inputs = [x, self.user_table(user), angles.sin(), angles.cos(), self.score_table(score)]
        h = self.first(torch.cat(inputs, dim=1))
        for block in self.blocks:
            h = self.activation(h + block(h))
        return x + self.last(h)


PriorNetwork = TransformerPrior | MLPPrior


def build_prior(shape: PriorShape, seed: int) -> PriorNetwork:
    """A network with PyTorch's default initialisation, from a seed, leaving the global random state alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TransformerPrior(shape) if shape.network == "transformer" else MLPPrior(shape)
