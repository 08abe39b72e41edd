"""The judges ``ncf`` and ``ncf-published``: the probability that a user likes an image, for any user and any image.

``ncf`` is the default: several small networks on a few principal directions of the embeddings, averaged. Each has a
fixed population logit (what users like on the whole) as input. ``ncf-published`` is one network of the published shape
and training. Both are evaluated by their AUC within user beside a population control (docs/explanation/statistics.md).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rebeca.arrays import Bools, Floats, Ints, Plain
from rebeca.data.interactions import Interactions
from rebeca.data.splits import Part
from rebeca.errors import DataError, PluginError
from rebeca.interfaces import Judge, JudgeContext
from rebeca.ncf.options import PublishedVerifierParams, VerifierParams
from rebeca.population import PopulationModel, fit_leaving_out
from rebeca.references import NCF
from rebeca.seeds import substream
from rebeca.space import LinearSpace
from rebeca.weights import save_weights

if TYPE_CHECKING:
    from rebeca.ncf.model import NCFModel
    from rebeca.ncf.training import NCFHistory

HELD_BACK_ROWS = 0.1
"""Published: a random tenth."""
FEWEST_FOLDS = 8
"""No network holds back more than an eighth of the items."""


class NCFJudge(Judge[VerifierParams]):
    """``ncf``: several small networks on a few directions of the embeddings, averaged.

    Source: He et al. 2017, Neural Collaborative Filtering, arXiv 1708.05031.
    """

    Params = VerifierParams
    references = (NCF,)

    def __init__(self, params: VerifierParams, context: JudgeContext) -> None:
        super().__init__(params, context)
        self._space = LinearSpace()
        self._population: PopulationModel | None = None
        self._fits: list[tuple[NCFModel, NCFHistory]] = []

    def fit(self, part: Part, embeddings: Floats) -> None:
        from rebeca.ncf.model import NCFShape
        from rebeca.ncf.training import Rows, fit_ncf

        p, context = self.params, self.context
        context.progress(0, p.nets, "networks")
        train = part.joined() if p.hold_back == "items" else part.train
        if not train.liked.any() or train.liked.all():
            raise DataError("the verifier's training ratings are all likes or all dislikes", hint="check data.like_at")
        self._space = LinearSpace("pca" if p.dims else "none", p.dims).fit(embeddings[context.training_items])
        points = self._space.forward(embeddings)
        self._population, logits = None, None
        if p.population:
            self._population, left_out = fit_leaving_out(train, embeddings, substream(context.seed, "population"))
            logits = left_out.astype(np.float32)
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
        self._fits = []
        for index, held in enumerate(held_back(train, p.hold_back, p.nets, substream(context.seed, "held-back"))):
            self._fits.append(fit_ncf(shape, rows, held, p, substream(context.seed, f"net-{index}"), context.device))
            context.progress(index + 1, p.nets, "networks")

    def score_all(self, embeddings: Floats, users: Ints | None = None) -> Floats:
        """float64 [users, n] in [0, 1]; the logistic function of the networks' mean logit."""
        import torch
        from scipy.special import expit

        nets, device = self._nets(), self.context.device
        points = torch.as_tensor(self._space.forward(embeddings), device=device)
        logits = None
        if self._population is not None:
            logits = torch.as_tensor(self._population.predict(embeddings).astype(np.float32), device=device)
        rows = None if users is None else torch.as_tensor(users, dtype=torch.long, device=device)
        total = sum(net.all_pairs(points, logits, rows).double() for net in nets)
        return expit((total / len(nets)).cpu().numpy())  # type: ignore[union-attr]

    def save(self, folder: Path) -> None:
        import torch

        nets = self._nets()
        tensors = {f"net{index}.{k}": v for index, net in enumerate(nets) for k, v in net.state_dict().items()}
        tensors |= {f"space.{k}": torch.as_tensor(np.ascontiguousarray(v)) for k, v in self._space.arrays.items()}
        described: dict[str, Plain] = {
            "shape": asdict(nets[0].shape),
            "nets": len(nets),
            "space": self._space.to_json(),
            "histories": [asdict(history) for _, history in self._fits],
        }
        if self._population is not None:
            p = self._population
            tensors |= {
                "population.centre": torch.as_tensor(p.centre),
                "population.anchors": torch.as_tensor(p.anchors),
                "population.weights": torch.as_tensor(p.weights),
            }
            described["population"] = {"offset": p.offset, "length": p.length, "noise_share": p.noise_share}
        save_weights(folder / "verifier.safetensors", tensors)
        (folder / "verifier.json").write_text(json.dumps(described, indent=1, sort_keys=True), encoding="utf-8")

    def load(self, folder: Path) -> None:
        from safetensors.torch import load_file

        from rebeca.ncf.model import build_ncf, shape_from_json
        from rebeca.ncf.training import NCFHistory

        described = json.loads((folder / "verifier.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "verifier.safetensors")
        self._fits = []
        for index, losses in enumerate(described["histories"]):
            prefix = f"net{index}."
            net = build_ncf(shape_from_json(described["shape"]), 0)
            net.load_state_dict({k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)})
            losses |= {part: tuple(losses[part]) for part in ("train", "validation")}
            self._fits.append((net.to(self.context.device).eval(), NCFHistory(**losses)))
        arrays = {k[len("space.") :]: v.numpy() for k, v in tensors.items() if k.startswith("space.")}
        self._space = LinearSpace(**described["space"], arrays=arrays)
        if "population" in described:
            self._population = PopulationModel(
                tensors["population.centre"].numpy(),
                tensors["population.anchors"].numpy(),
                tensors["population.weights"].numpy(),
                **described["population"],
            )

    def _nets(self) -> list[NCFModel]:
        if not self._fits:
            raise PluginError("it was asked before it was fitted or loaded")
        return [net for net, _ in self._fits]


class PublishedNCFJudge(NCFJudge):
    """``ncf-published``: one network of the published shape and training."""

    Params = PublishedVerifierParams


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
