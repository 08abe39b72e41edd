"""The network of the published verifier."""

import pytest
import torch

from rebeca.ncf.model import NCFShape, build_ncf


def test_published_size():
    model = build_ncf(NCFShape(210, 1280, 480, (128, 128)), 0)
    assert sum(p.numel() for p in model.parameters()) == 1_572_980


@pytest.mark.parametrize(
    "shape", [NCFShape(7, 5, 6, (8, 4)), NCFShape(7, 5, 6, ()), NCFShape(7, 5, 6, (8,), population=True)]
)
def test_all_pairs_equals_single_pairs(shape):
    model = build_ncf(shape, 0).eval()
    e, p = torch.randn(11, 5), torch.randn(11) if shape.population else None
    users, items = torch.meshgrid(torch.arange(7), torch.arange(11), indexing="ij")
    direct = model(users.ravel(), e[items.ravel()], None if p is None else p[items.ravel()]).view(7, 11)
    torch.testing.assert_close(model.all_pairs(e, p), direct, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model.all_pairs(e, p, torch.tensor([4, 2])), direct[[4, 2]], atol=1e-5, rtol=1e-5)
