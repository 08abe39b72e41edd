"""Noise, targets and schedulers."""

import numpy as np
import pytest
import torch

from rebeca.prior.diffusion import Noising, betas_of, make_scheduler


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
    from rebeca.errors import SpecError

    with pytest.raises(SpecError, match="sampler: diffusers has no 'DDPMSheduler'"):
        make_scheduler("DDPMSheduler", "sample", "laplace", 10, "cpu")
