"""Training goes on where it was stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scripts.tinyworld import loop
from scripts.tinyworld.loop import Recipe, rate, train, weights_hash


def linear(seed):
    torch.manual_seed(seed)
    return torch.nn.Linear(4, 1)


def loss_of(model, stop_at=None):
    def loss(step, random):
        if step == stop_at:
            raise KeyboardInterrupt
        x = torch.randn(8, 4, generator=random)
        return {"mse": (model(x) - x.sum(dim=1, keepdim=True)).square().mean()}

    return loss


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(monkeypatch, tmp_path):
    monkeypatch.setattr(loop, "CHECKPOINT_EVERY", 20)
    recipe = Recipe(steps=90, batch=8, lr=0.05, average=0.9, seed=4)
    whole = linear(0)
    history = train("whole", whole, recipe, loss_of(whole), tmp_path / "a.checkpoint", lambda _: None)
    stopped = linear(0)
    with pytest.raises(KeyboardInterrupt):
        train("whole", stopped, recipe, loss_of(stopped, 57), tmp_path / "b.checkpoint", lambda _: None)
    resumed = linear(0)
    train("whole", resumed, recipe, loss_of(resumed), tmp_path / "b.checkpoint", lambda _: None)
    assert torch.equal(whole.weight, resumed.weight)
    assert history[-1]["step"] == 90 and history[-1]["mse"] < history[0]["mse"]
    done = linear(0)
    train("whole", done, recipe, loss_of(done, 0), tmp_path / "b.checkpoint", lambda _: None)  # not trained again
    assert torch.equal(whole.weight, done.weight)


def test_a_checkpoint_of_another_recipe_or_other_parts_is_not_gone_on_from(tmp_path):
    recipe = Recipe(steps=3, batch=8, lr=0.05, seed=4)
    file, said = tmp_path / "a.checkpoint", []
    first = linear(0)
    train("part", first, recipe, loss_of(first), file, said.append)
    assert said and not any("training restarts" in line for line in said)
    for seed, other, parts in ((0, replace(recipe, lr=0.1), ()), (1, recipe, ()), (0, recipe, (linear(5),))):
        before = file.read_bytes()
        said.clear()
        again = linear(seed)
        train("part", again, other, loss_of(again), file, said.append, parts)
        assert file.with_suffix(".other").read_bytes() == before
        assert "training restarts" in said[0] and "step 3/3" in said[-1]


def test_the_learning_rate_rises_and_falls():
    recipe = Recipe(steps=1000, batch=1, lr=2.0)
    rates = [rate(recipe, step) for step in range(1000)]
    assert rates[0] < 0.03 and max(rates) > 1.9 and rates[-1] < 0.03
    assert rates.index(max(rates)) == 99


def test_hashes_follow_names_shapes_and_values():
    first = {"a": torch.zeros(2, 3), "b": torch.ones(2)}
    assert weights_hash(first) == weights_hash(dict(reversed(first.items())))
    for other in ({"a": torch.zeros(3, 2)}, {"c": torch.zeros(2, 3)}, {"a": torch.ones(2, 3)}):
        assert weights_hash({**first, **other}) != weights_hash(first)
    assert weights_hash({"a": torch.zeros(2, dtype=torch.float16)}) != weights_hash({"a": torch.zeros(2)})
