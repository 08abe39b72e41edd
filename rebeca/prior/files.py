"""Network and space of a trained prior as files."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file as load_numpy
from safetensors.numpy import save as numpy_bytes
from safetensors.torch import load_file

from rebeca.params import make_params
from rebeca.prior.network import PriorNetwork, build_prior
from rebeca.prior.options import PriorShape
from rebeca.space import LinearSpace
from rebeca.weights import save_weights

DESCRIBED = "prior.json"


def save_network(folder: Path, model: PriorNetwork, space: LinearSpace, guidance: float | None) -> None:
    """Writes network and space; ``guidance`` is the one that a fit chose."""
    save_weights(folder / "prior.safetensors", model.state_dict())
    arrays = {name: np.ascontiguousarray(array) for name, array in space.arrays.items()}
    (folder / "space.safetensors").write_bytes(numpy_bytes(arrays))
    described = {"shape": asdict(model.shape), "space": space.to_json(), "guidance": guidance}
    (folder / DESCRIBED).write_text(json.dumps(described, indent=1, sort_keys=True), encoding="utf-8")


def load_network(folder: Path, device: str) -> tuple[PriorNetwork, LinearSpace, float | None]:
    """What :func:`save_network` wrote, on a device, ready to sample."""
    described = json.loads((folder / DESCRIBED).read_text(encoding="utf-8"))
    space = LinearSpace(**described["space"], arrays=load_numpy(folder / "space.safetensors"))
    model = build_prior(make_params(PriorShape, described["shape"], "shape"), 0)
    model.load_state_dict(load_file(folder / "prior.safetensors"))
    return model.to(device).eval(), space, described["guidance"]
