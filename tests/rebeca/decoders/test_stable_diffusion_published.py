"""The decoder on the published layout: users of a batch apart, no checker, half precision, LoRA, short memory."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch

from rebeca.decoders.stable_diffusion import StableDiffusion, StableDiffusionParams, load_pipeline, lora_of
from rebeca.errors import MissingDependency, PluginError, SpecError
from rebeca.interfaces import DecoderContext, Request
from rebeca.params import make_params
from rebeca.space import LinearSpace

USERS, DIM = 8, 64


def decoder(**params):
    given = {"model": "published:sd15", "adapter": "published:ip-adapter-sd15", "steps": 2, "batch": USERS, **params}
    return StableDiffusion(StableDiffusionParams(**given), DecoderContext.alone(LinearSpace()))


def requests(count=USERS):
    return [Request(f"user-{i}", 0, 1000 + i) for i in range(count)]


def vectors(count=USERS, seed=0):
    return np.random.default_rng(seed).normal(0, 1, (count, DIM)).astype(np.float32)


def decoded(count=USERS, points=None, **params):
    points = vectors(count) if points is None else points
    return [image.pixels for image in decoder(**params).decode(points, requests(count))]


@pytest.fixture(autouse=True)
def weights(published):
    load_pipeline.cache_clear()
    return published


def differing(a, b):
    return [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if not np.array_equal(x, y)]


def test_swapping_one_users_vector_in_a_batch_of_eight_changes_that_image_only():
    first, points = decoded(), vectors()
    points[5] = vectors(1, seed=9)
    assert differing(first, decoded(points=points)) == [5]
    assert first[0].shape == (64, 64, 3) and first[0].std() > 1


def test_half_precision_changes_that_image_only_as_well():
    first, points = decoded(dtype="bfloat16"), vectors()
    points[2] = vectors(1, seed=9)
    assert differing(first, decoded(points=points, dtype="bfloat16")) == [2]
    assert load_pipeline(decoder(dtype="bfloat16").params.of_pipeline, "cpu").unet.dtype == torch.bfloat16
    assert load_pipeline(decoder(dtype="auto").params.of_pipeline, "cpu").unet.dtype == torch.float32


def test_channels_last_paints_the_same_to_a_bit_or_two():
    near = np.abs(np.stack(decoded()).astype(int) - np.stack(decoded(channels_last=True)).astype(int))
    assert near.max() <= 2


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with g++")
def test_a_compiled_unet_paints_the_same_to_a_bit_or_two():
    near = np.abs(np.stack(decoded(2, batch=2)).astype(int) - np.stack(decoded(2, batch=2, compile=True)).astype(int))
    assert near.max() <= 2


def test_a_safety_checker_in_the_repository_is_never_asked(weights, tmp_path, monkeypatch):
    """The published repository carries one that returns what it flags in black, which would then be scored."""
    first = decoded(2)
    shutil.copytree(weights, tmp_path / "weights")
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path / "weights"))
    load_pipeline.cache_clear()
    folder = tmp_path / "weights" / "stable-diffusion-v1-5--stable-diffusion-v1-5"
    index = json.loads((folder / "model_index.json").read_text())
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    index["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
    (folder / "model_index.json").write_text(json.dumps(index))
    card = json.loads((folder / "random-weights.json").read_text())
    card["files"]["model_index.json"] = hashlib.sha256((folder / "model_index.json").read_bytes()).hexdigest()
    (folder / "random-weights.json").write_text(json.dumps(card))
    from transformers import CLIPImageProcessor

    CLIPImageProcessor().save_pretrained(folder / "feature_extractor")
    assert not differing(first, decoded(2))
    assert load_pipeline(decoder().params.of_pipeline, "cpu").safety_checker is None


def test_a_black_image_is_a_counted_failure_wherever_it_comes_from():
    from benchmark.runner.images import check
    from rebeca.interfaces import GeneratedImage

    class Empty:
        def __len__(self):
            return 0

    row = check(GeneratedImage(np.zeros((64, 64, 3), np.uint8)), requests(1)[0], Empty(), "somebody")
    assert row.failure == "blank"


def test_an_image_that_failed_takes_no_vector_from_the_others(tmp_path):
    from benchmark.runner.images import read_embeddings, write_unit

    class Empty:
        def __len__(self):
            return 0

    images = list(decoder().decode(vectors(), requests()))
    images[2] = None
    write_unit(tmp_path, iter(images), requests(), Empty(), "somebody")
    embeddings = read_embeddings([tmp_path])
    assert np.isnan(embeddings[2]).all() and np.array_equal(np.delete(embeddings, 2, 0), np.delete(vectors(), 2, 0))


def test_an_array_that_a_generator_uses_again_is_kept_as_it_was(tmp_path):
    from benchmark.runner.images import read_unit, write_unit
    from rebeca.interfaces import GeneratedImage
    from rebeca.pixels import decode_image, pixels_digest

    class Empty:
        def __len__(self):
            return 0

    def reusing():
        array = np.zeros((64, 64, 3), np.uint8)
        for k in range(8):
            array[:] = np.random.default_rng(k).integers(0, 256, array.shape)
            yield GeneratedImage(array)

    write_unit(tmp_path, reusing(), requests(), Empty(), "somebody")
    rows = read_unit(tmp_path)
    assert len({row.digest for row in rows}) == 8
    for row in rows:
        assert pixels_digest(decode_image((tmp_path / f"{row.digest}.png").read_bytes(), "x")) == row.digest


def test_images_come_a_batch_at_a_time(monkeypatch):
    batches = []
    batch = StableDiffusion._batch

    def counted(self, *arguments):
        batches.append(1)
        return batch(self, *arguments)

    monkeypatch.setattr(StableDiffusion, "_batch", counted)
    coming = iter(decoder(batch=2).decode(vectors(), requests()))
    next(coming)
    assert len(batches) == 1
    assert len(list(coming)) == USERS - 1 and len(batches) == 4


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_an_image_of_numbers_that_are_not_finite_failed(monkeypatch, number):
    """Half precision can overflow in the autoencoder; what became of it would be scored as an image."""
    tested = decoder(batch=4)
    pipe = load_pipeline(tested.params.of_pipeline, "cpu")
    whole = pipe.vae.decode

    def overflowing(latents, **named):
        decoded = whole(latents, **named)
        decoded[0][1, 0, 0, 0] = number
        return decoded

    wanted = list(tested.decode(vectors(), requests()))
    monkeypatch.setattr(pipe.vae, "decode", overflowing)
    images = list(tested.decode(vectors(), requests()))
    failed = [k for k in range(USERS) if k % 4 == 1]
    assert [k for k, image in enumerate(images) if image is None] == failed
    assert all(np.array_equal(images[k].pixels, wanted[k].pixels) for k in range(USERS) if k not in failed)


def test_guidance_below_one_is_refused():
    """Without guidance is 1; what is below was painted like it, and called something else."""
    with pytest.raises(SpecError, match=r"decoder\.image_guidance: .*greater than or equal to 1"):
        make_params(StableDiffusionParams, {"image_guidance": 0.5}, "decoder")


# -- short memory ---------------------------------------------------------------------------------------------------


def short_of_memory(most, monkeypatch):
    tried = []
    batch = StableDiffusion._batch

    def limited(self, pipe, seeds, *rest):
        tried.append(len(seeds))
        if len(seeds) > most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return batch(self, pipe, seeds, *rest)

    monkeypatch.setattr(StableDiffusion, "_batch", limited)
    return tried


def test_the_rehearsal_halves_the_batch_until_it_fits(monkeypatch):
    monkeypatch.setattr(StableDiffusion, "_has_own_memory", property(lambda self: True))
    tried = short_of_memory(3, monkeypatch)
    tested = decoder(batch=16)
    assert tested.rehearse() == 2 and tried == [16, 8, 4, 2]
    assert len(list(tested.decode(vectors(), requests()))) == USERS and max(tried[4:]) == 2
    assert decoder(batch=16).rehearse(4) == 4  # remembered: nothing is tried


def test_where_not_even_one_fits_the_error_stays_what_it_is(monkeypatch):
    monkeypatch.setattr(StableDiffusion, "_has_own_memory", property(lambda self: True))
    short_of_memory(0, monkeypatch)
    with pytest.raises(RuntimeError, match="out of memory"):
        decoder(batch=4).rehearse()


def test_on_the_processor_nothing_is_tried(monkeypatch):
    tried = short_of_memory(0, monkeypatch)
    assert decoder(batch=5).rehearse() == 5 and not tried


def test_a_rehearsal_is_remembered_by_device(tmp_path, monkeypatch):
    from benchmark.runner import devices
    from rebeca.decoders.nearest import NearestParams

    euclidean, cosine = NearestParams("euclidean"), NearestParams("cosine")
    use = "nearest-picture"

    class Rehearsing:
        calls = []

        def rehearse(self, batch=None):
            self.calls.append(batch)
            return batch or 16

    monkeypatch.setattr(devices, "device_name", lambda device: "H100")
    tested = Rehearsing()
    assert devices.rehearsed(tested, use, euclidean, "cuda", tmp_path) == 16
    assert devices.rehearsed(tested, use, euclidean, "cuda", tmp_path) == 16
    assert devices.rehearsed(tested, use, cosine, "cuda", tmp_path) == 16
    monkeypatch.setattr(devices, "device_name", lambda device: "H200")
    devices.rehearsed(tested, use, euclidean, "cuda", tmp_path)
    assert tested.calls == [None, 16, None, None]
    assert devices.rehearsed(tested, use, euclidean, "cpu", tmp_path) == 16 and tested.calls[-1] is None


# -- LoRA -----------------------------------------------------------------------------------------------------------


def write_lora(folder, seed):
    pytest.importorskip("peft")
    from diffusers import StableDiffusionPipeline
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft import LoraConfig, get_peft_model_state_dict

    pipe = load_pipeline(decoder().params.of_pipeline, "cpu")
    from diffusers import UNet2DConditionModel

    unet = UNet2DConditionModel.from_config(pipe.unet.config)
    unet.add_adapter(LoraConfig(r=4, lora_alpha=16, target_modules=["to_q", "to_v"], init_lora_weights="gaussian"))
    torch.manual_seed(seed)
    for name, weight in unet.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.5)
    state = convert_state_dict_to_diffusers(get_peft_model_state_dict(unet))
    folder.mkdir(parents=True)
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=state)


def test_a_lora_is_applied_and_leaves_nothing_behind(tmp_path):
    before = decoded(4)
    write_lora(tmp_path / "shared", 0)
    changed = decoded(4, lora=str(tmp_path / "shared"))
    assert differing(before, changed) == [0, 1, 2, 3]
    assert not differing(changed, decoded(4, lora=str(tmp_path / "shared")))
    assert differing(changed, decoded(4, lora=str(tmp_path / "shared"), lora_scale=0.3)) == [0, 1, 2, 3]
    assert not differing(before, decoded(4))


def test_everybody_has_a_lora_of_their_own(tmp_path):
    before = decoded(3)
    for user in range(3):
        write_lora(tmp_path / f"user-{user}", user)
    pattern = str(tmp_path / "{user}")
    own = decoded(3, lora=pattern)
    for user in range(3):
        alone = decoded(3, lora=str(tmp_path / f"user-{user}"))
        assert np.abs(alone[user].astype(int) - own[user].astype(int)).max() <= 2
    assert not differing(before, decoded(3))
    params = StableDiffusionParams(
        model="published:sd15", adapter="published:ip-adapter-sd15", lora=pattern
    )  # fmt: skip
    first = StableDiffusion.fingerprint(params)
    shutil.rmtree(tmp_path / "user-2")
    assert StableDiffusion.fingerprint(params) != first


def test_a_lora_that_is_missing_damaged_or_elsewhere_is_named(tmp_path):
    with pytest.raises(MissingDependency, match=r"decoder\.lora: .*nowhere cannot be loaded"):
        decoded(1, lora=str(tmp_path / "nowhere"))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "pytorch_lora_weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(MissingDependency, match="cannot be loaded"):
        decoded(1, lora=str(tmp_path / "bad"))
    (tmp_path / "loras").mkdir()
    assert lora_of(str(tmp_path / "loras" / "{user}"), "ann") == tmp_path / "loras" / "ann"
    with pytest.raises(PluginError, match="points outside"):
        lora_of(str(tmp_path / "loras" / "{user}"), "../../etc")


def test_who_stops_in_the_middle_leaves_no_lora(tmp_path):
    before = decoded(4)
    write_lora(tmp_path / "shared", 0)
    coming = decoder(lora=str(tmp_path / "shared"), batch=2).decode(vectors(4), requests(4))
    next(coming)
    coming.close()
    assert not differing(before, decoded(4))
