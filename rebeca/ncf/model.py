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
from itertools import chain, islice, pairwise
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

PAIRS_AT_ONCE = 1 << 15
"""Pairs whose hidden layers are held at once when all users score all items: fits the cache of one core."""
CELLS_PER_ROW = 128
"""Pairs of all users and items, per pair that is asked for, up to which one matrix product of all is faster than dot
products of gathered rows (measured on a processor: about 250)."""


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


class _Weights(NamedTuple):
    """Weights of the layers whose inputs are joined, by input; ``first`` is the first hidden layer, or the last one.

    Attributes:
        product: [d]; last layer, of the product branch.
        branch: [width]; last layer, of the hidden layers.
        user: [width, d]; first layer, of the users' factors.
        item: [width, d]; first layer, of the items'.
        offset: [width]; bias of the first hidden layer, None without one.
    """

    product: Tensor
    branch: Tensor
    user: Tensor
    item: Tensor
    offset: Tensor | None


class _Side(NamedTuple):
    """What n users, or n items, bring to the logits of all their pairs.

    Attributes:
        product: [n, d]; a pair's dot product is the product branch.
        joined: [n, width]; a pair's sum enters the first hidden layer, or is the MLP branch if there is none.
        term: [n]; added to the logit.
    """

    product: Tensor
    joined: Tensor
    term: Tensor


class _Activation(torch.autograd.Function):
    """ReLU, then dropout, in place: the output alone tells where the gradient is zero."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dropout: float) -> Tensor:
        x.relu_()
        if dropout:
            x.mul_(torch.empty_like(x).bernoulli_(1 - dropout).div_(1 - dropout))
        ctx.dropout = dropout
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (output,) = ctx.saved_tensors
        return output.sign().mul_(grad).div_(1 - ctx.dropout), None


def _activation(x: Tensor, dropout: float) -> Tensor:
    result: Tensor = _Activation.apply(x, dropout)
    return result


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

    def forward(self, users: Tensor, items: Tensor, table: Tensor, population: Tensor | None = None) -> Tensor:
        """Logits of pairs; what depends on the item alone, or on the user alone, is computed once for each.

        Args:
            users: User indices [B].
            items: Rows of ``table`` [B].
            table: Embeddings of different items [items, emb_dim]; all of them are transformed.
            population: Population logits [items], where the model uses them.

        Returns:
            [B].
        """
        chosen = None
        if len(users) < self.shape.num_users:  # then only the users of these rows are transformed
            chosen, users = users, torch.arange(len(users), device=users.device)
        weights = self._weights()
        user, item = self._users(weights, chosen), self._items(weights, table, population)
        if len(user.term) * len(item.term) <= CELLS_PER_ROW * len(users):
            logit = _products(user, item).flatten().gather(0, users * len(item.term) + items)
        else:
            logit = (user.product.index_select(0, users) * item.product.index_select(0, items)).sum(1)
            logit = logit + user.term.gather(0, users) + item.term.gather(0, items)
        joined = user.joined.index_select(0, users).add_(item.joined.index_select(0, items))
        return logit + self._mlp_branch(weights, joined)

    @torch.inference_mode()
    def all_pairs(self, embeddings: Tensor, population: Tensor | None = None, users: Tensor | None = None) -> Tensor:
        """Logits [users, n] of every user for every item, without forming the pairs' inputs; in evaluation mode.

        Args:
            embeddings: [n, emb_dim].
            population: [n], where the model uses it.
            users: User indices [m]; by default all users.
        """
        weights = self._weights()
        user, item = self._users(weights, users), self._items(weights, embeddings, population)
        logit = _products(user, item)
        users_at_once = max(1, PAIRS_AT_ONCE // max(1, len(embeddings)))
        items_at_once = min(len(embeddings), PAIRS_AT_ONCE) or 1
        for u in range(0, len(user.joined), users_at_once):
            for i in range(0, len(item.joined), items_at_once):
                joined = user.joined[u : u + users_at_once, None] + item.joined[None, i : i + items_at_once]
                branch = self._mlp_branch(weights, joined.flatten(0, 1)).view(joined.shape[:2])
                logit[u : u + users_at_once, i : i + items_at_once] += branch
        return logit

    def _weights(self) -> _Weights:
        d, last = self.shape.d, self.fuse.weight
        product, branch = last[0].split([d, last.shape[1] - d])
        weight, offset = branch[None], None
        if self.shape.mlp_layers:
            first = cast("nn.Linear", self.mlp[0])
            weight, offset = first.weight, first.bias
        user, item = weight.split(d, dim=1)
        return _Weights(product, branch, user, item, offset)

    def _users(self, weights: _Weights, chosen: Tensor | None) -> _Side:
        """Of the chosen users [n], by default of all."""
        tables = (self.user_gmf, self.user_mlp, self.user_bias)
        gmf, mlp, bias = (table.weight if chosen is None else table(chosen) for table in tables)
        return _Side(gmf * weights.product, linear(mlp, weights.user, weights.offset), (bias + self.fuse.bias)[:, 0])

    def _items(self, weights: _Weights, table: Tensor, population: Tensor | None) -> _Side:
        d, dim, width = self.shape.d, self.shape.emb_dim, len(weights.item)
        if dim * width < d * (dim + width):  # cheaper as one map; not a matter of how many items, for equal rounding
            both = weights.item @ self.item_mlp.weight
            joined = linear(table, both, weights.item @ self.item_mlp.bias)
        else:
            joined = linear(self.item_mlp(table), weights.item)
        term = table.new_zeros(len(table)) if self.item_bias is None else self.item_bias(table)[:, 0]
        if self.gain is not None:
            if population is None:
                raise ValueError("this model was built with population=True and needs population logits")
            term = term + self.gain * population
        return _Side(self.item_gmf(table), joined, term)

    def _mlp_branch(self, weights: _Weights, joined: Tensor) -> Tensor:
        """[n, width] -> [n]; overwrites ``joined``."""
        if not self.shape.mlp_layers:
            return joined[:, 0]
        dropout = self.shape.dropout if self.training else 0.0
        hidden = _activation(joined, dropout)
        for layer in islice(self.mlp, 3, None, 3):
            hidden = _activation(layer(hidden), dropout)
        return hidden @ weights.branch


def _products(user: _Side, item: _Side) -> Tensor:
    """[users, items]; logits of all pairs without the MLP branch."""
    return torch.addmm(item.term, user.product, item.product.T) + user.term[:, None]


def build_ncf(shape: NCFShape, seed: int) -> NCFModel:
    """A network with PyTorch's default initialisation, from a seed, leaving the global random state alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NCFModel(shape)


def shape_from_json(raw: Any) -> NCFShape:
    return NCFShape(**{**raw, "mlp_layers": tuple(raw["mlp_layers"])})
