"""HPSv2: cosines of images and a prompt from the published layouts, in batches."""

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from rebeca.errors import MissingDependency
from rebeca.pixels import CLIP_DEVIATION, CLIP_MEAN
from rebeca.scorers.hpsv2_network import (
    HPSv2Network,
    prepared,
    read_checkpoint,
    read_clip,
    read_file,
    read_folder,
    score_by_package,
)
from tests.builders import TINY_HPS, save_tiny_hps

PROMPT = "Realistic image, finely detailed, with balanced composition and harmonious elements."


def images_of(sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (height, width, 3)).astype(np.uint8) for height, width in sizes]


def read(path, dtype=torch.float32):
    return read_file(path, "ViT-tiny-hps", "cpu", dtype)


def scored(model, images, prompt):
    return model.score(images, [prompt] * len(images))


@pytest.fixture(scope="module")
def tiny_hps(tmp_path_factory):
    """A checkpoint in the published layout with random weights, under a name that open_clip knows."""
    return save_tiny_hps(tmp_path_factory.mktemp("hps"))


# ----------------------------------------------------------------------------------------------------- prepared images


def black(side):
    return prepared([np.zeros((side, side, 3), np.uint8)], side)[0, :, 0, 0]


def test_an_image_of_the_right_size_is_only_normalised():
    (image,) = images_of([(8, 8)])
    expected = (image / 255 - np.array(CLIP_MEAN)) / np.array(CLIP_DEVIATION)
    (x,) = prepared([image], 8)
    assert x.dtype == torch.float32
    np.testing.assert_allclose(x.permute(1, 2, 0), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [((20, 80), (15, 25), (0, 40)), ((40, 20), (0, 40), (10, 30)), ((40, 35), (0, 40), (2, 37))],
)
def test_the_longest_side_is_resized_and_the_rest_is_black(size, rows, columns):
    (x,) = prepared([np.full((*size, 3), 255, np.uint8)], 40)
    assert x.shape == (3, 40, 40)
    border = torch.ones(40, 40, dtype=torch.bool)
    border[rows[0] : rows[1], columns[0] : columns[1]] = False
    assert (x[:, border] == black(40)[:, None]).all()
    white = (1 - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_DEVIATION)
    torch.testing.assert_close(x[:, ~border], white[:, None].expand(-1, int((~border).sum())), atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [(1, 2000), (2000, 1)])
def test_a_thread_of_an_image_keeps_one_line(size):
    (x,) = prepared([np.full((*size, 3), 255, np.uint8)], 40)
    assert int((x[0] != black(40)[0]).sum()) == 40


def test_images_of_several_sizes_keep_their_order():
    images = images_of([(30, 40), (8, 8), (30, 40), (40, 30), (8, 8)])
    alone = torch.cat([prepared([image], 16) for image in images])
    torch.testing.assert_close(prepared(images, 16), alone, atol=1e-5, rtol=0)
    assert prepared([], 16).shape == (0, 3, 16, 16)


# ------------------------------------------------------------------------------------------------------------- cosines


class ByHand(torch.nn.Module):
    """Embeds an image as its mean colour, brought back to 0 to 1, and a prompt as the colour that it names."""

    def __init__(self, image_size):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.visual = SimpleNamespace(image_size=image_size)
        self.prompts = []

    def encode_image(self, x):
        return 7 * (x.mean(dim=(2, 3)) * torch.tensor(CLIP_DEVIATION) + torch.tensor(CLIP_MEAN))

    def encode_text(self, tokens):
        self.prompts.append(tokens.tolist())
        return 3 * torch.nn.functional.one_hot(tokens, 3).float()


def by_hand(image_size=4):
    colours = {"red": 0, "green": 1}
    return HPSv2Network(ByHand(image_size), lambda prompts: torch.tensor([colours[prompt] for prompt in prompts]))


def plain_image(colour, side=4):
    return np.broadcast_to(np.array(colour, np.uint8), (side, side, 3))


@pytest.mark.parametrize("image_size", [4, (4, 4)])
def test_cosines_by_hand(image_size):
    images = [plain_image(colour) for colour in [(255, 0, 0), (0, 255, 0), (60, 80, 0), (50, 50, 50)]]
    scores = scored(by_hand(image_size), images, "red")
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, [1.0, 0.0, 0.6, 1 / np.sqrt(3)], atol=1e-5)
    np.testing.assert_allclose(scored(by_hand(image_size), images, "green")[2], 0.8, atol=1e-5)


