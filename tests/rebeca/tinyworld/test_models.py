"""The shipped weights: small, those of the card, and written out whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from benchmark.runner.plugins import build_encoder
from benchmark.task.encoders import named_encoder
from rebeca.errors import MissingDependency
from rebeca.tinyworld import models
from rebeca.tinyworld.detector import postcard_scores
from rebeca.tinyworld.models import CARD, PARTS, USERS_PARTS, WEIGHTS, layouts, weights_digest
from rebeca.tinyworld.recogniser import recognise
from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import draw_scenes

MOST_BYTES = 15_000_000


def test_weights_are_small_and_are_those_of_the_card():
    card = json.loads(CARD.read_text(encoding="utf-8"))
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < MOST_BYTES
    assert card["sha256"] == weights_digest(parts=PARTS + USERS_PARTS)


def test_weights_that_are_not_there_are_named(tmp_path):
    with pytest.raises(MissingDependency, match="these weights are missing"):
        weights_digest(tmp_path)


@pytest.mark.parametrize(
    ("damage", "said"),
    [(lambda raw: raw[:-100], "damaged: "), (lambda raw: raw[:-2] + b"\x00\x7e", "numbers that are not finite")],
)
def test_weights_that_are_damaged_are_named(damage, said, tmp_path):
    (tmp_path / "detector.safetensors").write_bytes(damage((WEIGHTS / "detector.safetensors").read_bytes()))
    with pytest.raises(MissingDependency, match=rf"detector\.safetensors: these weights are .*{said}"):
        models.read_part(tmp_path, "detector")


def test_loading_says_nothing_on_the_terminal(capfd):
    images = [np.zeros((128, 128, 3), np.uint8)]
    build_encoder(named_encoder("tinyworld:prior-encoder", Path()), "cpu").encode(images)
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
        assert [path.name for path in first.parent.iterdir() if path.is_dir()] == [first.name]
        for damage in (lambda path: path.unlink(), lambda path: path.write_bytes(b"short")):
            damage(first / models.ADAPTER)
            layouts.cache_clear()
            assert layouts() == first and load_file(first / models.ADAPTER)
        assert [path.name for path in first.parent.iterdir() if path.is_dir()] == [first.name]
    finally:
        layouts.cache_clear()


def test_how_many_images_are_looked_at_together_changes_no_bit(monkeypatch):
    postcards = render(draw_scenes(21, 1, "catalogue"))
    answers = []
    for together in (1, 8, 64):
        monkeypatch.setattr(models, "CACHED", together)
        seen = recognise(postcards)
        values = (seen.numbers, *seen.chances.values(), postcard_scores(postcards))
        answers.append([array.tobytes() for array in values])
    assert answers[0] == answers[1] == answers[2]
