"""Training the verifier against a plain network that sees every rating by itself, on one core.

python scripts/perf/ncf.py                    # all sizes; the largest needs about 8 GiB
python scripts/perf/ncf.py --share 0.1        # a tenth of the ratings, users and items
python scripts/perf/ncf.py --size small

The plain network is trained as published: one embedding per rating, BCELoss with weights, Adam, then the validation
loss and a copy of the best state. Both start from the same weights, see the same rows in the same order and draw the
same dropout masks. Their epochs take turns in one process; the median CPU time of the epochs after the first counts.
Labels follow a taste of low rank with noise.
"""

from __future__ import annotations

import copy
import json
import math
import statistics
import time
from dataclasses import dataclass, field, replace

import click
import numpy as np
import torch
from torch import Tensor, nn

from benchmark.stats.verifier import auc_by_user
from rebeca.arrays import Bools, Floats
from rebeca.ncf.model import NCFShape, build_ncf
from rebeca.ncf.options import PublishedVerifierParams
from rebeca.ncf.training import Rows, equal_user_weights, fit_ncf
from rebeca.seeds import substream, torch_generator

SEED = 0
RANK = 4
"""Of the taste that makes the labels."""
LEARNING_RATE = 1e-3
"""So that a few epochs learn something."""
LOSS_EPOCHS = 3
"""First epochs whose losses are compared."""
TOLERANCE = 1e-4
"""Smallest improvement of the validation loss that counts."""
MOST_LOSS = 1e-5
"""Limit of the largest difference between their losses."""
MOST_AUC = 1e-3
"""Limit of the difference between the mean AUC within user on held-back ratings, after all epochs."""


@dataclass(frozen=True, slots=True)
class Size:
    """A data set and a network; ``limit`` is how many times faster this package has to be."""

    ratings: int
    items: int
    users: int
    dim: int
    d: int
    layers: tuple[int, ...]
    limit: float | None
    batch: int | None = None

    def part(self, share: float) -> Size:
        """A share of ratings, items and users; the limit is that of the whole."""
        ratings, items, users = (math.ceil(share * n) for n in (self.ratings, self.items, self.users))
        return replace(self, ratings=ratings, items=items, users=users, limit=self.limit if share == 1 else None)


SIZES = {
    "flickr-aes": Size(189_008, 40_988, 210, 1280, 480, (128, 64), 4.5),
    "oasis": Size(79_606, 414, 822, 1280, 480, (128, 64), 12.0),
    "small": Size(3000, 2000, 32, 64, 16, (64, 32), None, batch=64),
}


class PlainNetwork(nn.Module):
    """Takes one embedding per rating and joins what it makes of users and items."""

    def __init__(self, size: Size, dropout: float) -> None:
        super().__init__()
        self.product_user, self.joined_user = (nn.Embedding(size.users, size.d) for _ in range(2))
        self.bias_user = nn.Embedding(size.users, 1)
        self.product_item, self.joined_item = (nn.Linear(size.dim, size.d) for _ in range(2))
        self.bias_item = nn.Linear(size.dim, 1)
        self.hidden = nn.Sequential()
        width = 2 * size.d
        for out in size.layers:
            self.hidden.extend([nn.Linear(width, out), nn.ReLU(), nn.Dropout(dropout)])
            width = out
        self.last = nn.Linear(size.d + width, 1)

    def forward(self, users: Tensor, embeddings: Tensor) -> Tensor:
        product = self.product_user(users) * self.product_item(embeddings)
        hidden = self.hidden(torch.cat([self.joined_user(users), self.joined_item(embeddings)], dim=1))
        logit = self.last(torch.cat([product, hidden], dim=1)) + self.bias_user(users) + self.bias_item(embeddings)
        return logit.sigmoid().squeeze(1)


PLAIN_NAMES = {
    "user_gmf": "product_user",
    "user_mlp": "joined_user",
    "user_bias": "bias_user",
    "item_gmf": "product_item",
    "item_mlp": "joined_item",
    "item_bias": "bias_item",
    "mlp": "hidden",
    "fuse": "last",
}
"""What the plain network calls the modules of this package's."""


class PlainTraining:
    """The plain loop, one epoch at a time, with its own random state."""

    def __init__(self, size: Size, shape: NCFShape, rows: Rows, held: Bools, params: PublishedVerifierParams) -> None:
        self.model = PlainNetwork(size, params.dropout)
        start = build_ncf(shape, substream(SEED, "init")).state_dict()
        self.model.load_state_dict({_plain_name(name): value for name, value in start.items()})
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=params.lr, weight_decay=params.weight_decay)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimiser, patience=5, factor=0.5)
        self.train, self.held = (_columns(rows, mask, shape.num_users) for mask in (~held, held))
        self.batch = params.batch or len(self.train[0])
        self.shuffle = torch_generator(substream(SEED, "batches"))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(substream(SEED, "dropout"))
            self.random = torch.get_rng_state()
        self.losses: list[tuple[float, float]] = []
        self.best: tuple[float, dict[str, Tensor]] = (math.inf, {})

    def epoch(self) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.random)
            train_loss = self._steps()
            self.random = torch.get_rng_state()
        self.model.eval()
        with torch.no_grad():
            users, embeddings, liked, weight = self.held
            loss = nn.functional.binary_cross_entropy(self.model(users, embeddings), liked, weight=weight).item()
        self.plateau.step(loss)
        self.losses.append((train_loss, loss))
        if loss < self.best[0] - TOLERANCE:
            self.best = (loss, copy.deepcopy(self.model.state_dict()))

    def _steps(self) -> float:
        self.model.train()
        number, total = len(self.train[0]), 0.0
        order = torch.randperm(number, generator=self.shuffle).split(self.batch) if self.batch < number else [None]
        for chosen in order:
            users, embeddings, liked, weight = (column if chosen is None else column[chosen] for column in self.train)
            self.optimiser.zero_grad()
            loss = nn.functional.binary_cross_entropy(self.model(users, embeddings), liked, weight=weight)
            (loss * (len(users) / self.batch)).backward()
            self.optimiser.step()
            total += loss.item() * len(users) / number
        return total

    def scores(self) -> Floats:
        """Of the held-back ratings, by the best state."""
        self.model.load_state_dict(self.best[1])
        with torch.no_grad():
            return self.model.eval()(*self.held[:2]).double().numpy()


