"""Noise, targets and schedulers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rebeca.errors import SpecError
from rebeca.prior.diffusion import Noising, betas_of, make_scheduler, spread_kept
from rebeca.schedulers import TRIED

SCHEDULES = ("squaredcos_cap_v2", "laplace")


@pytest.mark.parametrize("schedule", ["squaredcos_cap_v2", "laplace"])
@pytest.mark.parametrize("objective", ["sample", "epsilon", "v_prediction"])
def test_targets_recover_the_image(objective, schedule):
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


def test_unknown_scheduler_is_an_error():
    with pytest.raises(SpecError, match="sampler: diffusers has no 'DDPMSheduler'"):
        make_scheduler("DDPMSheduler", "sample", "laplace", 10, "cpu")


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([*TRIED, "HeunDiscreteScheduler", "DPMSolverSinglestepScheduler"]),
    st.one_of(st.integers(1, 60), st.sampled_from([999, 1000, 1001, 1500, 10_000])),
    st.sampled_from(SCHEDULES),
)
def test_a_sampler_takes_its_steps_at_different_levels_of_noise_or_is_refused(sampler, steps, schedule):
    try:
        kept = spread_kept(sampler, "v_prediction", schedule, steps)
    except SpecError as refusal:
        assert refusal.message.startswith(f"sampler: {sampler} cannot take {steps:,} steps")
        assert "try " in refusal.hint and "another scheduler" in refusal.hint
        with_other = TRIED[0] if sampler != TRIED[0] else TRIED[1]
        assert with_other in refusal.hint
    else:
        times = [int(t) for t in make_scheduler(sampler, "v_prediction", schedule, steps, "cpu").timesteps]
        assert len(set(times)) >= steps and min(times) >= 0 and max(times) <= 999
        assert math.isfinite(kept)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    "sampler", ["DPMSolverMultistepScheduler", "DEISMultistepScheduler", "UniPCMultistepScheduler"]
)
def test_a_thousand_steps_visit_every_level_of_noise(sampler, schedule):
    scheduler = make_scheduler(sampler, "sample", schedule, 1000, "cpu")
    assert [int(t) for t in scheduler.timesteps] == list(range(999, -1, -1))
    assert math.isfinite(spread_kept(sampler, "sample", schedule, 1000))


@pytest.mark.parametrize("objective", ["sample", "epsilon", "v_prediction"])
@pytest.mark.parametrize("sampler", [*TRIED])
def test_many_steps_of_an_exact_network_return_the_spread(sampler, objective):
    """The cosine schedule begins in noise and ends without it, so that nothing but the number of steps limits it."""
    if (sampler, objective) != ("PNDMScheduler", "sample"):  # which it does not know
        assert spread_kept(sampler, objective, "squaredcos_cap_v2", 1000, 0.3) == pytest.approx(1, abs=0.03)


def test_an_exact_network_knows_the_mean_of_the_image():
    """The regression of x_0 on x_t, over many pairs."""
    noising, deviation, time = Noising("sample", "laplace"), 0.3, 400
    random = torch.Generator().manual_seed(0)
    x0 = deviation * torch.randn(200_000, 1, generator=random)
    t = torch.full((len(x0),), time)
    xt = noising.noisy(x0, torch.randn(len(x0), 1, generator=random), t)
    slope = float((xt * x0).sum() / xt.square().sum())
    assert float((noising.exact(xt, t, deviation) / xt).mean()) == pytest.approx(slope, rel=0.02)


def test_the_laplace_schedule_narrows_and_few_steps_do():
    def kept(sampler, schedule, steps):
        return spread_kept(sampler, "v_prediction", schedule, steps, 0.3)

    assert kept("DPMSolverMultistepScheduler", "laplace", 25) == pytest.approx(0.63, abs=0.02)
    assert kept("DPMSolverMultistepScheduler", "squaredcos_cap_v2", 25) == pytest.approx(0.99, abs=0.02)
    assert kept("DPMSolverMultistepScheduler", "squaredcos_cap_v2", 4) == pytest.approx(0.55, abs=0.02)
