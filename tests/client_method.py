"""A script of somebody who uses the method and the published scorers without the benchmark; see `tests/client.py`."""
# ruff: noqa: T201

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import assert_type

import numpy as np
from PIL import Image

from rebeca import NCF, Prior, Verifier, train_ncf
from rebeca.arrays import Bools, Floats, Ints, Pixels
from rebeca.encoders import make_encoder
from rebeca.images import Images, read_images
from rebeca.scorers import LAION, CopyIndex, HPSv2, ScorerScript

RNG = np.random.default_rng(0)
EMBEDDINGS: Floats = RNG.normal(size=(200, 8)).astype(np.float32)
ITEMS: Ints = np.tile(np.arange(200), 2)
USERS = ["ann"] * 200 + ["bob"] * 200
LIKES: Bools = (EMBEDDINGS[ITEMS, 0] > 0) == (np.array(USERS) == "ann")
"""ann and bob disagree about the first number."""


def show(done: int, total: int, note: str) -> None:
    if done == total:
        print("prior:", note != "")


def sampled(folder: Path) -> Floats:
    validation: Bools = RNG.random(len(ITEMS)) < 0.1
    prior = Prior.fit(
        USERS, ITEMS, LIKES, EMBEDDINGS, validation=validation, seed=1, device="cpu", progress=show,
        network="mlp", hidden=64, layers=2, batch=128, lr=3e-3, max_steps=200,
        sampler="DPMSolverMultistepScheduler", steps=10,
    )  # fmt: skip
    assert_type(prior, Prior)
    prior.save(folder / "prior")
    loaded = Prior.load(folder / "prior", device="cpu")
    samples = loaded.sample(user="ann", n=20, guidance=2.0, seed=3, liked=True)
    assert_type(samples, Floats)
    assert np.array_equal(samples, prior.sample(user="ann", n=20, guidance=2.0, seed=3))
    print("users:", loaded.users, "epochs:", len(loaded.history.train) > 0)
    return samples


def verified(samples: Floats, folder: Path) -> None:
    verifier = Verifier.fit(USERS, ITEMS, LIKES, EMBEDDINGS, seed=1, nets=2, dims=8, lr=1e-2, user_weight_decay=0.01)
    verifier.save(folder / "verifier")
    loaded = Verifier.load(folder / "verifier")
    assert_type(loaded.score_all(samples), Floats)
    ann, bob = loaded.score_all(samples, users=["ann", "bob"]).mean(axis=1)
    assert np.allclose(loaded.score(["ann"] * len(samples), samples).mean(), ann)
    print("ann likes the samples more than bob:", bool(ann > bob))


def as_the_original_did() -> None:
    user: Ints = (np.array(USERS) == "bob").astype(int)
    model, history = train_ncf(user, EMBEDDINGS[ITEMS], LIKES.astype(int), d=8, mlp_layers=[16], epochs=50)
    ncf = NCF().fit(user, EMBEDDINGS[ITEMS], LIKES.astype(int), grid={"lr": [1e-2]}, d=8, mlp_layers=[16], epochs=50)
    print("networks:", model is not None, ncf.model is not None, history is not None)


def scored(folder: Path) -> None:
    for name, grey in ("black", 0), ("white", 255):
        Image.new("RGB", (64, 64), (grey, grey, grey)).save(folder / f"{name}.png")
    images: list[Path | Image.Image | Pixels] = [
        Image.open(folder / "black.png"),
        np.full((64, 64, 3), 255, np.uint8),
        folder / "white.png",
    ]
    preference = HPSv2("tinyworld", device="cpu").score(images, prompts="a postcard")
    beauty = LAION("tinyworld").score(folder)
    assert_type(preference, Floats)
    assert_type(beauty, Floats)
    read = read_images(folder)
    assert_type(read, Images)
    print("embeddings:", read.names, make_encoder("tinyworld:prior-encoder").encode(read).shape)
    print("scores:", preference.shape, beauty.shape)
    items: Pixels = RNG.integers(0, 256, (20, 32, 32, 3)).astype(np.uint8)
    copies = CopyIndex(items).near_copies([items[3][:, ::-1], items[5]])
    assert_type(copies, Bools)
    print("copies:", copies.tolist())


def scored_by_a_script(folder: Path) -> None:
    (folder / "half.py").write_text(
        "import csv, sys\n"
        "rows = list(csv.DictReader(open(sys.argv[1] + '/images.csv')))\n"
        "with open(sys.argv[1] + '/scores.csv', 'w') as scores:\n"
        "    print('number,score', *(row['number'] + ',0.5' for row in rows), sep='\\n', file=scores)\n"
    )
    scorer = ScorerScript(folder / "half.py", python=sys.executable, seconds=60, memory_mb=None)
    scores = scorer.score([np.zeros((8, 8, 3), np.uint8)], prompts="a postcard")
    assert_type(scores, Floats)
    versions: dict[str, str] = scorer.environment()
    print("by a script:", scores.tolist(), "python" in versions, len(scorer.fingerprint()))


def main() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        verified(sampled(folder), folder)
        as_the_original_did()
        scored(folder)
        scored_by_a_script(folder)


if __name__ == "__main__":
    main()
