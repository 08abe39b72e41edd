"""The network of the verifier (He et al. 2017, arXiv 1708.05031, with item ids replaced by item embeddings).

For a user u and an item embedding E::

    g     = P_gmf[u] * (W_gmf E + b)
    m     = MLP([P_mlp[u]; W_mlp E + b])          each layer Linear, ReLU, Dropout
    logit = Linear([g; m]) + b_user[u] + (w_item . E + c)  (+ gain * population logit)

The last term is an addition of this project: a fixed prediction of how much users like the item on the whole, so
that the network spends its few ratings on what is personal. It is off in the published configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import torch
from torch import Tensor, nn

PAIRS_AT_ONCE = 1 << 15
"""Pairs whose hidden layers are held at once when all users score all items: fits the cache of one core."""


@dataclass(frozen=True, slots=True)
class NCFShape:
    """Everything that is needed to build the network again.

    Attributes:
        num_users: Users.
        emb_dim: Numbers of an item embedding.
        d: Width of both branches.
        mlp_layers: Widths of the hidden layers.
        dropout: After each hidden layer.
        population: Whether a population logit is added.
        user_scale: Standard deviation of the user factors at the start; 1 as published.
        linear_item: Whether there is a linear item term, as published.
    """

    num_users: int
    emb_dim: int
    d: int = 320
    mlp_layers: tuple[int, ...] = (64, 32)
    dropout: float = 0.2
    population: bool = False
    user_scale: float = 1.0
    linear_item: bool = True


class NCFModel(nn.Module):
    def __init__(self, shape: NCFShape) -> None:
        super().__init__()
        self.shape = shape
        d = shape.d
        self.user_gmf = nn.Embedding(shape.num_users, d)
        self.user_mlp = nn.Embedding(shape.num_users, d)
        self.item_gmf = nn.Linear(shape.emb_dim, d)
        self.item_mlp = nn.Linear(shape.emb_dim, d)
        widths = (2 * d, *shape.mlp_layers)
        layers = [(nn.Linear(*sizes), nn.ReLU(), nn.Dropout(shape.dropout)) for sizes in pairwise(widths)]
        self.mlp = nn.Sequential(*chain.from_iterable(layers))
        self.fuse = nn.Linear(d + widths[-1], 1)
        self.user_bias = nn.Embedding(shape.num_users, 1)
        self.item_bias = nn.Linear(shape.emb_dim, 1) if shape.linear_item else None
        self.gain = nn.Parameter(torch.ones(1)) if shape.population else None
        if shape.user_scale != 1.0:
            for table in (self.user_gmf, self.user_mlp):
                nn.init.normal_(table.weight, std=shape.user_scale)
            nn.init.zeros_(self.user_bias.weight)

    def forward(self, users: Tensor, embeddings: Tensor, population: Tensor | None = None) -> Tensor:
        """Logits [B] for user indices [B] and item embeddings [B, emb_dim]; population logits [B]."""
        product = self.user_gmf(users) * self.item_gmf(embeddings)
        joined = torch.cat([self.user_mlp(users), self.item_mlp(embeddings)], dim=1)
        logit = self.fuse(torch.cat([product, self.mlp(joined)], dim=1)) + self.user_bias(users)
        return self._with_item_terms(logit.squeeze(1), embeddings, population)

    def _with_item_terms(self, logit: Tensor, embeddings: Tensor, population: Tensor | None) -> Tensor:
        if self.item_bias is not None:
            logit = logit + self.item_bias(embeddings).squeeze(-1)
        if self.gain is not None:
            if population is None:
                raise ValueError("this model was built with population=True and needs population logits")
            logit = logit + self.gain * population
        return logit

    @torch.inference_mode()
    def all_pairs(self, embeddings: Tensor, population: Tensor | None = None, users: Tensor | None = None) -> Tensor:
        """Logits [users, n] of every user for every item, without forming the pairs' inputs.

        The product branch is one matrix product. The first hidden layer is a sum of a user part and an item part;
        only the later layers run over pairs, in blocks that stay in the cache.

        Args:
            embeddings: [n, emb_dim].
            population: [n], where the model uses it.
            users: User indices [m]; by default all users.
        """
        d = self.shape.d
        rows = slice(None) if users is None else users
        head = self.fuse.weight[0]
        logit = (self.user_gmf.weight[rows] * head[:d]) @ self.item_gmf(embeddings).T
        logit += self.user_bias.weight[rows] + self.fuse.bias
        user_part = self.user_mlp.weight[rows]
        item_part = self.item_mlp(embeddings)
        layers = [layer for layer in self.mlp if isinstance(layer, nn.Linear)]
        if not layers:
            joined_head = head[d:]
            logit += (user_part @ joined_head[:d])[:, None] + (item_part @ joined_head[d:])[None, :]
        else:
            first = layers[0]
            from_user = user_part @ first.weight[:, :d].T + first.bias
            from_item = item_part @ first.weight[:, d:].T
            users_at_once = max(1, PAIRS_AT_ONCE // max(1, len(from_item)))
            items_at_once = min(len(from_item), PAIRS_AT_ONCE) or 1
            for u in range(0, len(from_user), users_at_once):
                for i in range(0, len(from_item), items_at_once):
                    block = (from_user[u : u + users_at_once, None] + from_item[None, i : i + items_at_once]).relu_()
                    shape = block.shape[:2]
                    flat = block.flatten(0, 1)
                    for layer in layers[1:]:
                        flat = torch.addmm(layer.bias, flat, layer.weight.T).relu_()
                    logit[u : u + users_at_once, i : i + items_at_once] += (flat @ head[d:]).view(shape)
        return self._with_item_terms(logit, embeddings, population)


def build_ncf(shape: NCFShape, seed: int) -> NCFModel:
    """A network with PyTorch's default initialisation, from a seed, leaving the global random state alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NCFModel(shape)


def shape_from_json(raw: Any) -> NCFShape:
    return NCFShape(**{**raw, "mlp_layers": tuple(raw["mlp_layers"])})
