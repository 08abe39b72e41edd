"""Published weights: found, hashed, refused by name; random ones in their layouts; encoders that load them."""

from __future__ import annotations

import gc
import hashlib
import json
import pickle
import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.dev.random_weights import LAYOUTS, make_weights, parameters
from benchmark.runner.plugins import build_encoder
from benchmark.task.encoders import resolve_encoder
from benchmark.task.file import EncoderSpec
from rebeca import published
from rebeca.errors import MissingDependency, SpecError, StoreError

PICTURES = [np.random.default_rng(i).integers(0, 255, (40 + 9 * i, 60, 3)).astype(np.uint8) for i in range(5)]


def resolved(name, **params):
    return resolve_encoder(EncoderSpec.model_validate({"use": f"published:{name}", "params": params}), Path())


def encoder(name, **params):
    return build_encoder(resolved(name, **params), "cpu")


@pytest.fixture
def copied(random_weights, tmp_path, monkeypatch):
    """Weights that a test may damage."""
    shutil.copytree(random_weights, tmp_path / "weights")
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


@pytest.mark.parametrize(
    ("layout", "millions"),
    [
        ("sd15", {"unet": 859.52, "vae": 83.65, "text": 123.06}), ("ip-adapter", {"adapter": 22.32}),
        ("vit-h", {"image": 632.08}), ("vit-l", {"clip": 427.62}), ("vit-g", {"image": 1844.91}),
        ("hpsv2", {"clip": 986.11}), ("laion", {"head": 0.93}),
    ],
)  # fmt: skip
def test_full_layouts_have_the_published_numbers_of_parameters(layout, millions):
    found = {name: round(count / 1e6, 2) for name, count in parameters(layout, "full").items()}
    assert found == millions


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
    from benchmark.dev import random_weights

    shapes = random_weights._shapes(layout, "full")[model]
    half = layout == "vit-g"
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape)) * (2 if half else 4)
        header[name] = {"dtype": "F16" if half else "F32", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    for name in random_weights._position_ids(layout, "full") if extra else ():
        places = 257 if name.startswith("vision") else 77
        header[name] = {"dtype": "I64", "shape": [1, places], "data_offsets": [at, at + 8 * places]}
        at += 8 * places
    length = 8 + len(json.dumps(header, separators=(",", ":"))) + at
    wanted = next(one.size for one in published_of(layout).files if one.name == file)
    assert abs(length - wanted) < 128, length - wanted


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tiny_and_full_layouts_have_the_same_files(layout, published):
    one = published_of(layout)
    folder = published / one.folder
    assert all((folder / file.name).is_file() for file in one.files)
    assert {file.name for file in one.files} <= set(json.loads((folder / "random-weights.json").read_text())["files"])


def published_of(layout):
    return published.ALL[LAYOUTS[layout]]


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
    assert published and published_found("sd15").origin == "random"
    assert " random " in published_found("sd15").identity("sd15")
    real = tmp_path / "openai--clip-vit-large-patch14"
    real.mkdir()
    (real / "model.safetensors").write_bytes(b"somebody's")
    with pytest.raises(StoreError, match="not random"):
        make_weights("vit-l", "tiny", tmp_path)
    assert (real / "model.safetensors").read_bytes() == b"somebody's"


def published_found(name):
    return published.find(name)


def test_missing_weights_are_named_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingDependency, match=r"published:sd15.*neither in .* nor in the hub's cache") as error:
        published.find("sd15")
    assert error.value.hint == "rebeca-bench weights fetch sd15"
    with pytest.raises(MissingDependency) as error:
        published.find("laion-v2")
    assert "by hand" in error.value.hint
    with pytest.raises(SpecError, match="'published:vit-x' is unknown"):
        published.find("published:vit-x")


def test_a_missing_file_is_named(copied):
    (copied / published.ALL["sd15"].folder / "vae" / "config.json").unlink()
    with pytest.raises(MissingDependency, match=r"vae/config\.json is not there"):
        published.find("sd15")


