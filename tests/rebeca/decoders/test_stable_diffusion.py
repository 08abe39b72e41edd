"""The decoder on the shipped miniature: users of a batch are never mixed, and the published layouts load."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file
from transformers import CLIPModel, CLIPVisionModelWithProjection

from rebeca.decoders.stable_diffusion import StableDiffusion, StableDiffusionParams, load_pipeline
from rebeca.errors import MissingDependency, PluginError, SpecError
from rebeca.interfaces import DecoderContext, Request
from rebeca.seeds import torch_generator
from rebeca.space import LinearSpace
from rebeca.tinyworld.models import ADAPTER, IMAGE_ENCODER, STABLE_DIFFUSION, layouts
from rebeca.tinyworld.words import CONTEXT
from rebeca.weights import quiet

USERS = 8


def decoder(**params):
    return StableDiffusion(
        StableDiffusionParams(**{"steps": 3, "batch": USERS, **params}), DecoderContext.alone(LinearSpace())
    )


def requests(count):
    return [Request(f"user-{i}", 0, 1000 + i) for i in range(count)]


def embeddings(count, seed=0):
    return np.random.default_rng(seed).normal(0, 0.6, (count, 96)).astype(np.float32)


@pytest.fixture(scope="module")
def images():
    return [image.pixels for image in decoder().decode(embeddings(USERS), requests(USERS))]


def test_another_vector_for_one_user_changes_that_users_image_only(images):
    vectors = embeddings(USERS)
    vectors[3] = embeddings(1, seed=9)
    again = [image.pixels for image in decoder().decode(vectors, requests(USERS))]
    changed = [i for i, (a, b) in enumerate(zip(images, again, strict=True)) if not np.array_equal(a, b)]
    assert changed == [3]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_noise_does_not_depend_on_the_number_format(dtype, images, monkeypatch):
    """Before torch 2.14, ``torch.randn`` draws other numbers in half precision; here it does so in every release."""
    drawn = torch.randn

    def unlike_single(*size, **named):
        noise = drawn(*size, **named)
        return -noise if named.get("dtype") in (torch.float16, torch.bfloat16) else noise

    monkeypatch.setattr(torch, "randn", unlike_single)
    half = np.stack([image.pixels for image in decoder(dtype=dtype).decode(embeddings(USERS), requests(USERS))])
    assert np.abs(half.astype(int) - np.stack(images)).mean() < 1


def test_the_stock_pipeline_mixes_users_which_is_why_ours_does_not_use_it():
    with quiet():
        pipe = StableDiffusionPipeline.from_pretrained(
            layouts() / STABLE_DIFFUSION, safety_checker=None, use_safetensors=True, low_cpu_mem_usage=False
        )
        pipe.load_ip_adapter(
            str(layouts() / ADAPTER.parts[0]), subfolder="models", weight_name=ADAPTER.name,
            image_encoder_folder=None, low_cpu_mem_usage=False,
        )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)

    def decoded(vectors):
        positive = torch.from_numpy(vectors)[:, None]
        with torch.inference_mode():
            return pipe(
                prompt=[""] * 4, ip_adapter_image_embeds=[torch.cat([torch.zeros_like(positive), positive])],
                generator=[torch_generator(i) for i in range(4)], num_inference_steps=2, guidance_scale=2.0,
                height=64, width=64, output_type="np",
            ).images  # fmt: skip

    vectors = embeddings(4)
    other = vectors.copy()
    other[3] = embeddings(1, seed=9)
    first, second = decoded(vectors), decoded(other)
    changed = [i for i in range(4) if np.abs(first[i] - second[i]).max() > 1e-4]
    assert changed != [3], "diffusers issue 9813 is mended: the subclass can go"


def test_an_image_does_not_depend_on_what_is_made_beside_it(images):
    alone = next(decoder(batch=1).decode(embeddings(USERS)[5:6], requests(USERS)[5:6])).pixels
    assert np.abs(alone.astype(int) - images[5].astype(int)).max() <= 2
    part = decoder().decode(embeddings(USERS)[2:7], requests(USERS)[2:7])
    for row, image in enumerate(part):  # at the task's own batch, every bit
        assert np.array_equal(image.pixels, images[2 + row])


def test_runs_are_bit_identical(images):
    again = list(decoder().decode(embeddings(USERS), requests(USERS)))
    assert all(np.array_equal(a, b.pixels) for a, b in zip(images, again, strict=True))


def test_prompt_guidance_scale_and_scheduler_reach_the_image(images):
    changes = (
        {"prompt": "a snowy field at night"}, {"negative_prompt": "night"}, {"image_guidance": 4.0},
        {"image_guidance": 1.0}, {"adapter_scale": 0.3}, {"scheduler": "EulerDiscreteScheduler"}, {"steps": 4},
    )  # fmt: skip
    for change in changes:
        other = list(decoder(**change).decode(embeddings(2), requests(2)))
        assert not np.array_equal(other[0].pixels, images[0]), change


def test_words_alone_leave_the_adapter_off():
    words = ["a green meadow at noon with the sun", "a blue lake at night with stars"]
    results = list(decoder().decode_prompts(words, ["", ""], requests(2)))
    assert results[0].embedding is None and results[0].pixels.shape == (64, 64, 3)
    list(decoder().decode(embeddings(2), requests(2)))  # the scale is not left behind
    again = list(decoder().decode_prompts(words, ["", ""], requests(2)))
    assert np.array_equal(results[0].pixels, again[0].pixels)


def test_mistakes_are_named(tmp_path):
    with pytest.raises(PluginError, match="embeddings of 5 numbers for an adapter that takes 96"):
        list(decoder().decode(np.zeros((1, 5), np.float32), requests(1)))
    with pytest.raises(SpecError, match="diffusers has no 'EulerScheduler'"):
        list(decoder(scheduler="EulerScheduler").decode(embeddings(1), requests(1)))
    load_pipeline.cache_clear()
    with pytest.raises(MissingDependency, match="cannot be loaded"):
        list(decoder(model=str(tmp_path)).decode(embeddings(1), requests(1)))


def test_damaged_weights_and_adapters_of_another_kind_are_one_message(tmp_path):
    copied = tmp_path / "model"
    shutil.copytree(layouts() / STABLE_DIFFUSION, copied)
    unet = copied / "unet" / "diffusion_pytorch_model.safetensors"
    unet.write_bytes(unet.read_bytes()[:1000])
    with pytest.raises(MissingDependency, match="cannot be loaded"):
        list(decoder(model=str(copied)).decode(embeddings(1), requests(1)))
    adapter = load_file(layouts() / ADAPTER)
    adapter["image_proj.latents"] = torch.zeros(1, 4, 64)  # what a "plus" adapter has
    (tmp_path / "models").mkdir()
    save_file(adapter, tmp_path / "models" / "plus.safetensors")
    with pytest.raises(MissingDependency, match="cannot be loaded"):
        list(decoder(adapter=str(tmp_path), adapter_file="plus.safetensors").decode(embeddings(1), requests(1)))


def test_a_repository_needs_its_commit_and_a_folder_is_known_by_its_content(tmp_path):
    def digest(**params):
        return StableDiffusion.fingerprint(StableDiffusionParams(**params))

    with pytest.raises(SpecError, match=r"decoder\.params\.revision: 'a/model'.*found None"):
        digest(model="a/model")
    with pytest.raises(SpecError, match=r"decoder\.params\.adapter_revision: 'an/adapter'.*found 'main'"):
        digest(adapter="an/adapter", adapter_revision="main")
    assert digest(model="a/model", revision="0" * 40) != digest(model="a/model", revision="1" * 40)
    for name in ("one", "two", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights").write_text("other" if name == "other" else "same")
    first, same, other = (digest(model=str(tmp_path / name)) for name in ("one", "two", "other"))
    assert first == same != other


def test_transformers_and_open_clip_read_the_same_clip():
    import open_clip

    folder = layouts() / "clip" / "verifier-encoder"
    theirs = CLIPModel.from_pretrained(folder).eval()
    ours = open_clip.create_model(f"local-dir:{folder}").eval()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}", bpe_path=str(folder / "bpe.txt.gz"))
    x = torch.randn(3, 3, 64, 64, generator=torch_generator(0))
    ids = tokenizer(["a vivid wheat field at dusk with stars", "something else, 12!", ""])
    assert ids.shape == (3, CONTEXT)
    with torch.inference_mode():
        image = theirs.visual_projection(theirs.vision_model(pixel_values=x).pooler_output)
        text = theirs.text_projection(theirs.text_model(input_ids=ids).pooler_output)
        assert torch.allclose(ours.encode_image(x), image, atol=2e-5)
        assert torch.allclose(ours.encode_text(ids), text, atol=2e-5)


def test_the_adapters_image_encoder_is_the_priors_clip():
    with quiet():
        encoder = CLIPVisionModelWithProjection.from_pretrained(layouts() / IMAGE_ENCODER).eval()
        clip = CLIPModel.from_pretrained(layouts() / "clip" / "prior-encoder").eval()
    x = torch.randn(2, 3, 64, 64, generator=torch_generator(1))
    with torch.inference_mode():
        expected = clip.visual_projection(clip.vision_model(pixel_values=x).pooler_output)
        assert torch.equal(encoder(pixel_values=x).image_embeds, expected)
