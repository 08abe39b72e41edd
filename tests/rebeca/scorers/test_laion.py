"""LAION from Python: any images, heads on the CLIP that they were trained on, and the plug-in's numbers."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.runner.plugins import build_encoder
from benchmark.scorers.laion import LaionParams, LaionScorer
from benchmark.task.encoders import named_encoder
from rebeca.encoders import make_encoder
from rebeca.errors import DataError, MissingDependency, SpecError
from rebeca.scorers import LAION
from rebeca.scorers.laion_head import KNOWN, KnownHead
from tests.builders import noise_images

IMAGES = noise_images(5, width=60, taller=9)


@pytest.fixture(scope="module")
def stand_in():
    return LAION("tinyworld")


def plugin(**params):
    encoder = lambda name: build_encoder(named_encoder(name, Path()), "cpu")  # noqa: E731
    return LaionScorer(LaionParams(**params), SimpleNamespace(device="cpu", encoder=encoder))


def head(path, dim):
    torch.manual_seed(dim)
    torch.save({"weight": torch.randn(1, dim), "bias": torch.zeros(1)}, path)
    return path


def test_an_image_scores_alike_as_path_image_and_array(stand_in, tmp_path):
    for number, pixels in enumerate(IMAGES):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    paths = sorted(tmp_path.iterdir())
    scores = stand_in.score(tmp_path)
    assert scores.dtype == np.float64 and scores.shape == (5,) and len(set(scores.tolist())) == 5
    for images in (paths, IMAGES, [paths[0], *IMAGES[1:3], *map(Image.fromarray, IMAGES[3:])]):
        np.testing.assert_array_equal(stand_in.score(images), scores)
    np.testing.assert_allclose([stand_in.score([image])[0] for image in IMAGES], scores, atol=1e-4)
    assert stand_in.score([]).shape == (0,)


def test_the_plugin_gives_the_same_numbers(stand_in, published):
    np.testing.assert_array_equal(plugin(backbone="tinyworld").score_pixels(IMAGES), stand_in.score(IMAGES))
    scores = LAION("published:laion-v2").score(IMAGES)
    theirs = plugin(backbone="published:vit-l", weights="published:laion-v2").score_pixels(IMAGES)
    np.testing.assert_array_equal(theirs, scores)
    assert len(set(scores.tolist())) == 5


def test_a_head_takes_an_encoder_by_name_or_as_it_was_built(tmp_path):
    path = head(tmp_path / "head.pth", 120)
    scores = LAION(path, backbone="fourier:8").score(IMAGES)
    np.testing.assert_array_equal(LAION(str(path), backbone=make_encoder("fourier:8")).score(IMAGES), scores)
    np.testing.assert_array_equal(plugin(backbone="fourier:8", weights=str(path)).score_pixels(IMAGES), scores)


def test_a_large_folder_is_never_in_memory_as_a_whole(published, monkeypatch):
    """The encoder indexes the images batch by batch; nothing reads them before."""
    from rebeca.images import Images

    read, seen = Images.__getitem__, []
    monkeypatch.setattr(Images, "__getitem__", lambda images, index: seen.append(index) or read(images, index))
    encoder = make_encoder("published:vit-l", batch=2)
    whole, waiting = type(encoder)._features, []
    monkeypatch.setattr(type(encoder), "_features", lambda e, batch: waiting.append(len(seen)) or whole(e, batch))
    LAION("published:laion-v2", backbone=encoder).score(IMAGES)
    assert sorted(seen) == [0, 1, 2, 3, 4] and waiting[0] <= 4


# ------------------------------------------------------------------------------------------------------------ messages


def test_a_published_head_on_another_clip_is_refused(tmp_path, monkeypatch):
    path = head(tmp_path / "head.pth", 120)
    LAION(path, backbone="fourier:8")  # nobody knows the file
    monkeypatch.setitem(KNOWN, hashlib.sha256(path.read_bytes()).hexdigest(), KnownHead("sa_vit_b_16", "ViT-B/16"))
    with pytest.raises(
        SpecError, match="sa_vit_b_16 belongs to OpenAI's CLIP ViT-B/16, the backbone is fourier:8"
    ) as e:
        LAION(path, backbone="fourier:8")
    assert e.value.hint.startswith("backbone: open_clip:ViT-B-16-quickgelu/openai")
    LAION(path, backbone=make_encoder("fourier:8"))  # whoever builds the encoder answers for it


@pytest.mark.parametrize(
    ("arguments", "error", "message", "hint"),
    [
        ({"weights": "published:hpsv2.1"}, SpecError, "published:hpsv2.1 is HPS v2.1", "published:laion-v2"),
        ({"weights": "laion-v2"}, MissingDependency, "laion-v2 does not exist", "^write published:laion-v2$"),
        (
            {"weights": "no.pth"},
            MissingDependency,
            r"no\.pth does not exist",
            "by hand .*; then write published:laion-v2",
        ),
        ({"backbone": "fourier:8"}, SpecError, r"a head of \d+ numbers on embeddings of 120", "belong together"),
        ({"backbone": "fourie:8"}, SpecError, "no encoder is called 'fourie'", "did you mean 'fourier'"),
        ({"device": "quantum"}, SpecError, "device: quantum cannot be used", "use cpu"),
    ],
)
def test_what_cannot_be_built_is_one_message(arguments, error, message, hint):
    arguments = {"weights": "tinyworld", **arguments}
    with pytest.raises(error, match=message) as raised:
        LAION(arguments.pop("weights"), **arguments)
    assert re.search(hint, raised.value.hint)


@pytest.mark.parametrize(("present", "hint"), [("nothing", "by hand"), ("github.com*", "weights fetch vit-l")])
def test_weights_that_are_missing_are_named_with_what_fetches_them(
    random_weights, tmp_path, monkeypatch, present, hint
):
    for folder in random_weights.glob(present):
        (tmp_path / folder.name).symlink_to(folder)
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingDependency, match=r"neither in .* nor in the hub's cache") as error:
        LAION("published:laion-v2")
    assert hint in error.value.hint


def test_what_is_no_head_is_named(tmp_path):
    (tmp_path / "head.pth").write_bytes(b"not weights")
    with pytest.raises(DataError, match=r"head\.pth: cannot be read as weights"):
        LAION(tmp_path / "head.pth", backbone="fourier:8")


def test_importing_the_scorers_imports_no_torch():
    heavy = ("torch", "transformers", "open_clip", "pandas", "scipy", "sklearn")
    code = (
        f"import sys, rebeca.scorers, rebeca.encoders, rebeca.images; print([m for m in {heavy} if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
