"""HPSv2 and LAION as scorers of a task; the models are tested in ``tests/rebeca/scorers``."""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmark.runner.plugins import build_encoder
from benchmark.scorers.hpsv2 import HPSv2Params, HPSv2Scorer
from benchmark.scorers.laion import LaionParams, LaionScorer
from benchmark.task.encoders import named_encoder
from rebeca import published
from rebeca.errors import MissingDependency, SpecError
from rebeca.interfaces import ScoredImages
from rebeca.scorers.laion_head import KNOWN, KnownHead
from tests.builders import save_tiny_hps

PROMPT = "Realistic image, finely detailed, with balanced composition and harmonious elements."


def scorer(kind, params):
    return kind(params, SimpleNamespace(device="cpu", encoder=lambda n: build_encoder(named_encoder(n, Path()), "cpu")))


def images_of(sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (h, w, 3)).astype(np.uint8) for h, w in sizes]


@pytest.fixture
def tiny_hps(tmp_path):
    return save_tiny_hps(tmp_path)


def test_the_package_knows_one_backbone(tiny_hps):
    with pytest.raises(SpecError, match="knows ViT-H-14 only, not ViT-tiny-hps"):
        HPSv2Params("ViT-tiny-hps", str(tiny_hps), engine="hpsv2-package")


def test_damaged_checkpoints_are_one_message(tiny_hps):
    tiny_hps.write_bytes(tiny_hps.read_bytes()[:3000])
    for backbone in ("ViT-tiny-hps", "ViT-nowhere"):
        with pytest.raises(MissingDependency, match=f"cannot be loaded as {backbone}"):
            scorer(HPSv2Scorer, HPSv2Params(backbone, str(tiny_hps))).score_pixels(images_of([(8, 8)]))


def test_the_engine_scores_with_what_the_task_names(tiny_hps, monkeypatch):
    """The package is given all images of a batch, the prompt and the weights."""
    given = []

    def score(images, prompts, weights):
        given.append((images, prompts, weights))
        return np.zeros(len(images), np.float32)

    monkeypatch.setattr("rebeca.scorers.hpsv2.score_by_package", score)
    params = HPSv2Params("ViT-H-14", str(tiny_hps), PROMPT, version="v2.1", engine="hpsv2-package")
    images = images_of([(8, 8), (9, 8)])
    assert scorer(HPSv2Scorer, params).score_pixels(images).tolist() == [0, 0]
    assert given == [(images, (PROMPT, PROMPT), tiny_hps)]


def test_prompt_and_precision_of_the_task_reach_the_model(tiny_hps):
    params = {"backbone": "ViT-tiny-hps", "weights": str(tiny_hps)}
    images = images_of([(56, 56)])
    first = scorer(HPSv2Scorer, HPSv2Params(**params, prompt=PROMPT)).score_pixels(images)[0]
    other = scorer(HPSv2Scorer, HPSv2Params(**params, prompt=".")).score_pixels(images)[0]
    half = scorer(HPSv2Scorer, HPSv2Params(**params, prompt=PROMPT, dtype="float16")).score_pixels(images)[0]
    assert first != other
    assert first != half and abs(first - half) < 0.01


def test_every_different_image_is_scored_once(tiny_hps):
    hps = scorer(HPSv2Scorer, HPSv2Params("ViT-tiny-hps", str(tiny_hps), PROMPT, batch=2))
    images = images_of([(56, 56)] * 3)
    asked = []

    def pixels_of(i):
        asked.append(i)
        return images[i % 3]

    unique = np.array([0, 1, 2, 0, 1])
    scored = hps.score(
        ScoredImages(np.zeros(5, int), np.arange(5), tuple("abcab"), np.full(5, -1), unique, None, pixels_of),
        np.zeros(5, int),
    )
    assert asked == [0, 1, 2]
    assert scored[0] == scored[3] and scored[1] == scored[4] and len(set(scored.tolist())) == 3


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(SpecError, match="weights is not set"):
        HPSv2Params()
    with pytest.raises(MissingDependency, match="does not exist"):
        scorer(HPSv2Scorer, HPSv2Params("ViT-B-32", str(tmp_path / "no.pt"))).score_pixels(images_of([(8, 8)]))
    with pytest.raises(MissingDependency, match="does not exist"):
        HPSv2Scorer.fingerprint(HPSv2Params("ViT-B-32", str(tmp_path / "no.pt")))
    with pytest.raises(MissingDependency, match="does not exist"):
        LaionScorer.fingerprint(LaionParams(weights=str(tmp_path / "no.pt")))
    with pytest.raises(SpecError, match="weights is not set"):
        LaionParams()


