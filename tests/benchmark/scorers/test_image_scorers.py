"""HPSv2 and LAION: the published numbers from the published layouts, in batches."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmark.runner.plugins import build_encoder
from benchmark.scorers.hpsv2 import HPSv2Params, HPSv2Scorer
from benchmark.scorers.laion import LaionParams, LaionScorer
from benchmark.task.encoders import named_encoder
from rebeca.errors import DataError, MissingDependency, SpecError
from rebeca.interfaces import ScoredImages
from rebeca.scorers.hpsv2 import prepared
from rebeca.scorers.laion import read_head

TINY = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 56, "layers": 2, "width": 32, "head_width": 16, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
"""Small, with the published tokenizer: the package knows no other."""
PROMPT = "Realistic image, finely detailed, with balanced composition and harmonious elements."


def scorer(kind, params):
    return kind(params, SimpleNamespace(device="cpu", encoder=lambda n: build_encoder(named_encoder(n, Path()), "cpu")))


def pictures(sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (h, w, 3)).astype(np.uint8) for h, w in sizes]


@pytest.fixture
def tiny_hps(tmp_path):
    """A checkpoint in the published layout with random weights, and the name under which open_clip builds it."""
    import open_clip

    (tmp_path / "ViT-tiny-hps.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(tmp_path / "ViT-tiny-hps.json")
    torch.manual_seed(3)
    model = open_clip.create_model("ViT-tiny-hps")
    torch.save({"state_dict": model.state_dict()}, tmp_path / "HPS_v2_tiny.pt")
    return tmp_path / "HPS_v2_tiny.pt"


def test_batches_equal_the_package(tiny_hps, monkeypatch, tmp_path):
    package = pytest.importorskip("hpsv2.img_score", reason="pip install --no-deps hpsv2x clint args")
    from hpsv2.src.open_clip import create_model_and_transforms, factory

    (tmp_path / "ViT-H-14.json").write_text(json.dumps(TINY))
    monkeypatch.setitem(factory._MODEL_CONFIGS, "ViT-H-14", TINY)
    model, _, prepare = create_model_and_transforms(
        "ViT-H-14", None, device="cpu", output_dict=True, light_augmentation=True
    )
    monkeypatch.setattr(package, "model_dict", {"model": model, "preprocess_val": prepare})
    monkeypatch.setattr(package, "device", "cpu")
    made = pictures([(56, 56), (56, 56), (64, 48), (30, 90), (112, 112), (57, 56)])
    theirs = scorer(HPSv2Scorer, HPSv2Params("ViT-H-14", str(tiny_hps), PROMPT, engine="hpsv2-package"))
    ours = scorer(HPSv2Scorer, HPSv2Params("ViT-tiny-hps", str(tiny_hps), PROMPT))
    assert np.abs(ours.score_pixels(made) - theirs.score_pixels(made)).max() < 1e-6
    one_by_one = [ours.score_pixels([p])[0] for p in made]
    assert np.abs(ours.score_pixels(made) - one_by_one).max() < 1e-6


def test_the_longest_side_is_resized_and_the_rest_is_black():
    (x,) = prepared([np.full((20, 80, 3), 255, np.uint8)], 40)
    assert x.shape == (3, 40, 40)
    black = prepared([np.zeros((40, 40, 3), np.uint8)], 40)[0, :, 0, 0]
    assert torch.equal(x[:, 0, 0], black) and torch.equal(x[:, 39, 39], black)
    assert not torch.equal(x[:, 19, 19], black)


@pytest.mark.parametrize("size", [(1, 2000), (2000, 1), (20, 40), (40, 20)])
def test_a_thread_of_a_picture_and_one_that_needs_no_resize_are_padded(size):
    (x,) = prepared([np.full((*size, 3), 255, np.uint8)], 40)
    black = prepared([np.zeros((40, 40, 3), np.uint8)], 40)[0, :, 0, 0]
    assert x.shape == (3, 40, 40) and torch.equal(x[:, 0, 0], black) and not torch.equal(x[:, 19, 19], black)


def test_the_package_knows_one_backbone(tiny_hps):
    with pytest.raises(SpecError, match="knows ViT-H-14 only, not ViT-tiny-hps"):
        HPSv2Params("ViT-tiny-hps", str(tiny_hps), engine="hpsv2-package")


def test_damaged_checkpoints_are_one_message(tiny_hps):
    tiny_hps.write_bytes(tiny_hps.read_bytes()[:3000])
    for backbone in ("ViT-tiny-hps", "ViT-nowhere"):
        with pytest.raises(MissingDependency, match=f"cannot be loaded as {backbone}"):
            scorer(HPSv2Scorer, HPSv2Params(backbone, str(tiny_hps))).score_pixels(pictures([(8, 8)]))


def test_another_prompt_makes_other_scores(tiny_hps):
    first = scorer(HPSv2Scorer, HPSv2Params("ViT-tiny-hps", str(tiny_hps), PROMPT))
    other = scorer(HPSv2Scorer, HPSv2Params("ViT-tiny-hps", str(tiny_hps), "."))
    made = pictures([(56, 56)])
    assert first.score_pixels(made)[0] != other.score_pixels(made)[0]


def test_the_product_is_single_where_the_network_is_half(tiny_hps):
    """In half precision cosines come in steps (2.4e-4 around .25), which would make ties of different pictures."""
    params = {"backbone": "ViT-tiny-hps", "weights": str(tiny_hps), "prompt": PROMPT}
    made = pictures([(56, 56)] * 12)
    half = scorer(HPSv2Scorer, HPSv2Params(**params, dtype="float16")).score_pixels(made)
    assert half.dtype == np.float32 and (half.astype(np.float16).astype(np.float32) != half).any()
    whole = scorer(HPSv2Scorer, HPSv2Params(**params)).score_pixels(made)
    assert 0 < np.abs(half - whole).max() < 0.01


def test_short_memory_halves_a_batch(tiny_hps, monkeypatch):
    made = pictures([(56, 56)] * 5)
    hps = scorer(HPSv2Scorer, HPSv2Params("ViT-tiny-hps", str(tiny_hps), PROMPT))
    wanted, whole, tried = hps.score_pixels(made), hps._model.net.encode_image, []

    def short(x):
        tried.append(len(x))
        if len(x) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return whole(x)

    monkeypatch.setattr(hps._model.net, "encode_image", short)
    np.testing.assert_allclose(hps.score_pixels(made), wanted, atol=1e-6)
    assert tried == [5, 2, 3, 1, 2]


def test_every_different_picture_is_scored_once(tiny_hps):
    one = scorer(HPSv2Scorer, HPSv2Params("ViT-tiny-hps", str(tiny_hps), PROMPT, batch=2))
    made = pictures([(56, 56)] * 3)
    asked = []

    def pixels_of(i):
        asked.append(i)
        return made[i % 3]

    unique = np.array([0, 1, 2, 0, 1])
    scored = one.score(
        ScoredImages(np.zeros(5, int), np.arange(5), tuple("abcab"), np.full(5, -1), unique, None, pixels_of),
        np.zeros(5, int),
    )
    assert asked == [0, 1, 2]
    assert scored[0] == scored[3] and scored[1] == scored[4] and len(set(scored.tolist())) == 3


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(SpecError, match="weights is not set"):
        HPSv2Params()
    with pytest.raises(MissingDependency, match="is not there"):
        scorer(HPSv2Scorer, HPSv2Params("ViT-B-32", str(tmp_path / "no.pt"))).score_pixels(pictures([(8, 8)]))
    with pytest.raises(MissingDependency, match="does not exist"):
        HPSv2Scorer.fingerprint(HPSv2Params("ViT-B-32", str(tmp_path / "no.pt")))
    with pytest.raises(MissingDependency, match="does not exist"):
        LaionScorer.fingerprint(LaionParams(weights=str(tmp_path / "no.pt")))
    with pytest.raises(SpecError, match="weights is not set"):
        LaionParams()
    with pytest.raises(MissingDependency, match="is not there"):
        read_head(tmp_path / "no.pth")


def test_the_real_head_gives_the_golden_ratings(shared):
    folder = shared / "golden" / "laion"
    head = read_head(folder / "sac+logos+ava1-l14-linearMSE.pth")
    vectors = np.load(folder / "vit_l_14_rating0to9.npy", allow_pickle=False).astype(np.float64)
    expected = [1.656, 2.359, 3.070, 3.673, 4.238, 4.701, 5.073, 5.365, 5.577, 5.747]
    assert np.abs(head.score(vectors) - expected).max() < 1e-3


def test_a_head_folds_into_one_linear_map(tmp_path):
    layers = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Identity(), torch.nn.Linear(4, 1))
    torch.save({f"layers.{k}": v for k, v in layers.state_dict().items()}, tmp_path / "head.pth")
    head = read_head(tmp_path / "head.pth")
    x = torch.randn(5, 6)
    assert np.allclose(layers(x)[:, 0].detach().numpy(), x.numpy() @ head.weight + head.bias, atol=1e-6)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        (torch.zeros(1, 5), "expected tensors by name"),
        ({"state_dict": {"layers.0.weight": torch.zeros(1, 5)}}, r"no 'layers\.N\.weight'"),
        ({"layers.0.weight": torch.zeros(1, 5)}, r"layers\.0\.bias is not in it"),
        ({"layers.0.weight": torch.zeros(5), "layers.0.bias": torch.zeros(1)}, "no linear layer"),
        ({"layers.0.weight": torch.full((1, 5), torch.nan), "layers.0.bias": torch.zeros(1)}, "not finite"),
    ],
)
def test_heads_that_are_none_are_named(tmp_path, held, message):
    torch.save(held, tmp_path / "head.pth")
    with pytest.raises(DataError, match=message):
        read_head(tmp_path / "head.pth")
    (tmp_path / "head.pth").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be read as weights"):
        read_head(tmp_path / "head.pth")


def test_damaged_and_foreign_heads_are_refused(tmp_path):
    (tmp_path / "broken.pth").write_bytes(b"not weights")
    with pytest.raises(DataError, match="cannot be read as weights"):
        read_head(tmp_path / "broken.pth")
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(DataError, match=r"no 'layers\.N\.weight'"):
        read_head(tmp_path / "other.pth")
    torch.save({"layers.0.weight": torch.zeros(3, 5), "layers.0.bias": torch.zeros(3)}, tmp_path / "wide.pth")
    with pytest.raises(DataError, match="ends in 3 numbers"):
        read_head(tmp_path / "wide.pth")


def test_the_stand_ins_say_what_they_are():
    hps = scorer(HPSv2Scorer, HPSv2Params("tinyworld"))
    laion = scorer(LaionScorer, LaionParams("tinyworld"))
    assert HPSv2Scorer.card(hps.params).name == "HPSv2 stand-in"
    assert LaionScorer.card(laion.params).name == "LAION stand-in"
    made = pictures([(64, 64)] * 3)
    assert np.isfinite(hps.score_pixels(made)).all() and np.isfinite(laion.score_pixels(made)).all()
