"""The network of the published verifier."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rebeca.ncf.model import NCFShape, build_ncf
from tests.rebeca.ncf import naive


def test_published_size():
    model = build_ncf(NCFShape(210, 1280, 480, (128, 128)), 0)
    assert sum(p.numel() for p in model.parameters()) == 1_572_980


@given(
    st.builds(
        NCFShape,
        num_users=st.integers(1, 9),
        emb_dim=st.integers(1, 6),
        d=st.integers(1, 6),
        mlp_layers=st.sampled_from([(), (3,), (8, 4)]),
        dropout=st.sampled_from([0.0, 0.3]),
        population=st.booleans(),
        linear_item=st.booleans(),
    ),
    st.integers(1, 12),
    st.integers(1, 400),
    st.integers(0, 2**31),
)
def test_logits_and_gradients_equal_those_of_the_network_row_by_row(shape, items, rows, seed):
    """More items than rows, and fewer; more cells than :data:`CELLS_PER_ROW` per row, and fewer."""
    random = torch.Generator().manual_seed(seed)
    number = items if rows % 3 else 300  # so many that the products are taken row by row
    model = build_ncf(shape, seed).double()
    user = torch.randint(shape.num_users, (rows,), generator=random)
    item = torch.randint(items, (rows,), generator=random)
    table = torch.randn(number, shape.emb_dim, generator=random, dtype=torch.double)
    population = torch.randn(number, generator=random, dtype=torch.double) if shape.population else None
    pull = torch.randn(rows, generator=random, dtype=torch.double)
    results = []
    for own in (True, False):
        model.zero_grad()
        torch.manual_seed(seed)  # equal masks
        if own:
            logit = model(user, item, table, population)
        else:
            logit = naive.logits(model, user, table[item], None if population is None else population[item])
        (logit * pull).sum().backward()
        gradients = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
        results.append((logit.detach(), gradients))
    (first, first_gradients), (second, second_gradients) = results
    torch.testing.assert_close(first, second, atol=1e-10, rtol=1e-10)
    for gradient, expected in zip(first_gradients, second_gradients, strict=True):
        torch.testing.assert_close(gradient, expected, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize(
    "shape", [NCFShape(7, 5, 6, (8, 4)), NCFShape(7, 5, 6, ()), NCFShape(7, 5, 6, (8,), population=True)]
)
def test_all_pairs_equals_single_pairs(shape):
    model = build_ncf(shape, 0).eval()
    e, p = torch.randn(11, 5), torch.randn(11) if shape.population else None
    users, items = torch.meshgrid(torch.arange(7), torch.arange(11), indexing="ij")
    direct = model(users.ravel(), items.ravel(), e, p).view(7, 11)
    torch.testing.assert_close(model.all_pairs(e, p), direct, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model.all_pairs(e, p, torch.tensor([4, 2])), direct[[4, 2]], atol=1e-5, rtol=1e-5)


def test_population_logits_cannot_be_left_out():
    model = build_ncf(NCFShape(2, 3, 2, (), population=True), 0)
    with pytest.raises(ValueError, match="needs population logits"):
        model(torch.tensor([0]), torch.tensor([0]), torch.zeros(1, 3))
