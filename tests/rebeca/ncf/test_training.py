"""Training the verifier's network."""

import numpy as np
import pytest
import torch

from rebeca.ncf.model import NCFModel, NCFShape
from rebeca.ncf.options import VerifierParams
from rebeca.ncf.training import Rows, equal_user_weights, fit_ncf
from tests.rebeca.ncf import naive

ROWS = 200


def test_every_user_has_equal_weight():
    user = np.array([0, 0, 0, 2])
    weights = equal_user_weights(user, 3)
    assert np.bincount(user, weights=weights).tolist() == pytest.approx([0.5, 0, 0.5])


def rows(items, users=6, population=False):
    """Ratings of ``items`` items; the last of the table has none."""
    rng = np.random.default_rng(items)
    table = rng.normal(size=(items + 1, 5)).astype(np.float32)
    ratings = (rng.integers(users, size=ROWS), rng.integers(items, size=ROWS), rng.random(ROWS) < 0.5)
    logits = rng.normal(size=items + 1).astype(np.float32) if population else None
    return Rows(*ratings, table, logits), rng.random(ROWS) < 0.2


@pytest.mark.parametrize("batch", [None, 1, 16, 64, 1000])
@pytest.mark.parametrize("items", [20, 400])
@pytest.mark.parametrize(
    "shape",
    [
        NCFShape(6, 5, 8, (7, 4)),
        NCFShape(6, 5, 3, (16,), population=True, user_scale=0.05, linear_item=False),
        NCFShape(100, 5, 8, (), dropout=0.0),
    ],
)
def test_losses_equal_those_of_training_row_by_row(shape, items, batch):
    given, held = rows(items, population=shape.population)
    options = VerifierParams(epochs=3, batch=batch, lr=1e-2, decoupled=shape.population)
    _, history = fit_ncf(shape, given, held, options, seed=4)
    train, validation = naive.losses(shape, given, held, options, seed=4)
    assert history.train[-1] != history.train[0]
    np.testing.assert_allclose(history.train, train, atol=1e-5, rtol=0)
    np.testing.assert_allclose(history.validation, validation, atol=1e-5, rtol=0)


@pytest.mark.parametrize("batch", [None, 16, 64])
def test_an_item_is_transformed_once_in_a_step(batch, monkeypatch):
    tables, forward = [], NCFModel.forward

    def watched(self, users, items, table, population=None):
        tables.append((self.training, items, table))
        return forward(self, users, items, table, population)

    monkeypatch.setattr(NCFModel, "forward", watched)
    given, held = rows(30)
    fit_ncf(NCFShape(6, 5, 4, (4,)), given, held, VerifierParams(epochs=2, batch=batch), seed=0)
    assert sum(training for training, _, _ in tables) == (2 if batch is None else 2 * -(-(~held).sum() // batch))
    for training, items, table in tables:
        rated = len(np.unique(given.item[~held if training else held]))
        assert len(table) == (len(items.unique()) if training and batch == 16 else rated)
        assert len(torch.unique(table, dim=0)) == len(table)


def test_the_best_state_comes_back_with_weights_of_its_own():
    given, held = rows(30)
    options = VerifierParams(epochs=6, batch=16, lr=0.2, patience=6)
    model, history = fit_ncf(NCFShape(6, 5, 4, (4,)), given, held, options, seed=0)
    assert history.best_epoch < len(history.validation) - 1 and not model.training
    logits = naive.logits(model, *(torch.as_tensor(c[held]) for c in (given.user, given.table[given.item])))
    weight = torch.as_tensor(equal_user_weights(given.user[held], 6))
    liked = torch.as_tensor(given.liked[held]).float()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, liked, weight=weight, reduction="sum")
    assert loss.item() == pytest.approx(history.best_validation, abs=1e-6)
    assert len({p.untyped_storage().data_ptr() for p in model.parameters()}) == len(list(model.parameters()))