def test_a_wrong_hash_is_refused_by_name(copied):
    path = copied / "h94--IP-Adapter" / "models" / "ip-adapter_sd15.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(
        MissingDependency, match=r"ip-adapter_sd15\.safetensors has SHA-256 [0-9a-f]{64}, its card says"
    ):
        published.find("ip-adapter-sd15")


def test_what_claims_to_be_published_must_have_the_published_hash(copied):
    folder = copied / "openai--clip-vit-large-patch14"
    (folder / "random-weights.json").unlink()
    with pytest.raises(MissingDependency, match="the published file has a2bf730a0c7d"):
        published.find("vit-l")


def test_the_hubs_cache_at_the_pinned_commit_serves_too(random_weights, tmp_path, monkeypatch):
    from huggingface_hub import constants

    one = published.ALL["vit-l"]
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    snapshot = tmp_path / "models--openai--clip-vit-large-patch14" / "snapshots" / one.revision
    shutil.copytree(random_weights / one.folder, snapshot)
    assert published.find("vit-l").source == snapshot
    used = published.find("vit-l").path / "model.safetensors"
    assert used.resolve() == (snapshot / "model.safetensors").resolve()


def test_each_name_is_looked_for_on_its_own(random_weights, tmp_path, monkeypatch):
    """The adapter may lie in the folder of weights while bigG, of the same repository, lies in the hub's cache."""
    from huggingface_hub import constants

    one = published.ALL["vit-g"]
    shutil.copytree(random_weights / one.folder / "models", tmp_path / "weights" / one.folder / "models")
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    snapshot = tmp_path / "models--h94--IP-Adapter" / "snapshots" / one.revision
    shutil.copytree(random_weights / one.folder, snapshot)
    used = published.find("vit-g").path / "model.safetensors"
    assert used.resolve() == (snapshot / "sdxl_models/image_encoder/model.safetensors").resolve()


def test_names_are_found_in_a_task_and_misspelt_ones_are_errors():
    task = {"a": ["published:sd15", {"b": "published:vit-g"}], "c": "published:sd15"}
    assert published.names_in(task) == ["sd15", "vit-g"]
    assert published.names_in(["published: the old way", "published:sd-15"]) == []
    with pytest.raises(SpecError, match="did you mean 'sd15'"):
        published.find("published:sd-15")


# -- encoders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "dim"), [("vit-h", 64), ("vit-g", 40), ("vit-l", 32)])
def test_towers_encode_pictures_of_any_size(published, name, dim):
    tower = encoder(name)
    found = tower.encode(PICTURES)
    assert found.shape == (5, dim) == (5, tower.dim) and found.dtype == np.float32
    assert np.isfinite(found).all() and len(np.unique(found[:, 0])) == 5
    alone = np.concatenate([encoder(name, batch=1).encode([picture]) for picture in PICTURES])
    np.testing.assert_allclose(found, alone, atol=1e-5)
    assert len(tower.encode([])) == 0


def test_towers_equal_transformers_own_preparation(published):
    from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

    folder = published / "h94--IP-Adapter" / "models" / "image_encoder"
    net = CLIPVisionModelWithProjection.from_pretrained(folder).eval()
    prepare = CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    with torch.inference_mode():
        x = prepare(images=PICTURES, return_tensors="pt")["pixel_values"]
        wanted = net(pixel_values=x).image_embeds.numpy()
    np.testing.assert_allclose(encoder("vit-h").encode(PICTURES), wanted, atol=1e-5)


def test_precision_is_part_of_the_address_and_answers_are_single(published):
    half = encoder("vit-h", dtype="bfloat16")
    assert resolved("vit-h", dtype="bfloat16").address() != resolved("vit-h").address()
    found = half.encode(PICTURES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, encoder("vit-h").encode(PICTURES), atol=0.2)


def test_two_encoders_of_the_same_weights_share_a_tower(published):
    first, second, half = encoder("vit-l"), encoder("vit-l"), encoder("vit-l", dtype="bfloat16")
    assert first.inner._net is second.inner._net and half.inner._net is not first.inner._net
    gone = weakref.ref(first.inner._net)
    del first, second
    gc.collect()
    assert gone() is None


