"""Sampling embeddings."""

import numpy as np
import pytest

from rebeca.data.interactions import Interactions
from rebeca.prior.options import PriorShape, RebecaParams, SamplingOptions
from rebeca.prior.sampling import sample_prior
from rebeca.prior.training import PriorTraining


def ratings(users=6, items=12, seed=0):
    rng = np.random.default_rng(seed)
    user, item = np.divmod(np.arange(users * items), items)
    rating = rng.integers(0, 2, len(user)).astype(float)
    ids = tuple(f"u{i}" for i in range(users)), tuple(f"i{i}" for i in range(items))
    return Interactions(user, item, rating, rating > 0, *ids)


OPTIONS = RebecaParams(batch=16, epochs=6, patience=None, lr=1e-3)

SHAPE = PriorShape(8, 6, tokens=2, hidden=16, heads=4, layers=1)


def training(options=OPTIONS, shape=SHAPE):
    points = np.random.default_rng(1).normal(size=(12, 8)).astype(np.float32)
    return PriorTraining(shape, options, ratings(), ratings(seed=5), points, seed=11)


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


def test_guidance_zero_ignores_the_user_and_one_is_conditional():
    model = training().run()[0]
    a = sample(model, [0, 1], [5, 5], prior_guidance=0.0)
    np.testing.assert_allclose(a[0], a[1], atol=1e-6)
    near = sample(model, [0], [5], prior_guidance=1.0)
    np.testing.assert_allclose(near, sample(model, [0], [5], prior_guidance=1.0 + 1e-6), atol=1e-3)
