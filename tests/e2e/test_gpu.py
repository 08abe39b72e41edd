"""What holds on a CUDA device too; skipped where there is none."""

import json

import numpy as np
import pytest
import torch

from benchmark.runner.reproduce import compare
from rebeca import Prior
from rebeca.decoders.stable_diffusion import StableDiffusion, StableDiffusionParams
from rebeca.interfaces import DecoderContext, Request
from rebeca.space import LinearSpace
from tests.conftest import invoke

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
USERS = 8
SMALL = {"network": "mlp", "hidden": 32, "layers": 2, "batch": 64, "lr": 1e-3, "max_steps": 100}


def decoder(device="cuda", **params):
    return StableDiffusion(
        StableDiffusionParams(**{"steps": 4, "batch": USERS, **params}), DecoderContext.alone(LinearSpace(), device)
    )


def requests(count):
    return [Request(f"user-{i}", 0, 1000 + i) for i in range(count)]


def embeddings(count, seed=0):
    return np.random.default_rng(seed).normal(0, 0.6, (count, 96)).astype(np.float32)


def pixels(decoder, vectors):
    return np.stack([image.pixels for image in decoder.decode(vectors, requests(len(vectors)))])


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_an_image_does_not_depend_on_the_others_of_its_batch(dtype):
    vectors = embeddings(USERS)
    first = pixels(decoder(dtype=dtype), vectors)
    np.testing.assert_array_equal(pixels(decoder(dtype=dtype), vectors), first)
    np.testing.assert_array_equal(pixels(decoder(dtype=dtype), vectors[:3]), first[:3])
    vectors[3] = embeddings(1, seed=9)
    changed = (pixels(decoder(dtype=dtype), vectors) != first).any(axis=(1, 2, 3))
    assert np.flatnonzero(changed).tolist() == [3]


@pytest.mark.parametrize(("dtype", "levels"), [("float32", 1.0), ("float16", 1.0)])
def test_images_are_those_of_the_cpu(dtype, levels):
    vectors = embeddings(USERS)
    here = pixels(decoder(dtype=dtype), vectors).astype(int)
    assert np.abs(here - pixels(decoder("cpu"), vectors)).mean() < levels


def test_a_batch_that_does_not_fit_is_halved():
    """With the device's own error, since this process may use a hundredth of the memory only."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.01)
    try:
        assert 1 <= decoder(batch=4096).rehearse() < 4096
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_a_prior_is_trained_and_sampled_alike_twice():
    items = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    users, rows = np.repeat(["ann", "bob"], 300), np.tile(np.arange(300), 2)
    likes = (items[rows, 0] > 0) == (users == "ann")
    sampling = {"sampler": "DPMSolverMultistepScheduler", "steps": 10}
    first, second = (Prior.fit(users, rows, likes, items, device="cuda", **SMALL, **sampling) for _ in range(2))
    sampled = first.sample("ann", 10)
    np.testing.assert_array_equal(second.sample("ann", 10), sampled)
    np.testing.assert_array_equal(first.sample("ann", 5), sampled[:5])
    np.testing.assert_array_equal(first.sample(["bob", "ann"], 5)[1], sampled[:5])


def test_two_runs_are_equal(tiny, tmp_path):
    for name in ("a", "b"):
        invoke("run", tiny, "--workdir", tmp_path / name, "--device", "cuda", "--quiet")
    a, b = (tmp_path / name / "records" / "tiny" / "v1" for name in ("a", "b"))
    assert compare(a, b).bytes == []
    assert "all agree" in invoke("verify", a)
    origin = json.loads((a / "_task" / "comparison.json").read_text())["provenance"]
    assert origin["device"] == torch.cuda.get_device_name() and origin["packages"]["cuda"]
