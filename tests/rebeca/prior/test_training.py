"""Training a prior: balance, resuming, stopping."""

import numpy as np
import pytest
import torch

from rebeca.data.interactions import Interactions
from rebeca.prior.options import PriorShape, RebecaParams
from rebeca.prior.training import PriorTraining, balanced_epoch


def ratings(users=6, items=12, seed=0):
    rng = np.random.default_rng(seed)
    user, item = np.divmod(np.arange(users * items), items)
    rating = rng.integers(0, 2, len(user)).astype(float)
    ids = tuple(f"u{i}" for i in range(users)), tuple(f"i{i}" for i in range(items))
    return Interactions(user, item, rating, rating > 0, *ids)


def test_balanced_epoch_takes_the_same_number_of_everybody():
    user = np.array([0] * 50 + [1] * 3 + [2] * 7)
    order = np.argsort(user, kind="stable")
    bounds = np.searchsorted(user[order], np.arange(4))
    rows = balanced_epoch(order, bounds, 5, np.random.default_rng(0))
    assert np.bincount(user[rows]).tolist() == [5, 3, 5]
    assert len(set(rows.tolist())) == len(rows)


OPTIONS = RebecaParams(batch=16, epochs=6, patience=None, lr=1e-3)

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
    _, history = training(RebecaParams(batch=16, epochs=50, patience=3, lr=0.0)).run()
    assert len(history.train) <= 30
    _, history = training(RebecaParams(batch=16, epochs=50, patience=None, max_steps=7)).run()
    assert history.steps == 7


def test_frozen_user_rows_stay():
    rows = np.random.default_rng(0).normal(size=(6, 16)).astype(np.float32)
    points = np.zeros((12, 8), np.float32)
    options = RebecaParams(batch=16, epochs=2, patience=None, freeze_user_rows=True, lr=0.1)
    model, _ = PriorTraining(SHAPE, options, ratings(), ratings(seed=5), points, 0, user_rows=rows).run()
    np.testing.assert_array_equal(model.user_table.weight[:6].detach().numpy(), rows)