def test_short_memory_halves_a_batch(published, monkeypatch):
    tower = encoder("vit-h")
    wanted, net, sizes = tower.encode(PICTURES), tower.inner._net, []

    class Small:
        dtype = net.dtype

        def __call__(self, pixel_values):
            sizes.append(len(pixel_values))
            if len(pixel_values) > 2:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return net(pixel_values=pixel_values)

    monkeypatch.setitem(tower.inner.__dict__, "_net", Small())
    np.testing.assert_allclose(tower.encode(PICTURES), wanted, atol=1e-5)
    assert sizes[0] == 5 and max(sizes[-2:]) <= 2


def test_encoders_name_their_mistakes(published, copied):
    with pytest.raises(SpecError, match="found 'vit-x'"):
        encoder("vit-x")
    with pytest.raises(SpecError, match="no parameter 'size'"):
        encoder("vit-h", size=3)
    with pytest.raises(SpecError, match=r"dtype: .*found 'int8'"):
        encoder("vit-h", dtype="int8")
    with pytest.raises(SpecError, match=r"batch: .*found 0"):
        encoder("vit-h", batch=0)


def rewritten(folder, name, data):
    """Changes a file together with its card, as whoever makes both may."""
    (folder / name).write_bytes(data)
    card = json.loads((folder / "random-weights.json").read_text())
    card["files"][name] = hashlib.sha256(data).hexdigest()
    (folder / "random-weights.json").write_text(json.dumps(card))


def test_a_truncated_file_is_one_message(copied):
    folder, name = copied / "h94--IP-Adapter", "models/image_encoder/model.safetensors"
    rewritten(folder, name, (folder / name).read_bytes()[:5000])
    with pytest.raises(MissingDependency, match="'published:vit-h' cannot be loaded"):
        encoder("vit-h").encode(PICTURES)


class Hostile:
    """Runs code where a pickle is trusted."""

    def __reduce__(self):
        import os

        return os.mkdir, (str(Hostile.target),)


@pytest.mark.parametrize("plain", [True, False])
def test_pickles_with_code_are_refused(copied, tmp_path, plain):
    from types import SimpleNamespace

    from benchmark.scorers.hpsv2 import HPSv2Params, HPSv2Scorer
    from benchmark.scorers.laion import LaionParams, LaionScorer
    from rebeca.errors import RebecaError

    Hostile.target = tmp_path / "run"
    if plain:
        data = pickle.dumps({"state_dict": Hostile()})
    else:
        torch.save({"state_dict": Hostile()}, tmp_path / "hostile.pt")
        data = (tmp_path / "hostile.pt").read_bytes()
    for name in ("hpsv2.0", "laion-v2"):
        one = published.ALL[name]
        rewritten(copied / one.folder, one.files[0].name, data)
    context = SimpleNamespace(device="cpu", encoder=lambda name: encoder(name.partition(":")[2]))
    hps = HPSv2Scorer(HPSv2Params(weights="published:hpsv2.0"), context)
    laion = LaionScorer(LaionParams(backbone="published:vit-l", weights="published:laion-v2"), context)
    for one in (hps, laion):
        with pytest.raises(RebecaError, match=r"cannot be (loaded|read)"):
            one.score_pixels(PICTURES)
    assert not Hostile.target.exists()


def test_what_lies_beside_listed_files_is_never_read(copied):
    """An index of shards goes before the file that was hashed, and may lead to another one."""
    unet = copied / published.ALL["sd15"].folder / "unet"
    shutil.copyfile(unet / "diffusion_pytorch_model.safetensors", unet / "other.safetensors")
    (unet / "diffusion_pytorch_model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": {"conv_in.weight": "other.safetensors"}})
    )
    found = sorted(path.name for path in (published.locate("sd15") / "unet").iterdir())
    assert found == ["config.json", "diffusion_pytorch_model.safetensors"]
