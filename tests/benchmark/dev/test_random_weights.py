"""Random weights in published layouts."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from benchmark.dev.random_weights import LAYOUTS, _position_ids, _shapes, make_weights
from rebeca.errors import StoreError
from rebeca.published import ALL, find


@pytest.mark.parametrize(
    ("layout", "millions"),
    [
        ("sd15", {"unet": 859.52, "vae": 83.65, "text": 123.06}), ("ip-adapter", {"adapter": 22.32}),
        ("vit-h", {"image": 632.08}), ("vit-l", {"clip": 427.62}), ("vit-g", {"image": 1844.91}),
        ("hpsv2", {"clip": 986.11}), ("laion", {"head": 0.93}),
    ],
)  # fmt: skip
def test_full_layouts_have_the_published_numbers_of_parameters(layout, millions):
    for model, shapes in _shapes(layout, "full").items():
        assert round(sum(math.prod(shape) for shape in shapes.values()) / 1e6, 2) == millions.pop(model)
    assert not millions


@pytest.mark.parametrize(
    ("layout", "model", "file", "extra"),
    [
        ("sd15", "unet", "unet/diffusion_pytorch_model.safetensors", 0),
        ("sd15", "vae", "vae/diffusion_pytorch_model.safetensors", 0),
        ("sd15", "text", "text_encoder/model.safetensors", 77),
        ("vit-h", "image", "models/image_encoder/model.safetensors", 257),
        ("vit-g", "image", "sdxl_models/image_encoder/model.safetensors", 257),
        ("vit-l", "clip", "model.safetensors", 257 + 77),
    ],
)
def test_full_layouts_have_the_published_sizes(layout, model, file, extra):
    """Names and shapes make a file's length; with the published ones it is the published one but for its header."""
    shapes = _shapes(layout, "full")[model]
    half = layout == "vit-g"
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape)) * (2 if half else 4)
        header[name] = {"dtype": "F16" if half else "F32", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    for name in _position_ids(layout, "full") if extra else ():
        places = 257 if name.startswith("vision") else 77
        header[name] = {"dtype": "I64", "shape": [1, places], "data_offsets": [at, at + 8 * places]}
        at += 8 * places
    length = 8 + len(json.dumps(header, separators=(",", ":"))) + at
    wanted = next(each.size for each in published_of(layout).files if each.name == file)
    assert abs(length - wanted) < 128, length - wanted


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tiny_and_full_layouts_have_the_same_files(layout, published):
    folder = published / published_of(layout).folder
    names = {file.name for file in published_of(layout).files}
    assert all((folder / name).is_file() for name in names)
    assert names <= set(json.loads((folder / "random-weights.json").read_text())["files"])


def published_of(layout):
    return ALL[LAYOUTS[layout]]


def test_the_adapters_keys_are_the_published_ones(published):
    from safetensors import safe_open

    with safe_open(published / "h94--IP-Adapter" / "models" / "ip-adapter_sd15.safetensors", "pt") as stored:
        names = set(stored.keys())
    layers = {f"ip_adapter.{k}" for k in range(1, 32, 2)}
    assert names == {f"{layer}.{part}.weight" for layer in layers for part in ("to_k_ip", "to_v_ip")} | {
        f"image_proj.{part}.{end}" for part in ("proj", "norm") for end in ("weight", "bias")
    }


def test_the_same_seed_gives_the_same_files(tmp_path, random_weights):
    folder = make_weights("vit-h", "tiny", tmp_path)
    assert (folder / "models/image_encoder/model.safetensors").read_bytes() == (
        random_weights / folder.name / "models/image_encoder/model.safetensors"
    ).read_bytes()
    other = make_weights("vit-h", "tiny", tmp_path / "other", seed=1)
    assert (folder / "models/image_encoder/model.safetensors").read_bytes() != (
        other / "models/image_encoder/model.safetensors"
    ).read_bytes()


def test_random_weights_say_so_and_never_replace_others(published, tmp_path):
    assert published and find("sd15").origin == "random"
    assert " random " in find("sd15").identity("sd15")
    real = tmp_path / "openai--clip-vit-large-patch14"
    real.mkdir()
    (real / "model.safetensors").write_bytes(b"somebody's")
    with pytest.raises(StoreError, match="not random"):
        make_weights("vit-l", "tiny", tmp_path)
    assert (real / "model.safetensors").read_bytes() == b"somebody's"
