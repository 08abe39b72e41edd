"""An adapter of another base model, or of another kind, is refused before anything is loaded."""

import shutil

import pytest
import torch
from safetensors.torch import save_file

from rebeca.decoders.ip_adapter import encoder_of
from rebeca.decoders.stable_diffusion import StableDiffusion, StableDiffusionParams
from rebeca.errors import MissingDependency, SpecError
from rebeca.tinyworld.models import STABLE_DIFFUSION, layouts


def adapter(folder, cross, image, **others):
    """An adapter's file, with the layers that tell its base."""
    (folder / "models").mkdir(exist_ok=True)
    tensors = {
        "image_proj.proj.weight": torch.zeros(4 * cross, image), "image_proj.proj.bias": torch.zeros(4 * cross),
        "image_proj.norm.weight": torch.ones(cross), "image_proj.norm.bias": torch.zeros(cross),
        "ip_adapter.1.to_k_ip.weight": torch.zeros(8, cross),
    }  # fmt: skip
    save_file(others or tensors, folder / "models" / "own.safetensors")
    return str(folder)


def fingerprint(**params):
    return StableDiffusion.fingerprint(StableDiffusionParams(adapter_file="own.safetensors", **params))


@pytest.fixture
def stable_diffusion(tmp_path):
    """A folder with a UNet's configuration as Stable Diffusion 1.5 has it."""
    (tmp_path / "sd" / "unet").mkdir(parents=True)
    (tmp_path / "sd" / "unet" / "config.json").write_text('{"cross_attention_dim": 768}')
    return str(tmp_path / "sd")


def test_an_adapter_of_the_same_base_is_taken(stable_diffusion, tmp_path):
    assert len(fingerprint(model=stable_diffusion, adapter=adapter(tmp_path, 768, 1024))) == 64


@pytest.mark.parametrize(("cross", "base"), [(2048, "SDXL"), (1024, "Stable Diffusion 2"), (320, "another base model")])
def test_an_adapter_of_another_base_is_refused_and_both_are_named(stable_diffusion, tmp_path, cross, base):
    message = (
        rf"own\.safetensors is for {base} \(text embeddings of {cross} numbers\), .*sd is Stable Diffusion 1 \(768\)"
    )
    with pytest.raises(SpecError, match=message):
        fingerprint(model=stable_diffusion, adapter=adapter(tmp_path, cross, 1024))


def test_the_miniature_is_another_base(stable_diffusion, tmp_path):
    with pytest.raises(SpecError, match=r"is for another base model \(text embeddings of 64 numbers\)"):
        fingerprint(model=stable_diffusion)
    with pytest.raises(SpecError, match=r"is for Stable Diffusion 1 .*is another base model \(64\)"):
        fingerprint(adapter=adapter(tmp_path, 768, 1024))
    copied = tmp_path / "copy"
    shutil.copytree(layouts() / STABLE_DIFFUSION, copied)
    assert len(fingerprint(model=str(copied))) == 64


def test_another_kind_of_adapter_is_refused(stable_diffusion, tmp_path):
    plus = adapter(tmp_path, 768, 1024, **{"image_proj.latents": torch.zeros(1, 16, 768)})
    with pytest.raises(SpecError, match=r"no plain IP-Adapter, it projects by image_proj\.latents"):
        fingerprint(model=stable_diffusion, adapter=plus)
    (tmp_path / "models" / "own.safetensors").write_bytes(b"damaged")
    with pytest.raises(MissingDependency, match="cannot be read"):
        fingerprint(model=stable_diffusion, adapter=plus)


def test_encoders_of_known_adapters():
    assert [encoder_of(dim) for dim in (768, 1024, 1280)] == ["CLIP ViT-L/14", "CLIP ViT-H/14", "CLIP ViT-bigG/14"]
    assert encoder_of(96) == "its own image encoder"