def test_a_prompt_is_encoded_once_for_all_batches():
    model, images = by_hand(), [plain_image((60, 80, 0))] * 3
    for _ in range(2):
        scored(model, images, "red")
    assert model.net.prompts == [[0]]
    for prompts in (["green", "red", "green"], ["red", "green", "green"]):
        model.score(images, prompts)
    assert model.net.prompts == [[0], [1]]


def test_each_image_meets_its_own_prompt():
    images = [plain_image(colour) for colour in [(255, 0, 0), (255, 0, 0), (60, 80, 0), (60, 80, 0)]]
    scores = by_hand().score(images, ["red", "green", "green", "red"])
    np.testing.assert_allclose(scores, [1.0, 0.0, 0.8, 0.6], atol=1e-5)


def test_images_and_prompts_of_other_numbers_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        by_hand().score([plain_image((60, 80, 0))] * 2, ["red"])


def test_short_memory_halves_a_batch(tiny_hps, monkeypatch):
    images, model = images_of([(56, 56)] * 5), read(tiny_hps)
    expected, whole, tried = scored(model, images, PROMPT), model.net.encode_image, []

    def short(x):
        tried.append(len(x))
        if len(x) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return whole(x)

    monkeypatch.setattr(model.net, "encode_image", short)
    np.testing.assert_allclose(scored(model, images, PROMPT), expected, atol=1e-6)
    assert tried == [5, 2, 3, 1, 2]


def test_a_batch_scores_as_its_images_one_by_one(tiny_hps):
    images, model = images_of([(56, 56), (64, 48), (30, 90), (57, 56)]), read(tiny_hps)
    scores = scored(model, images, PROMPT)
    assert (np.abs(scores) <= 1).all() and len(set(scores.tolist())) == 4
    np.testing.assert_allclose(scores, [scored(model, [image], PROMPT)[0] for image in images], atol=1e-6)


def test_another_prompt_makes_other_scores(tiny_hps):
    images, model = images_of([(56, 56)]), read(tiny_hps)
    assert scored(model, images, PROMPT)[0] != scored(model, images, ".")[0]


def test_the_product_is_single_where_the_network_is_half(tiny_hps):
    """In half precision cosines come in steps (2.4e-4 around .25), which would make ties of different images."""
    images = images_of([(56, 56)] * 12)
    half = scored(read(tiny_hps, torch.float16), images, PROMPT)
    assert half.dtype == np.float32 and (half.astype(np.float16).astype(np.float32) != half).any()
    whole = scored(read(tiny_hps), images, PROMPT)
    assert 0 < np.abs(half - whole).max() < 0.01


# --------------------------------------------------------------------------------------------------------------- files


@pytest.fixture(scope="module")
def sixteen_heads(tmp_path_factory):
    """A model with sixteen heads in both towers, as the published one has, and its checkpoint."""
    from open_clip import CLIP

    vision = {"width": 32, "layers": 3, "head_width": 2, "patch_size": 7, "image_size": 28}
    text = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 16, "layers": 2}
    torch.manual_seed(5)
    net = CLIP(8, vision, text).eval()
    path = tmp_path_factory.mktemp("checkpoint") / "HPS.pt"
    torch.save({"epoch": 1, "state_dict": net.state_dict()}, path)
    return net, path


def test_all_shapes_are_read_off_the_weights(sixteen_heads):
    net, path = sixteen_heads
    rebuilt = read_clip(path, torch.float32).eval()
    images, tokens = torch.randn(2, 3, 28, 28), torch.randint(1, 49408, (2, 77))
    with torch.inference_mode():
        torch.testing.assert_close(rebuilt.encode_image(images), net.encode_image(images))
        torch.testing.assert_close(rebuilt.encode_text(tokens), net.encode_text(tokens))


def test_a_checkpoint_scores_as_its_network(sixteen_heads):
    import open_clip

    net, path = sixteen_heads
    images = images_of([(28, 28), (20, 28)])
    with torch.inference_mode():
        image = net.encode_image(prepared(images, 28)).numpy()
        text = net.encode_text(open_clip.get_tokenizer("ViT-H-14")([PROMPT])).numpy()[0]
    cosine = image @ text / np.linalg.norm(image, axis=1) / np.linalg.norm(text)
    scores = scored(read_checkpoint(path, "ViT-H-14", "cpu", torch.float32), images, PROMPT)
    np.testing.assert_allclose(scores, cosine, atol=1e-5)
    half = read_checkpoint(path, "ViT-H-14", "cpu", torch.bfloat16)
    assert {weight.dtype for weight in half.net.parameters()} == {torch.bfloat16}
    np.testing.assert_allclose(scored(half, images, PROMPT), cosine, atol=0.05)