def _plain_name(name: str) -> str:
    module, rest = name.split(".", 1)
    return f"{PLAIN_NAMES[module]}.{rest}"


def _columns(rows: Rows, mask: Bools, users: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Users, embeddings, labels and weights with mean 1, one per rating."""
    weight = equal_user_weights(rows.user[mask], users) * mask.sum()
    embeddings = torch.from_numpy(rows.table)[torch.from_numpy(rows.item[mask])]
    floats = (torch.from_numpy(column.astype(np.float32)) for column in (rows.liked[mask], weight))
    return (torch.from_numpy(rows.user[mask]), embeddings, *floats)  # type: ignore[return-value]


def drawn(size: Size) -> tuple[Rows, Bools]:
    """Ratings of random items, and which of them, a tenth, are held back."""
    rng = np.random.default_rng(SEED)
    table = rng.normal(size=(size.items, size.dim)).astype(np.float32)
    user, item = rng.integers(size.users, size=size.ratings), rng.integers(size.items, size=size.ratings)
    tastes = rng.normal(size=(size.users, RANK)) @ rng.normal(size=(RANK, size.dim)) / math.sqrt(RANK * size.dim)
    logit = 2 * np.einsum("nd,nd->n", tastes[user].astype(np.float32), table[item])
    liked = rng.random(size.ratings) < 1 / (1 + np.exp(-logit))
    return Rows(user, item, liked, table), rng.random(size.ratings) < 0.1


@dataclass
class Turns:
    """Epochs of both trainings in turn, through the progress call of this package's."""

    plain: PlainTraining
    own: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    started: float = field(default_factory=time.process_time)

    def __call__(self, done: int, most: int, note: str) -> None:
        self.own.append(time.process_time() - self.started)
        self.started = time.process_time()
        self.plain.epoch()
        self.theirs.append(time.process_time() - self.started)
        self.started = time.process_time()


Figure = dict[str, str | float | bool | None]


def measure(name: str, size: Size, epochs: int) -> list[Figure]:
    """Figures of one size."""
    rows, held = drawn(size)
    params = PublishedVerifierParams(
        d=size.d, mlp_layers=size.layers, lr=LEARNING_RATE, batch=size.batch, epochs=epochs, patience=epochs
    )
    shape = NCFShape(size.users, size.dim, size.d, size.layers, params.dropout)
    turns = Turns(PlainTraining(size, shape, rows, held, params))
    model, history = fit_ncf(shape, rows, held, params, SEED, progress=turns, tolerance=TOLERANCE)
    own, theirs = (statistics.median(seconds[1:]) for seconds in (turns.own, turns.theirs))
    losses = np.array([history.train, history.validation]).T - turns.plain.losses
    with torch.inference_mode():
        scores = model.all_pairs(torch.from_numpy(rows.table)).double().sigmoid().numpy()
    users, items, liked = rows.user[held], rows.item[held], rows.liked[held]
    aucs = [
        float(np.nanmean(auc_by_user(users, liked, of_rows, size.users)))
        for of_rows in (scores[users, items], turns.plain.scores())
    ]
    return [
        {"what": f"{name}: seconds per epoch", "value": own, "limit": None, "met": None},
        {"what": f"{name}: seconds per epoch of the plain network", "value": theirs, "limit": None, "met": None},
        _figure(f"{name}: times faster", theirs / own, size.limit, least=True),
        _figure(f"{name}: largest difference of losses", float(np.abs(losses[:LOSS_EPOCHS]).max()), MOST_LOSS),
        {"what": f"{name}: AUC within user", "value": aucs[0], "limit": None, "met": None},
        _figure(f"{name}: difference of the AUC", abs(aucs[0] - aucs[1]), MOST_AUC),
    ]


def _figure(what: str, value: float, limit: float | None, *, least: bool = False) -> Figure:
    met = None if limit is None else value >= limit if least else value <= limit
    return {"what": what, "value": value, "limit": limit, "met": met}


@click.command()
@click.option("--size", "names", type=click.Choice(list(SIZES)), multiple=True, help="By default all.")
@click.option("--share", default=1.0, show_default=True, help="Of ratings, users and items.")
@click.option("--epochs", default=6, show_default=True, help="The first one is not timed.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of figures as JSON.")
def main(names: tuple[str, ...], share: float, epochs: int, as_json: bool) -> None:
    """Prints times, their ratio and differences; ends with 1 if a limit is missed."""
    torch.set_num_threads(1)
    figures = [figure for name in names or SIZES for figure in measure(name, SIZES[name].part(share), epochs)]
    if as_json:
        click.echo(json.dumps(figures, indent=1))
    else:
        for figure in figures:
            verdict = {None: "", True: f"  limit {figure['limit']}: met", False: f"  limit {figure['limit']}: MISSED"}
            click.echo(f"{figure['value']:12.6g}  {figure['what']}{verdict[figure['met']]}")  # type: ignore[index]
    if any(figure["met"] is False for figure in figures):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
