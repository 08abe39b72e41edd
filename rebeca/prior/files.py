"""A trained prior as files, as the generator saves it and :mod:`rebeca.train_prior` writes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rebeca.arrays import Floats
from rebeca.errors import SpecError
from rebeca.options import RebecaParams
from rebeca.params import make_params, params_json
from rebeca.prior.options import DISLIKE, LIKE, PriorShape, SamplingOptions
from rebeca.space import LinearSpace
from rebeca.weights import reading, save_weights

DESCRIBED = "prior.json"
CONFIGURED = "params.json"
"""Parameters and ids of the users, beside a prior that was trained alone."""


def save_network(folder: Path, model: Any, shape: PriorShape, space: LinearSpace, guidance: float | None) -> None:
    """Writes network and space; ``guidance`` is the one that a fit chose."""
    from safetensors.numpy import save as numpy_bytes

    save_weights(folder / "prior.safetensors", model.state_dict())
    arrays = {name: np.ascontiguousarray(array) for name, array in space.arrays.items()}
    (folder / "space.safetensors").write_bytes(numpy_bytes(arrays))
    described = {"shape": asdict(shape), "space": space.to_json(), "guidance": guidance}
    (folder / DESCRIBED).write_text(json.dumps(described, indent=1, sort_keys=True), encoding="utf-8")


def load_network(folder: Path, device: str) -> tuple[Any, PriorShape, LinearSpace, float | None]:
    """What :func:`save_network` wrote, on a device, ready to sample."""
    from safetensors.numpy import load_file as load_numpy
    from safetensors.torch import load_file

    from rebeca.prior.network import build_prior

    described = json.loads((folder / DESCRIBED).read_text(encoding="utf-8"))
    space = LinearSpace(**described["space"], arrays=load_numpy(folder / "space.safetensors"))
    shape = PriorShape(**described["shape"])
    model = build_prior(shape, 0)
    model.load_state_dict(load_file(folder / "prior.safetensors"))
    return model.to(device).eval(), shape, space, described["guidance"]


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """A trained prior and all that sampling from it takes.

    Attributes:
        model: The network.
        shape: Its shape.
        space: Its space.
        params: Parameters of the generator.
        users: Ids of the users that it was trained on, in the order of its table.
        device: Torch device.
    """

    model: Any
    shape: PriorShape
    space: LinearSpace
    params: RebecaParams
    users: tuple[str, ...]
    device: str = "cpu"

    def sample(self, users: Sequence[str], seeds: Sequence[int], liked: bool = True) -> Floats:
        """Samples one embedding per user and seed.

        Args:
            users: Ids of n users.
            seeds: n seeds; an embedding depends on its own seed and not on the others.
            liked: Whether embeddings are asked for that the user likes, or dislikes.

        Returns:
            float32 [n, dim], in the space of the embeddings that the prior was trained on.

        Raises:
            SpecError: If a user is unknown, or the guidance is not a number.
        """
        from rebeca.prior.sampling import sample_prior

        p, index = self.params, {name: place for place, name in enumerate(self.users)}
        unknown = [user for user in users if user not in index]
        if unknown:
            raise SpecError(f"the prior was not trained on the user '{unknown[0]}'")
        if isinstance(p.prior_guidance, str):
            raise SpecError("prior_guidance: nothing was chosen on validation ratings", hint="give a number")
        rows = np.array([index[user] for user in users], np.int64)
        points = sample_prior(
            self.model,
            rows,
            np.full(len(rows), LIKE if liked else DISLIKE),
            seeds,
            p.objective,
            p.schedule,
            SamplingOptions(p.sampler, p.steps, p.prior_guidance, p.sample_batch),
            self.device,
        )
        return self.space.inverse(points)

    def save(self, folder: Path) -> None:
        """Writes the prior into a folder."""
        save_network(folder, self.model, self.shape, self.space, None)
        configured = {"params": params_json(self.params), "users": self.users}
        (folder / CONFIGURED).write_text(json.dumps(configured, indent=1, sort_keys=True), encoding="utf-8")


def load_prior(folder: Path, device: str = "cpu") -> Prior:
    """Reads a prior that ``python -m rebeca.train_prior`` wrote.

    Args:
        folder: One folder per configuration, ``prior-...`` in its output.
        device: Torch device.

    Raises:
        SpecError: If it holds no prior, or a damaged one.
    """
    with reading(f"{folder}: holds no prior that can be read", SpecError, "name a folder prior-... of train_prior"):
        configured = json.loads((folder / CONFIGURED).read_text(encoding="utf-8"))
        params = make_params(RebecaParams, configured["params"], "params")
        model, shape, space, _ = load_network(folder, device)
        return Prior(model, shape, space, params, tuple(configured["users"]), device)
