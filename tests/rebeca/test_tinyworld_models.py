"""Shipped weights and how they are made: the card tells the truth, training resumes, words are whole."""

from __future__ import annotations

import errno
import json
from dataclasses import replace

import open_clip
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from rebeca.encoders.clip import TinyworldEncoder, TinyworldEncoderParams
from rebeca.errors import MissingDependency
from rebeca.interfaces import EncoderContext
from rebeca.tinyworld import models
from rebeca.tinyworld.evaluate import AIMS
from rebeca.tinyworld.models import CARD, PARTS, WEIGHTS, layouts, weights_digest
from rebeca.tinyworld.scenes import captions, draw_scenes
from rebeca.tinyworld.train import main
from rebeca.tinyworld.training import loop
from rebeca.tinyworld.training.loop import Recipe, rate, train
from rebeca.tinyworld.words import CONTEXT, merges, symbols, token_ids, vocabulary, write_tokenizer
from rebeca.weights import reading

MOST_BYTES = 15_000_000


def test_weights_are_small_and_are_those_of_the_card():
    card = json.loads(CARD.read_text(encoding="utf-8"))
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < MOST_BYTES
    assert card["sha256"] == weights_digest()
    assert set(AIMS) <= set(card["evaluation"])


@pytest.mark.parametrize("name", sorted(AIMS))
def test_the_cards_figures_meet_their_aims_or_are_named_as_missed(name):
    card = json.loads(CARD.read_text(encoding="utf-8"))
    holds, aim = AIMS[name]
    assert holds(card["evaluation"][name], aim) != (name in card["missed"])


def test_weights_that_are_not_there_are_named(tmp_path):
    with pytest.raises(MissingDependency, match="these weights are not there"):
        weights_digest(tmp_path)
    assert len(PARTS) == 8


def test_loading_says_nothing_on_the_terminal(capfd):
    assert TinyworldEncoder(TinyworldEncoderParams("prior-encoder"), EncoderContext()).dim == 96
    said = capfd.readouterr()
    assert said.out + said.err == ""


def test_layouts_are_written_once_and_again_after_a_loss(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    layouts.cache_clear()
    try:
        first = layouts()
        stamp = (first / models.ADAPTER).stat().st_mtime_ns
        layouts.cache_clear()
        assert layouts() == first and (first / models.ADAPTER).stat().st_mtime_ns == stamp
        assert [path.name for path in first.parent.iterdir()] == [first.name]
        for damage in (lambda path: path.unlink(), lambda path: path.write_bytes(b"short")):
            damage(first / models.ADAPTER)
            layouts.cache_clear()
            assert layouts() == first and load_file(first / models.ADAPTER)
        assert [path.name for path in first.parent.iterdir()] == [first.name]
    finally:
        layouts.cache_clear()


def test_every_word_of_a_caption_is_one_token(tmp_path):
    write_tokenizer(tmp_path)
    texts = captions(draw_scenes(300, 77, "others"))
    ids = token_ids(tmp_path, texts)
    assert ids.shape == (300, CONTEXT)
    lengths = (ids != len(symbols()) - 1).sum(dim=1)  # with the begin, without the end
    assert lengths.tolist() == [len(text.split()) + 1 for text in texts]
    theirs = open_clip.tokenizer.SimpleTokenizer(bpe_path=str(tmp_path / "bpe.txt.gz"), context_length=CONTEXT)(
        list(texts)
    )
    for mine, other in zip(ids, theirs, strict=True):
        count = int((other != 0).sum())
        assert mine[:count].tolist() == other[:count].tolist()
    assert len(symbols()) == 512 + len(merges()) + 2
    assert len(vocabulary()) > 40


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
    assert not any("anew" in line for line in said)
    for seed, other, parts in ((0, replace(recipe, lr=0.1), ()), (1, recipe, ()), (0, recipe, (linear(5),))):
        before = file.read_bytes()
        said.clear()
        again = linear(seed)
        train("part", again, other, loss_of(again), file, said.append, parts)
        assert file.with_suffix(".other").read_bytes() == before
        assert "training starts anew" in said[0] and "step 3/3" in said[-1]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "no room"), RuntimeError("CUDA out of memory. Tried"), MemoryError()]
)
def test_a_full_disk_and_exhausted_memory_are_not_called_damaged_weights(error):
    with pytest.raises(type(error)), reading("weights", MissingDependency):
        raise error


def test_a_part_without_those_it_needs_is_one_message(tmp_path):
    out = CliRunner().invoke(
        main, ["--part", "diffusion", "--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")]
    )
    assert (
        out.exit_code == 1 and "the part autoencoder is not there" in out.output and "--part autoencoder" in out.output
    )


def test_the_learning_rate_rises_and_falls():
    recipe = Recipe(steps=1000, batch=1, lr=2.0)
    rates = [rate(recipe, step) for step in range(1000)]
    assert rates[0] < 0.03 and max(rates) > 1.9 and rates[-1] < 0.03
    assert rates.index(max(rates)) == 99
