"""HPSv2 from Python: any images and prompts, the weights that a name stands for, and the plug-in's numbers."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.scorers.hpsv2 import HPSv2Params, HPSv2Scorer
from rebeca.errors import DataError, MissingDependency, SpecError
from rebeca.images import read_images
from rebeca.scorers import HPSv2, hpsv2
from tests.builders import noise_images, save_tiny_hps

PROMPT = "a postcard"
IMAGES = noise_images(5, width=60, taller=9)


@pytest.fixture(scope="module")
def stand_in():
    return HPSv2("tinyworld", batch=2)


def plugin(**params):
    return HPSv2Scorer(HPSv2Params(**params), SimpleNamespace(device="cpu"))


def test_an_image_scores_alike_as_path_image_and_array(stand_in, tmp_path):
    for number, pixels in enumerate(IMAGES):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    paths = sorted(tmp_path.iterdir())
    scores = stand_in.score(tmp_path, PROMPT)
    assert scores.dtype == np.float32 and scores.shape == (5,) and (np.abs(scores) <= 1).all()
    assert len(set(scores.tolist())) == 5
    mixture = [paths[0], str(paths[1]), IMAGES[2], Image.fromarray(IMAGES[3]), Image.open(paths[4])]
    for images in (str(tmp_path), paths, IMAGES, mixture, read_images(tmp_path), iter(paths)):
        np.testing.assert_array_equal(stand_in.score(images, PROMPT), scores)


def test_grey_and_transparent_images_score_as_what_is_seen(stand_in):
    grey = IMAGES[0][:, :, 0]
    clear = np.dstack([IMAGES[0], np.zeros_like(grey)])
    seen = [np.repeat(grey[:, :, None], 3, axis=2), np.full_like(IMAGES[0], 255)]
    np.testing.assert_array_equal(stand_in.score([grey, clear], PROMPT), stand_in.score(seen, PROMPT))


def test_one_prompt_for_all_is_the_same_prompt_for_each(stand_in):
    np.testing.assert_array_equal(stand_in.score(IMAGES, [PROMPT] * 5), stand_in.score(IMAGES, PROMPT))


@pytest.mark.parametrize("prompts", [list("abcde"), ("a", "b", "a", "a", "b"), np.array(list("eedcc"))])
def test_each_image_is_scored_under_its_own_prompt(stand_in, prompts):
    alone = [stand_in.score([image], str(prompt))[0] for image, prompt in zip(IMAGES, prompts, strict=True)]
    scores = stand_in.score(IMAGES, prompts)
    np.testing.assert_allclose(scores, alone, atol=1e-6)
    assert np.abs(scores - stand_in.score(IMAGES, PROMPT)).max() > 1e-3


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_the_size_of_a_batch_changes_nothing(stand_in, batch):
    np.testing.assert_allclose(
        HPSv2("tinyworld", batch=batch).score(IMAGES, PROMPT), stand_in.score(IMAGES, PROMPT), atol=1e-6
    )


def test_short_memory_halves_batches_with_their_prompts(stand_in, monkeypatch):
    from rebeca.scorers.hpsv2_network import HPSv2Network

    prompts, whole = list("abcde"), HPSv2Network._in_batch

    def short(network, pairs):
        if len(pairs) > 1:
            raise RuntimeError("CUDA out of memory")
        return whole(network, pairs)

    expected = stand_in.score(IMAGES, prompts)
    monkeypatch.setattr(HPSv2Network, "_in_batch", short)
    np.testing.assert_allclose(stand_in.score(IMAGES, prompts), expected, atol=1e-6)


def test_no_image_is_no_score(stand_in):
    for prompts in (PROMPT, []):
        scores = stand_in.score([], prompts)
        assert scores.shape == (0,) and scores.dtype == np.float32


def test_the_plugin_gives_the_same_numbers(published):
    np.testing.assert_array_equal(
        plugin(backbone="tinyworld", prompt=PROMPT).score_pixels(IMAGES),
        HPSv2("tinyworld").score(IMAGES, PROMPT),
    )
    for name in ("2.0", "2.1"):
        scores = HPSv2(f"published:hpsv{name}").score(IMAGES, PROMPT)
        assert len(set(scores.tolist())) == 5
        theirs = plugin(weights=f"published:hpsv{name}", version=f"v{name}", prompt=PROMPT).score_pixels(IMAGES)
        np.testing.assert_array_equal(theirs, scores)


def test_versions_and_precisions_give_other_numbers(published):
    first, second = (HPSv2(f"published:hpsv{name}").score(IMAGES, PROMPT) for name in ("2.0", "2.1"))
    assert np.abs(first - second).max() > 1e-3
    half = HPSv2("published:hpsv2.1", dtype="float16").score(IMAGES, PROMPT)
    assert half.dtype == np.float32 and 0 < np.abs(half - second).max() < 0.02
    np.testing.assert_array_equal(HPSv2("published:hpsv2.1", dtype="auto").score(IMAGES, PROMPT), second)


def test_a_file_is_read_with_its_backbone(tmp_path):
    path = save_tiny_hps(tmp_path)
    scores = HPSv2(path, backbone="ViT-tiny-hps").score(IMAGES, PROMPT)
    theirs = plugin(backbone="ViT-tiny-hps", weights=str(path), prompt=PROMPT).score_pixels(IMAGES)
    np.testing.assert_array_equal(scores, theirs)
    np.testing.assert_array_equal(HPSv2(str(path), backbone="ViT-tiny-hps").score(IMAGES, PROMPT), scores)


def test_the_package_scores_where_it_is_asked_for(published, monkeypatch):
    asked = []

    def score(images, prompts, weights):
        asked.append((len(images), prompts, weights.name))
        return np.full(len(images), len(asked), np.float32)

    monkeypatch.setattr(hpsv2, "score_by_package", score)
    scorer = HPSv2("published:hpsv2.1", engine="hpsv2-package", batch=4)
    assert scorer.score(IMAGES, list("abcde")).tolist() == [1, 1, 1, 1, 2]
    name = "HPS_v2.1_compressed.pt"
    assert asked == [(4, tuple("abcd"), name), (1, ("e",), name)]


# ------------------------------------------------------------------------------------------------------------ messages


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        (["a"] * 4, "4 prompts for 5 images"),
        ([], "0 prompts for 5 images"),
        (["a", "b", None, "d", "e"], r"prompts\[2\] is a NoneType, expected a text"),
        (None, "prompts is a NoneType"),
        ([b"a"] * 5, r"prompts\[0\] is a bytes"),
    ],
)
def test_prompts_that_do_not_fit_are_named(stand_in, prompts, message):
    with pytest.raises(DataError, match=message):
        stand_in.score(IMAGES, prompts)


def test_what_is_no_image_is_named_before_anything_is_scored(stand_in, monkeypatch):
    monkeypatch.setattr(stand_in, "_score", None)
    with pytest.raises(DataError, match=r"images\[5\]: no\.png: no such file"):
        stand_in.score([*IMAGES, "no.png"], PROMPT)


@pytest.mark.parametrize(
    ("arguments", "error", "message", "hint"),
    [
        ({"dtype": "float17"}, SpecError, "no dtype 'float17'", "did you mean 'float16'"),
        ({"engine": "hpsv2"}, SpecError, "no engine 'hpsv2'", "hpsv2-package"),
        ({"batch": 0}, SpecError, "batch: expected at least 1, found 0", ""),
        ({"batch": "8"}, SpecError, "batch: expected a whole number, found '8'", ""),
        ({"weights": None}, SpecError, "weights is None", "write 'published:hpsv2.1'"),
        ({"device": "quantum"}, SpecError, "device: quantum cannot be used", "use cpu"),
        ({"engine": "hpsv2-package"}, SpecError, "the package knows ViT-H-14 only, not tinyworld", "batched"),
        ({"weights": "published:hpsv2"}, SpecError, "'published:hpsv2' is unknown", "did you mean 'hpsv2.1'|'hpsv2.0'"),
        (
            {"weights": "published:vit-l"},
            SpecError,
            "published:vit-l is OpenAI's CLIP ViT-L/14",
            "published:hpsv2.0 or",
        ),
        ({"weights": "hpsv2.1"}, MissingDependency, "hpsv2.1 does not exist", "^write published:hpsv2.1$"),
        (
            {"weights": "HPS.pt"},
            MissingDependency,
            "HPS.pt does not exist",
            "weights fetch hpsv2.0; then write published",
        ),
        ({"weights": "."}, MissingDependency, r"\. does not exist, or cannot be read", "weights fetch"),
    ],
)
def test_what_cannot_be_built_is_one_message(arguments, error, message, hint):
    arguments = {"weights": "tinyworld", **arguments}
    with pytest.raises(error, match=message) as raised:
        HPSv2(arguments.pop("weights"), **arguments)
    assert re.search(hint, raised.value.hint)


def test_weights_that_are_missing_are_named_with_the_command_that_fetches_them(tmp_path, monkeypatch):
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path))
    for engine in ("batched", "hpsv2-package"):
        with pytest.raises(
            MissingDependency, match=r"published:hpsv2\.1.*neither in .* nor in the hub's cache"
        ) as error:
            HPSv2("published:hpsv2.1", engine=engine)
        assert error.value.hint == "rebeca-bench weights fetch hpsv2.1"


@pytest.mark.parametrize("state", [{}, {"visual.conv1.weight": torch.zeros(1)}])
def test_a_file_of_another_model_is_one_message(tmp_path, state):
    save_tiny_hps(tmp_path)
    torch.save({"state_dict": state}, tmp_path / "other.pt")
    with pytest.raises(MissingDependency, match=r"other\.pt cannot be loaded as ViT-tiny-hps \("):
        HPSv2(tmp_path / "other.pt", backbone="ViT-tiny-hps")
