"""The recogniser reads postcards, whatever the batch and the size; nobody but the world's users sees by it."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import rebeca
from rebeca.tinyworld.contents import CLASSES, NUMBERS, contents_of
from rebeca.tinyworld.detector import postcard_scores
from rebeca.tinyworld.recogniser import BATCH, recognise
from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import draw_scenes

ROOT = Path(rebeca.__file__).parent.parent
WORLD = ROOT / "rebeca" / "tinyworld"
SECRETS = ("recogniser", "support", "detector", "taste", "world")
"""Modules of the world that know what users see and like."""
MAY_READ_THE_WORLD = {"rebeca/data/sources.py"}


@pytest.fixture(scope="module")
def postcards():
    scenes = draw_scenes(400, 9, "to be read")
    return scenes, render(scenes)


def test_things_are_read_as_they_were_drawn(postcards):
    scenes, pixels = postcards
    read, drawn = recognise(pixels), contents_of(scenes)
    for i, name in enumerate(CLASSES):
        assert np.allclose(read.chances[name].sum(axis=1), 1)
        if name in {"clouds", "ridges", "trees", "houses", "boats"}:
            right = (read.chances[name].argmax(axis=1) > 0) == (drawn.classes[:, i] > 0)
            assert right.mean() >= 0.95, name
    for name in ("ground", "disc"):
        i = list(CLASSES).index(name)
        assert (read.chances[name].argmax(axis=1) == drawn.classes[:, i]).mean() >= 0.95, name
    for i, name in enumerate(NUMBERS):
        error = np.abs(read.numbers[:, i] - drawn.numbers[:, i])[drawn.measured[:, i]]
        assert np.median(error) < 0.4, name


def test_what_is_read_does_not_depend_on_the_batch(postcards):
    _, pixels = postcards
    whole = recognise(pixels)
    rows = np.array([0, BATCH - 1, BATCH, BATCH + 1])
    few = recognise(pixels[rows])
    for name in CLASSES:
        assert np.allclose(few.chances[name], whole.chances[name][rows], rtol=0, atol=1e-12)
    assert np.allclose(few.numbers, whole.numbers[rows], rtol=0, atol=1e-10)


def test_no_images_are_read_as_none():
    read = recognise(np.empty((0, 64, 64, 3), np.uint8))
    assert read.numbers.shape[0] == 0 and read.chances["ground"].shape == (0, CLASSES["ground"])


@pytest.mark.parametrize(
    "other", [np.zeros((2, 64, 64, 3)), np.zeros((2, 32, 32, 3), np.uint8), np.zeros((64, 64, 3), np.uint8), None]
)
@pytest.mark.parametrize("read", [recognise, postcard_scores])
def test_other_arrays_are_not_read(read, other):
    with pytest.raises(ValueError, match=r"expected uint8 \[n, 64, 64, 3\]"):
        read(other)


def test_no_judge_and_no_generator_knows_what_users_see():
    for package in ("rebeca", "benchmark", "baselines"):
        for path in (ROOT / package).rglob("*.py"):
            if path.parent != WORLD and path.relative_to(ROOT).as_posix() not in MAY_READ_THE_WORLD:
                assert not _imported(path) & {f"rebeca.tinyworld.{name}" for name in SECRETS}, path


def _imported(path):
    """Names of modules that a file may import; relative imports as if they were absolute."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names
