"""Published encoders on tiny random weights."""

from __future__ import annotations

import gc
import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.runner.plugins import build_encoder
from benchmark.task.encoders import resolve_encoder
from benchmark.task.file import EncoderSpec
from rebeca.errors import SpecError

PICTURES = [np.random.default_rng(i).integers(0, 255, (40 + 9 * i, 60, 3)).astype(np.uint8) for i in range(5)]


def resolved(name, **params):
    return resolve_encoder(EncoderSpec.model_validate({"use": f"published:{name}", "params": params}), Path())


def encoder(name, **params):
    return build_encoder(resolved(name, **params), "cpu")


@pytest.fixture
def copied(random_weights, tmp_path, monkeypatch):
    """Weights that a test may damage."""
    shutil.copytree(random_weights, tmp_path / "weights")
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


@pytest.mark.parametrize(("name", "dim"), [("vit-h", 64), ("vit-g", 40), ("vit-l", 32)])
def test_towers_encode_pictures_of_any_size(published, name, dim):
    tower = encoder(name)
    found = tower.encode(PICTURES)
    assert found.shape == (5, dim) == (5, tower.dim) and found.dtype == np.float32
    assert np.isfinite(found).all() and len(np.unique(found[:, 0])) == 5
    alone = np.concatenate([encoder(name, batch=1).encode([picture]) for picture in PICTURES])
    np.testing.assert_allclose(found, alone, atol=1e-5)
    assert len(tower.encode([])) == 0


def test_towers_equal_transformers_own_preparation(published):
    from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

    folder = published / "h94--IP-Adapter" / "models" / "image_encoder"
    net = CLIPVisionModelWithProjection.from_pretrained(folder).eval()
    prepare = CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    with torch.inference_mode():
        x = prepare(images=PICTURES, return_tensors="pt")["pixel_values"]
        wanted = net(pixel_values=x).image_embeds.numpy()
    np.testing.assert_allclose(encoder("vit-h").encode(PICTURES), wanted, atol=1e-5)


def test_precision_is_part_of_the_address_and_answers_are_single(published):
    half = encoder("vit-h", dtype="bfloat16")
    assert resolved("vit-h", dtype="bfloat16").address() != resolved("vit-h").address()
    found = half.encode(PICTURES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, encoder("vit-h").encode(PICTURES), atol=0.2)


def test_two_encoders_of_the_same_weights_share_a_tower(published):
    first, second, half = encoder("vit-l"), encoder("vit-l"), encoder("vit-l", dtype="bfloat16")
    assert first.inner._net is second.inner._net and half.inner._net is not first.inner._net
    gone = weakref.ref(first.inner._net)
    del first, second
    gc.collect()
    assert gone() is None


def test_short_memory_halves_a_batch(published, monkeypatch):
    tower = encoder("vit-h")
    wanted, net, sizes = tower.encode(PICTURES), tower.inner._net, []

    class Small:
        dtype = net.dtype

        def __call__(self, pixel_values):
            sizes.append(len(pixel_values))
            if len(pixel_values) > 2:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return net(pixel_values=pixel_values)

    monkeypatch.setitem(tower.inner.__dict__, "_net", Small())
    np.testing.assert_allclose(tower.encode(PICTURES), wanted, atol=1e-5)
    assert sizes[0] == 5 and max(sizes[-2:]) <= 2


def test_encoders_name_their_mistakes(published, copied):
    with pytest.raises(SpecError, match="found 'vit-x'"):
        encoder("vit-x")
    with pytest.raises(SpecError, match="no parameter 'size'"):
        encoder("vit-h", size=3)
    with pytest.raises(SpecError, match=r"dtype: .*found 'int8'"):
        encoder("vit-h", dtype="int8")
    with pytest.raises(SpecError, match=r"batch: .*found 0"):
        encoder("vit-h", batch=0)