def test_the_stand_ins_say_what_they_are():
    hps = scorer(HPSv2Scorer, HPSv2Params("tinyworld"))
    laion = scorer(LaionScorer, LaionParams("tinyworld"))
    assert HPSv2Scorer.card(hps.params).name == "HPSv2 stand-in"
    assert LaionScorer.card(laion.params).name == "LAION stand-in"
    images = images_of([(64, 64)] * 3)
    assert np.isfinite(hps.score_pixels(images)).all() and np.isfinite(laion.score_pixels(images)).all()


def test_a_head_and_an_encoder_that_do_not_fit_are_named(tmp_path):
    save_file({"layers.0.weight": torch.zeros(1, 5), "layers.0.bias": torch.zeros(1)}, tmp_path / "head.safetensors")
    laion = scorer(LaionScorer, LaionParams("fourier:8", str(tmp_path / "head.safetensors")))
    with pytest.raises(SpecError, match=r"a head of 5 numbers on embeddings of 120"):
        laion.score_pixels(images_of([(64, 64)]))


@pytest.fixture
def published_as(monkeypatch):
    """Lets a file pass for a published one, by its hash."""

    def pretend(path, name):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if isinstance(name, KnownHead):
            monkeypatch.setitem(KNOWN, digest, name)
        else:
            file = replace(published.ALL[name].files[0], sha256=digest)
            monkeypatch.setitem(published.ALL, name, replace(published.ALL[name], files=(file,)))

    return pretend


def test_a_head_on_another_encoder_of_the_same_length_is_refused(tmp_path, published_as):
    """B/32 and B/16 both have 512 numbers."""
    path = tmp_path / "head.pth"
    torch.save({"weight": torch.ones(1, 512), "bias": torch.zeros(1)}, path)
    params = LaionParams("open_clip:ViT-B-32-quickgelu/openai", str(path))
    LaionScorer.fingerprint(params)  # nobody knows the file
    published_as(path, KnownHead("sa_0_4_vit_b_16_linear", "ViT-B/16"))
    with pytest.raises(
        SpecError, match=r"sa_0_4_vit_b_16_linear belongs to OpenAI's CLIP ViT-B/16, the backbone is .*32"
    ):
        LaionScorer.fingerprint(params)
    LaionScorer.fingerprint(LaionParams("open_clip:ViT-B-16-quickgelu/openai", str(path)))


@pytest.mark.parametrize("engine", ["batched", "hpsv2-package"])
def test_a_checkpoint_of_the_other_version_under_another_name_is_refused(tmp_path, published_as, engine):
    path = tmp_path / "HPS_v2_compressed.pt"
    path.write_bytes(b"version 2.1, renamed")
    params = {"weights": str(path), "engine": engine}
    HPSv2Scorer.fingerprint(HPSv2Params(**params))
    published_as(path, "hpsv2.1")
    with pytest.raises(SpecError, match=r"HPS_v2_compressed\.pt is the published file of hpsv2\.1, version says v2\.0"):
        HPSv2Scorer.fingerprint(HPSv2Params(**params))
    HPSv2Scorer.fingerprint(HPSv2Params(**params, version="v2.1"))
    published_as(path, "sd15")
    with pytest.raises(SpecError, match=r"is the published file of"):
        HPSv2Scorer.fingerprint(HPSv2Params(**params))


@pytest.mark.parametrize(("origin", "refused"), [("published", True), ("random", False)])
def test_the_published_head_on_another_clip_is_refused(monkeypatch, origin, refused):
    weights = published.LocalWeights(Path(), Path(), origin, "0" * 64)
    for module in ("rebeca.scorers.laion", "rebeca.published"):
        monkeypatch.setattr(f"{module}.find", lambda name: weights)
    LaionScorer.fingerprint(LaionParams("published:vit-l", "published:laion-v2"))
    with pytest.raises(SpecError, match="belongs to OpenAI's CLIP ViT-L/14") if refused else nullcontext():
        LaionScorer.fingerprint(LaionParams("open_clip:ViT-L-14/laion2b_s32b_b82k", "published:laion-v2"))
