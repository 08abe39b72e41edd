import numpy as np
import pytest
import torch

from rebeca.data.interactions import Interactions
from rebeca.prior.diffusion import Noising, betas_of, make_scheduler
from rebeca.prior.network import build_prior
from rebeca.prior.options import PriorOptions, PriorShape, SamplingOptions
from rebeca.prior.sampling import sample_prior
from rebeca.prior.training import PriorTraining, balanced_epoch
from rebeca.space import KINDS, LinearSpace


def ratings(users=6, items=12, seed=0):
    rng = np.random.default_rng(seed)
    user, item = np.divmod(np.arange(users * items), items)
    rating = rng.integers(0, 2, len(user)).astype(float)
    ids = tuple(f"u{i}" for i in range(users)), tuple(f"i{i}" for i in range(items))
    return Interactions(user, item, rating, rating > 0, *ids)


def test_published_parameter_counts():
    count = lambda s: sum(p.numel() for p in build_prior(s, 0).parameters())  # noqa: E731
    assert count(PriorShape(1024, 210)) == 4_411_174
    assert count(PriorShape(1024, 210, hidden=64, heads=4)) == 2_698_150


def test_published_initialisation():
    model = build_prior(PriorShape(32, 3, tokens=4, hidden=16, heads=4, layers=2), 0)
    for block in model.blocks:
        assert block.gate.item() == 0
        assert block.mlp[-1].weight.abs().max() == 0
        assert all(norm.scale.weight.abs().max() == 0 for norm in block.norms)


def test_residual_reference_replaces_the_stream_and_fixed_keeps_it():
    x, t = torch.randn(2, 32), torch.tensor([3, 900])
    u, s = torch.tensor([0, 1]), torch.tensor([1, 1])
    outputs = []
    for residual in ("reference", "fixed"):
        model = build_prior(PriorShape(32, 3, tokens=4, hidden=16, heads=4, layers=2, residual=residual), 0)
        outputs.append(model(x, t, u, s))
    assert not torch.allclose(*outputs)


def test_tokens_must_divide():
    with pytest.raises(ValueError, match="must divide"):
        build_prior(PriorShape(30, 3, tokens=4), 0)


@pytest.mark.parametrize("schedule", ["squaredcos_cap_v2", "laplace"])
@pytest.mark.parametrize("objective", ["sample", "epsilon", "v_prediction"])
def test_targets_recover_the_picture(objective, schedule):
    noising = Noising(objective, schedule)
    x0, eps, t = torch.randn(4, 8), torch.randn(4, 8), torch.tensor([0, 10, 500, 900])
    xt, target = noising.noisy(x0, eps, t), noising.target(x0, eps, t)
    a, b = noising.signal[t, None], noising.noise[t, None]
    recovered = {"sample": target, "epsilon": (xt - b * target) / a, "v_prediction": a * xt - b * target}[objective]
    torch.testing.assert_close(recovered, x0, atol=2e-3, rtol=1e-3)


def test_cosine_betas():
    s = np.arange(1001) / 1000
    bar = np.cos((s + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(
        betas_of("squaredcos_cap_v2").numpy(), np.minimum(1 - bar[1:] / bar[:-1], 0.999), rtol=1e-4, atol=1e-6
    )


def test_balanced_epoch_takes_the_same_number_of_everybody():
    user = np.array([0] * 50 + [1] * 3 + [2] * 7)
    order = np.argsort(user, kind="stable")
    bounds = np.searchsorted(user[order], np.arange(4))
    rows = balanced_epoch(order, bounds, 5, np.random.default_rng(0))
    assert np.bincount(user[rows]).tolist() == [5, 3, 5]
    assert len(set(rows.tolist())) == len(rows)


OPTIONS = PriorOptions(batch=16, epochs=6, patience=None, lr=1e-3)
SHAPE = PriorShape(8, 6, tokens=2, hidden=16, heads=4, layers=1)


def training(options=OPTIONS, shape=SHAPE):
    points = np.random.default_rng(1).normal(size=(12, 8)).astype(np.float32)
    return PriorTraining(shape, options, ratings(), ratings(seed=5), points, seed=11)


@pytest.mark.parametrize("shape", [SHAPE, PriorShape(8, 6, "mlp", hidden=16, layers=1)])
def test_resume_equals_an_uninterrupted_run(tmp_path, shape):
    whole, history = training(shape=shape).run()
    checkpoint = tmp_path / "c.pt"
    training(shape=shape).run(checkpoint, stop_after=2)
    resumed, again = training(shape=shape).run(checkpoint)
    assert again == history
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_early_stopping_and_step_limit():
    # a learning rate of 0 never improves
    _, history = training(PriorOptions(batch=16, epochs=50, patience=3, lr=0.0)).run()
    assert len(history.train) <= 30
    _, history = training(PriorOptions(batch=16, epochs=50, patience=None, max_steps=7)).run()
    assert history.steps == 7


def test_frozen_user_rows_stay():
    rows = np.random.default_rng(0).normal(size=(6, 16)).astype(np.float32)
    points = np.zeros((12, 8), np.float32)
    options = PriorOptions(batch=16, epochs=2, patience=None, freeze_user_rows=True, lr=0.1)
    model, _ = PriorTraining(SHAPE, options, ratings(), ratings(seed=5), points, 0, user_rows=rows).run()
    np.testing.assert_array_equal(model.user_table.weight[:6].detach().numpy(), rows)


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


def test_guidance_zero_ignores_the_person_and_one_is_conditional():
    model = training().run()[0]
    a = sample(model, [0, 1], [5, 5], prior_guidance=0.0)
    np.testing.assert_allclose(a[0], a[1], atol=1e-6)
    near = sample(model, [0], [5], prior_guidance=1.0)
    np.testing.assert_allclose(near, sample(model, [0], [5], prior_guidance=1.0 + 1e-6), atol=1e-3)


def test_unknown_scheduler_is_an_error():
    from rebeca.errors import SpecError

    with pytest.raises(SpecError, match="no scheduler 'DDPMSheduler'"):
        make_scheduler("DDPMSheduler", "sample", "laplace", 10, "cpu")


@pytest.mark.parametrize("kind", KINDS)
def test_spaces_go_there_and_back(kind):
    x = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32) * np.arange(1, 7)
    space = LinearSpace(kind, 6, 0.3).fit(x)
    y = space.forward(x)
    assert y.shape == (30, 6)
    if kind == "pca":
        np.testing.assert_allclose(y.std(axis=0), 0.3, rtol=1e-3)
    if kind in ("none", "pca"):
        np.testing.assert_allclose(space.inverse(y), x, atol=1e-4)
    if kind == "l2":
        np.testing.assert_allclose(np.linalg.norm(y, axis=1), np.sqrt(6), rtol=1e-5)
