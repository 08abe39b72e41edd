"""The command that trains the miniature models."""

from __future__ import annotations

import json
from shutil import copy

from click.testing import CliRunner
from safetensors.torch import load_file

from rebeca.tinyworld.models import CARD, WEIGHTS
from scripts.tinyworld import autoencoder, clip, data, diffusion, stand_ins
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