@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")
@pytest.mark.parametrize("state", [torch.zeros(3), {"model": {}}, {"state_dict": {}}, {"state_dict": {"a": 1}}])
def test_what_is_no_checkpoint_is_named(tmp_path, state):
    torch.save(state, tmp_path / "HPS.pt")
    with pytest.raises(MissingDependency, match=r"scorer 'hpsv2': .*HPS\.pt cannot be loaded") as error:
        read_checkpoint(tmp_path / "HPS.pt", "ViT-H-14", "cpu", torch.float32)
    assert "weights check" in error.value.hint


def test_a_checkpoint_without_a_tensor_is_named(sixteen_heads, tmp_path):
    state = sixteen_heads[0].state_dict()
    del state["visual.transformer.resblocks.1.ln_1.weight"]
    torch.save({"state_dict": state}, tmp_path / "HPS.pt")
    with pytest.raises(MissingDependency, match="cannot be loaded"):
        read_clip(tmp_path / "HPS.pt", torch.float32)


@pytest.mark.parametrize("backbone", ["ViT-tiny-hps", "ViT-nowhere"])
def test_damaged_files_and_unknown_models_are_one_message(tiny_hps, tmp_path, backbone):
    path = tmp_path / "HPS.pt"
    path.write_bytes(tiny_hps.read_bytes()[:3000])
    with pytest.raises(MissingDependency, match=f"cannot be loaded as {backbone}"):
        read_file(path, backbone, "cpu", torch.float32)


def test_the_stand_in_is_read_from_its_folder():
    from rebeca.tinyworld.models import layouts

    folder = layouts() / "clip" / "hps"
    model = read_folder(folder, "cpu", torch.float32)
    images = images_of([(64, 64), (64, 64), (40, 64)])
    scores = scored(model, images, "a postcard")
    assert (np.abs(scores) <= 1).all() and len(set(scores.tolist())) == 3
    assert not model.net.training
    side = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]["vision_cfg"]["image_size"]
    assert prepared(images, side).shape == (3, 3, side, side)
    np.testing.assert_array_equal(scored(read_folder(folder, "cpu", torch.float32), images, "a postcard"), scores)


# --------------------------------------------------------------------------------------------------------- the package


def test_without_the_package_its_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "hpsv2", None)
    with pytest.raises(MissingDependency, match="engine hpsv2-package cannot import 'hpsv2'") as error:
        score_by_package(images_of([(8, 8)]), [PROMPT], tmp_path / "HPS.pt")
    assert error.value.hint.startswith("pip install ")


def test_the_package_is_given_the_images_of_each_prompt_and_the_weights(monkeypatch, tmp_path):
    package, given = ModuleType("hpsv2"), []

    def score(images, *others):
        given.append(([np.asarray(image).shape[:2] for image in images], *others))
        return [0.25 * len(given), 0.5][: len(images)]

    package.img_score = SimpleNamespace(score=score)
    monkeypatch.setitem(sys.modules, "hpsv2", package)
    images, path = images_of([(8, 8), (3, 9), (5, 5)]), tmp_path / "HPS.pt"
    scores = score_by_package(images, [PROMPT, ".", PROMPT], path)
    assert scores.dtype == np.float32 and scores.tolist() == [0.25, 0.5, 0.5]
    assert given == [([(8, 8), (5, 5)], PROMPT, str(path)), ([(3, 9)], ".", str(path))]


def test_batches_equal_the_package(tiny_hps, monkeypatch, tmp_path):
    package = pytest.importorskip("hpsv2.img_score", reason="pip install --no-deps hpsv2x clint args")
    from hpsv2.src.open_clip import create_model_and_transforms, factory

    (tmp_path / "ViT-H-14.json").write_text(json.dumps(TINY_HPS))
    monkeypatch.setitem(factory._MODEL_CONFIGS, "ViT-H-14", TINY_HPS)
    model, _, prepare = create_model_and_transforms(
        "ViT-H-14", None, device="cpu", output_dict=True, light_augmentation=True
    )
    monkeypatch.setattr(package, "model_dict", {"model": model, "preprocess_val": prepare})
    monkeypatch.setattr(package, "device", "cpu")
    images = images_of([(56, 56), (56, 56), (64, 48), (30, 90), (112, 112), (57, 56)])
    theirs = score_by_package(images, [PROMPT] * len(images), tiny_hps)
    assert np.abs(scored(read(tiny_hps), images, PROMPT) - theirs).max() < 1e-6
