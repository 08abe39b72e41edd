"""Published weights: found, hashed, and read with care."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil

import pytest
import torch

from rebeca import published
from rebeca.errors import MissingDependency, SpecError
from tests.builders import encoder, noise_images

IMAGES = noise_images(5, width=60, taller=9)


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
    with pytest.raises(MissingDependency, match=r"vae/config\.json is missing"):
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

    weights = published.ALL["vit-l"]
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    snapshot = tmp_path / "models--openai--clip-vit-large-patch14" / "snapshots" / weights.revision
    shutil.copytree(random_weights / weights.folder, snapshot)
    assert published.find("vit-l").source == snapshot
    used = published.find("vit-l").path / "model.safetensors"
    assert used.resolve() == (snapshot / "model.safetensors").resolve()


def test_each_name_is_looked_for_on_its_own(random_weights, tmp_path, monkeypatch):
    """The adapter may lie in the folder of weights while bigG, of the same repository, lies in the hub's cache."""
    from huggingface_hub import constants

    weights = published.ALL["vit-g"]
    shutil.copytree(random_weights / weights.folder / "models", tmp_path / "weights" / weights.folder / "models")
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    snapshot = tmp_path / "models--h94--IP-Adapter" / "snapshots" / weights.revision
    shutil.copytree(random_weights / weights.folder, snapshot)
    used = published.find("vit-g").path / "model.safetensors"
    assert used.resolve() == (snapshot / "sdxl_models/image_encoder/model.safetensors").resolve()


def test_names_are_found_in_a_task_and_misspelt_ones_are_errors():
    task = {"a": ["published:sd15", {"b": "published:vit-g"}], "c": "published:sd15"}
    assert published.names_in(task) == ["sd15", "vit-g"]
    assert published.names_in(["published: the old way", "published:sd-15"]) == []
    with pytest.raises(SpecError, match="did you mean 'sd15'"):
        published.find("published:sd-15")


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
        encoder("published:vit-h").encode(IMAGES)


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
        weights = published.ALL[name]
        rewritten(copied / weights.folder, weights.files[0].name, data)
    context = SimpleNamespace(device="cpu", encoder=encoder)
    hps = HPSv2Scorer(HPSv2Params(weights="published:hpsv2.0"), context)
    laion = LaionScorer(LaionParams(backbone="published:vit-l", weights="published:laion-v2"), context)
    for scorer in (hps, laion):
        with pytest.raises(RebecaError, match=r"cannot be (loaded|read)"):
            scorer.score_pixels(IMAGES)
    assert not Hostile.target.exists()


def test_what_lies_beside_listed_files_is_never_read(copied):
    """An index of shards goes before the file that was hashed, and may lead to another one."""
    unet = copied / published.ALL["sd15"].folder / "unet"
    shutil.copyfile(unet / "diffusion_pytorch_model.safetensors", unet / "other.safetensors")
    (unet / "diffusion_pytorch_model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": {"conv_in.weight": "other.safetensors"}})
    )
    names = sorted(path.name for path in (published.locate("sd15") / "unet").iterdir())
    assert names == ["config.json", "diffusion_pytorch_model.safetensors"]
