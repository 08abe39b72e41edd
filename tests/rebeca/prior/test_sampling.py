"""Sampling embeddings."""

from dataclasses import replace

import numpy as np
import pytest

from rebeca.errors import SpecError
from rebeca.options import RebecaParams
from rebeca.prior.network import build_prior
from rebeca.prior.options import PriorShape, SamplingOptions
from rebeca.prior.sampling import CACHED, FEWEST, _rows_at_once, sample_prior
from rebeca.prior.training import PriorTraining
from tests.builders import likes

OPTIONS = RebecaParams(batch=16, epochs=6, patience=None, lr=1e-3)

SHAPE = PriorShape(8, 6, tokens=2, hidden=16, heads=4, layers=1)


def training(options=OPTIONS, shape=SHAPE):
    points = np.random.default_rng(1).normal(size=(12, 8)).astype(np.float32)
    return PriorTraining(shape, options, likes(), likes(seed=5), points, seed=11)


def sample(model, users, seeds, **options):
    return sample_prior(
        model, np.array(users), np.ones(len(users), int), seeds, "sample", "squaredcos_cap_v2",
        SamplingOptions(**{"sampler": "DDPMScheduler", "steps": 6, "prior_guidance": 3.0, **options}),
    )  # fmt: skip


@pytest.mark.parametrize("sampler", ["DDPMScheduler", "DDIMScheduler", "DPMSolverMultistepScheduler"])
def test_a_sample_depends_on_its_seed_and_not_on_its_batch(sampler):
    model = training().run()[0]
    together = sample(model, [0, 1, 2, 3], [5, 6, 7, 8], sampler=sampler)
    reversed_order = sample(model, [3, 2, 1, 0], [8, 7, 6, 5], sampler=sampler, batch=3)[::-1]
    np.testing.assert_allclose(together, reversed_order, atol=1e-5)
    assert not np.allclose(together[0], sample(model, [0], [9], sampler=sampler)[0])


@pytest.mark.parametrize(
    "shape",
    [
        PriorShape(16, 40, network="mlp", hidden=256, layers=2),  # tinyworld's and that of sprites
        PriorShape(8, 7, network="mlp", hidden=32, layers=1),
        PriorShape(64, 6, tokens=8, hidden=64, heads=4, layers=2),
    ],
)
@pytest.mark.parametrize("guidance", [1.0, 8.0])
def test_a_sample_is_the_same_to_the_last_bit_beside_any_number_of_others(shape, guidance):
    model = build_prior(shape, 0).eval()
    users, seeds = [i % 6 for i in range(300)], list(range(300))
    whole = sample(model, users, seeds, prior_guidance=guidance)
    for count in (1, 2, 3, 5, 7, 8, 9, 11, 12, 31, 63, 64, 65, 130, 299):
        for start in (0, 300 - count):
            part = sample(model, users[start:][:count], seeds[start:][:count], prior_guidance=guidance)
            assert np.array_equal(part, whole[start:][:count]), count
    for batch in (1, 25, 32, 64, 256):
        assert np.array_equal(sample(model, users, seeds, prior_guidance=guidance, batch=batch), whole), batch


NETWORKS = ((128, "transformer"), (512, "transformer"), (4, "mlp"))


def test_a_processor_takes_what_fits_its_cache():
    published, wide, narrow = (PriorShape(1024, 6, hidden=h, network=n) for h, n in NETWORKS)
    options = SamplingOptions(batch=10**6)
    assert _rows_at_once(published, options, "cpu") == 16
    assert _rows_at_once(published, replace(options, prior_guidance=1.0), "cpu") == 32
    assert _rows_at_once(wide, options, "cpu") == FEWEST // 2
    assert _rows_at_once(narrow, options, "cpu") == CACHED // 1024 // 2
    assert _rows_at_once(narrow, replace(options, batch=100), "cpu") == 100
    assert _rows_at_once(narrow, replace(options, batch=7), "cpu") == FEWEST // 2
    assert _rows_at_once(published, replace(options, batch=7), "cuda:1") == 7


def test_bfloat16_samples_nearly_the_same_and_as_float32_numbers():
    model = training().run()[0]
    exact = sample(model, [0, 1, 2], [5, 6, 7])
    coarse = sample(model, [0, 1, 2], [5, 6, 7], dtype="bfloat16")
    assert coarse.dtype == np.float32
    assert not np.array_equal(coarse, exact)
    np.testing.assert_allclose(coarse, exact, atol=0.1)
    alone = sample(model, [1], [6], dtype="bfloat16")
    np.testing.assert_array_equal(alone, coarse[1:2])


def test_a_compiled_network_is_used_with_full_batches(monkeypatch):
    model, rows = build_prior(SHAPE, 0).eval(), []

    def compiled(network, dynamic):
        assert network is model and dynamic is False
        return lambda *inputs: (rows.append(len(inputs[0])), network(*inputs))[1]

    monkeypatch.setattr("rebeca.prior.sampling.shutil.which", lambda name: name)
    monkeypatch.setattr("rebeca.prior.sampling.torch.compile", compiled)
    plain = sample(model, [0] * 5, list(range(5)))
    assert rows == []
    np.testing.assert_allclose(sample(model, [0] * 5, list(range(5)), compile=True), plain, atol=1e-6)
    assert set(rows) == {2 * _rows_at_once(SHAPE, SamplingOptions(), "cpu")}


def test_compiling_without_a_compiler_says_what_is_missing(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(
        SpecError, match="compile: PyTorch needs a C\\+\\+ compiler, and there is no 'no-such-compiler'"
    ):
        sample(build_prior(SHAPE, 0).eval(), [0], [1], compile=True)


def test_another_device_is_given_full_batches(monkeypatch):
    """Its kernels may differ with every size; a CPU that takes itself for another device shows the rows."""
    model, rows = build_prior(SHAPE, 0).eval(), []
    monkeypatch.setattr("rebeca.prior.sampling.on_processor", lambda device: False)
    model.register_forward_hook(lambda _, inputs, out: rows.append(len(out)))
    assert len(sample(model, [0] * 20, list(range(20)), prior_guidance=1.0, batch=16)) == 20
    assert set(rows) == {16}


def test_guidance_zero_ignores_the_user_and_one_is_conditional():
    model = training().run()[0]
    a = sample(model, [0, 1], [5, 5], prior_guidance=0.0)
    np.testing.assert_allclose(a[0], a[1], atol=1e-6)
    near = sample(model, [0], [5], prior_guidance=1.0)
    np.testing.assert_allclose(near, sample(model, [0], [5], prior_guidance=1.0 + 1e-6), atol=1e-3)
