"""CLIPs of open_clip and transformers from a folder."""

import pytest

from rebeca.encoders.clip import OpenClip, OpenClipParams
from rebeca.errors import MissingDependency, SpecError
from tests.builders import encoder, noise_images, resolved_encoder

IMAGES = noise_images()


def test_a_tiny_clip_loads_from_a_folder(tmp_path):
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8,
        projection_dim=12,
    )  # fmt: skip
    CLIPVisionModelWithProjection(config).save_pretrained(tmp_path)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    clip = encoder(f"transformers:{tmp_path}")
    out = clip.encode(IMAGES[:3])
    assert out.shape == (3, 12)
    first = resolved_encoder(f"transformers:{tmp_path}").address()
    assert first == resolved_encoder(f"transformers:{tmp_path}").address()
    (tmp_path / "preprocessor_config.json").write_text("{}")  # how images are prepared counts, too
    assert resolved_encoder(f"transformers:{tmp_path}").address()["fingerprint"] != first["fingerprint"]


def test_open_clip_never_returns_a_random_model():
    with pytest.raises(MissingDependency):
        encoder("open_clip:ViT-B-32/no-such-weights").encode(IMAGES[:1])
    with pytest.raises(MissingDependency, match="no weights 'no-such-weights'"):
        resolved_encoder("open_clip:ViT-B-32/no-such-weights").address()


def test_open_clip_loads_a_local_checkpoint(tmp_path, monkeypatch):
    import open_clip
    import torch

    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 8, "head_width": 16},
        "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1},
    }
    import json

    (tmp_path / "tiny-test.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path)
    model = open_clip.create_model("tiny-test")
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    clip = encoder(f"open_clip:tiny-test/{tmp_path / 'weights.pt'}")
    assert clip.encode(IMAGES[:2]).shape == (2, 16)


@pytest.mark.parametrize(
    ("model", "right"),
    [
        ("ViT-B-32/openai", "ViT-B-32-quickgelu/openai"),
        ("ViT-B-16/metaclip_400m", "ViT-B-16-quickgelu/metaclip_400m"),
        ("ViT-H-14/dfn5b", "ViT-H-14-quickgelu/dfn5b"),
    ],
)
def test_open_clip_weights_in_a_model_with_another_activation_are_refused(model, right):
    """Their shapes fit, open_clip only warns, and all embeddings are others."""
    with pytest.raises(SpecError, match=f"builds {model} with the wrong activation\n.*use {right}"):
        resolved_encoder(f"open_clip:{model}").address()


def test_open_clip_without_a_network_fails_within_seconds(monkeypatch, tmp_path):
    import socket

    from huggingface_hub import HfApi, constants, errors

    asked = []

    def model_info(self, repository, timeout):
        asked.append((repository, timeout))
        raise errors.HTTPError("no answer")

    def no_request(*_, **__):
        raise AssertionError("the hub was asked again")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(HfApi, "model_info", model_info)
    monkeypatch.setattr(socket, "getaddrinfo", no_request)
    with pytest.raises(MissingDependency, match="weights are not available"):
        OpenClip.fingerprint(OpenClipParams("ViT-B-32/laion2b_s34b_b79k"))
    assert asked == [("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", 5.0)]
    assert constants.HF_HUB_OFFLINE is False
