"""The command that trains the miniature models."""

from __future__ import annotations

import json
from shutil import copy

import diffusers.utils.logging  # noqa: F401  here: its handler keeps the stream it finds, and a CliRunner's is closed
import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.torch import load_file

from rebeca.tinyworld.models import CARD, WEIGHTS
from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import MODELS_SEED, draw_scenes
from rebeca.tinyworld.support import SIZE_OF_STATISTICS, squared_distances, statistics
from scripts.tinyworld import autoencoder, clip, data, detector, diffusion, recogniser, stand_ins, support
from scripts.tinyworld.loop import Recipe
from scripts.tinyworld.train import main


def test_a_part_without_those_it_needs_is_one_message(tmp_path):
    out = CliRunner().invoke(
        main, ["--part", "diffusion", "--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")]
    )
    assert out.exit_code == 1 and "the part autoencoder is missing" in out.output and "--part autoencoder" in out.output


def test_a_part_is_trained_and_stands_in_the_card(tmp_path, monkeypatch):
    """A few steps of three parts that build on one another, on few postcards."""
    for module in (autoencoder, clip, stand_ins):
        monkeypatch.setattr(module, "TRAIN_POSTCARDS", 64)
    monkeypatch.setattr(stand_ins, "RATED_POSTCARDS", 64)
    short = Recipe(steps=2, batch=8, lr=1e-3)
    monkeypatch.setattr(clip, "RECIPES", dict.fromkeys(clip.RECIPES, short))
    monkeypatch.setattr(stand_ins, "HPS_RECIPE", short)
    out = tmp_path / "out"
    arguments = ["--work", str(tmp_path / "work"), "--out", str(out)]
    for part in ("prior-encoder", "auditor-encoder", "hps", "laion"):
        arguments += ["--part", part]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    card = json.loads((out / CARD.name).read_text(encoding="utf-8"))
    assert set(card["parts"]) == {"prior-encoder", "auditor-encoder", "hps", "laion"}
    assert card["parts"]["hps"]["command"] == "python -m scripts.tinyworld.train --part hps --device cpu"
    assert [row["step"] for row in card["parts"]["prior-encoder"]["history"]] == [2]
    head = load_file(out / "laion.safetensors")
    assert head["layers.0.weight"].shape == (1, 80) and head["layers.0.bias"].shape == (1,)
    prior, tuned = load_file(out / "prior-encoder.safetensors"), load_file(out / "hps.safetensors")
    assert prior.keys() == tuned.keys() and any(not prior[k].equal(tuned[k]) for k in prior)
    data.postcards.cache_clear()


def test_what_users_see_with_is_trained(tmp_path, monkeypatch):
    """The recogniser learns, and the limit of the support leaves out what it should."""
    for module, count in ((recogniser, 64), (support, 600), (detector, 80)):
        monkeypatch.setattr(module, "POSTCARDS", count)
    monkeypatch.setattr(support, "FITTED", 400)
    monkeypatch.setattr(recogniser, "RECIPE", Recipe(steps=12, batch=16, lr=2e-3))
    monkeypatch.setattr(detector, "RECIPE", Recipe(steps=30, batch=32, lr=3e-3))
    monkeypatch.setattr(detector, "LIMIT_POSTCARDS", 200)
    monkeypatch.setattr(detector, "GENERATED", 8)
    monkeypatch.setattr(detector, "STEPS", 2)
    out = tmp_path / "out"
    arguments = ["--work", str(tmp_path / "work"), "--out", str(out)]
    for part in ("recogniser", "support", "detector"):
        arguments += ["--part", part]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    parts = json.loads((out / CARD.name).read_text(encoding="utf-8"))["parts"]
    (last,) = parts["recogniser"]["history"]
    assert last["step"] == 12 and 0 < last["contents"] < 20 and 0 < last["numbers"] < 5
    shipped, trained = (load_file(folder / "recogniser.safetensors") for folder in (WEIGHTS, out))
    assert {name: tensor.shape for name, tensor in shipped.items()} == {
        name: tensor.shape for name, tensor in trained.items()
    }
    fitted = {name: tensor.numpy().astype(float) for name, tensor in load_file(out / "support.safetensors").items()}
    whitening = np.zeros((SIZE_OF_STATISTICS, SIZE_OF_STATISTICS))
    whitening[np.tril_indices(SIZE_OF_STATISTICS)] = fitted["whitening"]
    clean = statistics(render(draw_scenes(600, MODELS_SEED, support.STREAM))[400:])
    squares = squared_distances(clean, fitted["mean"], whitening)
    assert parts["support"]["support"]["limit"] == pytest.approx(fitted["limit"][0], abs=0.01)
    assert (squares <= fitted["limit"][0]).mean() == pytest.approx(support.QUANTILE, abs=1 / 200)
    (last,) = parts["detector"]["history"]
    assert last["step"] == 30 and all(0 < last[term] < 3 for term in ("postcards", "outliers", "changed"))
    model = detector.build()
    model.load_state_dict({name: tensor.float() for name, tensor in load_file(out / "detector.safetensors").items()})
    new = data.as_images(data.postcards("detector limit", 200).pixels)
    assert (detector.scores(model.eval(), new) >= -0.01).mean() >= 1 - 2 / 200
    data.postcards.cache_clear()


def test_the_decoder_learns_to_draw_and_then_to_be_faithful(tmp_path, monkeypatch):
    """Two short trainings; what it learns from, the autoencoder and the CLIP, stays as it is."""
    monkeypatch.setattr(diffusion, "TRAIN_POSTCARDS", 32)
    short = Recipe(steps=6, batch=4, lr=1e-3)
    monkeypatch.setattr(diffusion, "RECIPE", short)
    monkeypatch.setattr(diffusion, "FAITHFUL", short)
    out = tmp_path / "out"
    out.mkdir()
    kept = ("autoencoder.safetensors", "prior-encoder.safetensors", CARD.name)
    for name in kept:
        copy(WEIGHTS / name, out / name)
    done = CliRunner().invoke(main, ["--work", str(tmp_path / "work"), "--out", str(out), "--part", "diffusion"])
    assert done.exit_code == 0, done.output
    about = json.loads((out / CARD.name).read_text(encoding="utf-8"))["parts"]["diffusion"]
    assert [recipe["steps"] for recipe in about["recipe"]] == [6, 6]
    (faithful,) = about["history"]
    assert set(faithful) == {"step", "text", "image", "faithful"}
    assert 0 < faithful["faithful"] < 2
    assert {path.stem for path in (tmp_path / "work").glob("*.checkpoint")} == {"diffusion", "faithful"}
    assert all((out / name).read_bytes() == (WEIGHTS / name).read_bytes() for name in kept[:2])
    data.postcards.cache_clear()
