"""Three submissions to the tiny task: noise, copies of items, and the project's own prior with other parameters."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import invoke

CARD = """
card:
  authors: [Ada Lovelace, Charles Babbage]
  class: open
  training_data: The training ratings that export writes.
  trained_on_items: true
  licence: CC0-1.0
"""
GENERATORS = {
    "noise": "{id: noise, title: Noise, use: folder, params: {path: noise}}",
    "copies": "{id: copies, title: Copies of items, use: folder, params: {path: copies, retrieval: true}}",
    "short": "{id: short, title: A short fit, use: rebeca, params: {normalize: pca, dims: 4, network: mlp, hidden: 8,"
    " layers: 1, max_steps: 5, patience: null, batch: 32, steps: 4}}",
}


def submission_text(generator, card=CARD):
    return f"generators:\n  - {generator}\n{card}"


def make_images(folder):
    """Folders of images for the tiny task: 12 users, three images each."""
    for user in range(12):
        for replicate in range(3):
            rng = np.random.default_rng([user, replicate])
            pixels = rng.integers(0, 256, (24, 24, 3)).astype(np.uint8)
            for name in ("noise", "copies"):
                file = folder / name / f"u{user}" / f"{replicate}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                if name == "noise":
                    Image.fromarray(pixels).save(file)
                else:
                    shutil.copyfile(folder / "data" / "images" / f"{user + replicate}.png", file)


@pytest.fixture(scope="session")
def place(done, tmp_path_factory):
    """A folder with the tiny task, its records in ``results``, and three bundles in ``submissions``."""
    folder = tmp_path_factory.mktemp("submitted") / "place"
    shutil.copytree(done, folder)
    shutil.copytree(folder / "w" / "records", folder / "results")
    make_images(folder)
    for name, generator in GENERATORS.items():
        (folder / f"{name}.yaml").write_text(submission_text(generator))
        submit(folder, f"{name}.yaml")
    return folder


def submit(folder, name, *more, code=0):
    out = folder / "submissions"
    return invoke(
        "submit",
        folder / "tiny.yaml",
        folder / name,
        "--out",
        out,
        "--workdir",
        folder / "w",
        "--quiet",
        *more,
        code=code,
    )


@pytest.fixture
def copied_place(place, tmp_path):
    """The same without its work folder, to be changed."""
    shutil.copytree(place, tmp_path / "place", ignore=shutil.ignore_patterns("w", "site"))
    return tmp_path / "place"


@pytest.fixture
def open_place(place, tmp_path):
    """The same with its work folder, to hand in more."""
    shutil.copytree(place, tmp_path / "place")
    return tmp_path / "place"


def bundle_of(folder, name="noise") -> Path:
    return folder / "submissions" / "tiny" / "v1" / name


def records_of(folder) -> Path:
    return folder / "results" / "tiny" / "v1"
