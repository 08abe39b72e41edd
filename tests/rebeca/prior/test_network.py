"""The network of the published prior."""

import pytest
import torch

from rebeca.errors import SpecError
from rebeca.prior.network import build_prior
from rebeca.prior.options import PriorShape


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
    with pytest.raises(SpecError, match="must divide"):
        build_prior(PriorShape(30, 3, tokens=4), 0)
