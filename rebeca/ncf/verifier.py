"""The verifier: the probability that a user likes an image, for any user and any image.

``ncf`` is the default: several small networks on a few principal directions of the embeddings, averaged. Each has a
fixed population logit (what users like on the whole) as input. ``ncf-published`` is one network of the published shape
and training. Both are evaluated by their AUC within user beside a population control (docs/explanation/statistics.md).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from scipy.special import expit

from rebeca.arrays import Bools, Floats, Ints, Plain
from rebeca.data.interactions import Interactions
from rebeca.data.splits import Part
from rebeca.errors import DataError
from rebeca.ncf.model import NCFModel, NCFShape, shape_from_json
from rebeca.ncf.options import VerifierParams
from rebeca.ncf.training import NCFHistory, Rows, fit_ncf
from rebeca.population import PopulationModel, fit_population, out_of_fold
from rebeca.seeds import substream
from rebeca.space import LinearSpace
from rebeca.weights import save_weights

HELD_BACK_ROWS = 0.1
"""Published: a random tenth."""
FEWEST_FOLDS = 8
"""No network holds back more than an eighth of the items."""


class Verifier:
    def __init__(self, params: VerifierParams, device: str = "cpu") -> None:
        self.params = params
        self.device = device
        self.nets: list[NCFModel] = []
        self.space = LinearSpace()
        self.population: PopulationModel | None = None
        self.histories: list[NCFHistory] = []

    def fit(self, part: Part, embeddings: Floats, training_items: Bools, seed: int, progress: Any = None) -> Verifier:
        """Trains on the judge's own ratings.

        Args:
            part: Training and validation ratings.
            embeddings: float32 [items, dim]; the catalogue.
            training_items: bool [items]; items from which directions may be learned.
            seed: Seed of the fit.
            progress: Called with (done, total, note).
        """
        p = self.params
        train = part.joined() if p.hold_back == "items" else part.train
        if not train.liked.any() or train.liked.all():
            raise DataError("the verifier's training ratings are all likes or all dislikes", hint="check data.like_at")
        self.space = LinearSpace("pca" if p.dims else "none", p.dims, 1.0).fit(embeddings[training_items])
        points = self.space.forward(embeddings)
        logits = None
        if p.population:
            self.population = fit_population(train, embeddings, substream(seed, "population"))
            logits = out_of_fold(train, embeddings, seed=substream(seed, "folds")).astype(np.float32)
        shape = NCFShape(
            train.num_users,
            points.shape[1],
            p.d,
            tuple(p.mlp_layers),
            p.dropout,
            p.population,
            p.user_scale,
            p.linear_item,
        )
        rows = Rows(train.user, train.item, train.liked, points, logits)
        for index, held in enumerate(held_back(train, p.hold_back, p.nets, substream(seed, "held-back"))):
            model, history = fit_ncf(shape, rows, held, p, substream(seed, f"net-{index}"), self.device)
            self.nets.append(model)
            self.histories.append(history)
            if progress is not None:
                progress(index + 1, p.nets, "networks")
        return self

    def score_all(self, embeddings: Floats, users: Ints | None = None) -> Floats:
        """float64 [users, n]; probability that each user likes each image, from the networks' mean logit.

        Args:
            embeddings: float32 [n, dim] in the verifier's encoder space.
            users: User indices; by default all users.
        """
        points = torch.as_tensor(self.space.forward(embeddings), device=self.device)
        logits = None
        if self.population is not None:
            logits = torch.as_tensor(self.population.predict(embeddings).astype(np.float32), device=self.device)
        rows = None if users is None else torch.as_tensor(users, dtype=torch.long, device=self.device)
        total = sum(net.all_pairs(points, logits, rows).double() for net in self.nets)
        return expit((total / len(self.nets)).cpu().numpy())  # type: ignore[union-attr]

    def save(self, folder: Path) -> None:
        tensors: dict[str, torch.Tensor] = {}
        for index, net in enumerate(self.nets):
            tensors |= {f"net{index}.{k}": v for k, v in net.state_dict().items()}
        tensors |= {f"space.{k}": torch.as_tensor(np.ascontiguousarray(v)) for k, v in self.space.arrays.items()}
        described: dict[str, Plain] = {
            "shape": asdict(self.nets[0].shape),
            "nets": len(self.nets),
            "space": self.space.to_json(),
            "histories": [asdict(history) for history in self.histories],
        }
        if self.population is not None:
            p = self.population
            tensors |= {
                "population.centre": torch.as_tensor(p.centre),
                "population.anchors": torch.as_tensor(p.anchors),
                "population.weights": torch.as_tensor(p.weights),
            }
            described["population"] = {"offset": p.offset, "length": p.length, "noise_share": p.noise_share}
        save_weights(folder / "verifier.safetensors", tensors)
        (folder / "verifier.json").write_text(json.dumps(described, indent=1, sort_keys=True), encoding="utf-8")

    def load(self, folder: Path) -> Verifier:
        described = json.loads((folder / "verifier.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "verifier.safetensors")
        self.nets = []
        for index in range(described["nets"]):
            prefix = f"net{index}."
            net = NCFModel(shape_from_json(described["shape"]))
            net.load_state_dict({k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)})
            self.nets.append(net.to(self.device).eval())
        arrays = {k[len("space.") :]: v.numpy() for k, v in tensors.items() if k.startswith("space.")}
        self.space = LinearSpace(**described["space"], arrays=arrays)
        if "population" in described:
            self.population = PopulationModel(
                tensors["population.centre"].numpy(),
                tensors["population.anchors"].numpy(),
                tensors["population.weights"].numpy(),
                **described["population"],
            )
        self.histories = [
            NCFHistory(tuple(h["train"]), tuple(h["validation"]), h["best_epoch"], h["best_validation"])
            for h in described["histories"]
        ]
        return self


def held_back(train: Interactions, by: str, nets: int, seed: int) -> list[Bools]:
    """For every network bool [rows]; what it holds back for early stopping, at least one row and never all.

    Raises:
        DataError: If all ratings are of one item.
    """
    rng = np.random.default_rng(seed)
    if by == "rows":
        held = [rng.random(len(train)) < HELD_BACK_ROWS for _ in range(nets)]
        for mask in held:  # with few rows a tenth of them may be none, or all
            if mask.all() or not mask.any():
                mask[:] = np.arange(len(train)) == rng.integers(len(train))
        return held
    items = rng.permutation(np.unique(train.item))
    if len(items) < 2:
        raise DataError("the verifier's training ratings are all of one item: none can be held back")
    fold = np.full(train.num_items, -1)
    folds = min(max(nets, FEWEST_FOLDS), len(items))
    fold[items] = np.arange(len(items)) % folds
    return [fold[train.item] == index % folds for index in range(nets)]
