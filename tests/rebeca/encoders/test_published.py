"""Published encoders on tiny random weights."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch

from rebeca.errors import SpecError
from tests.builders import encoder, noise_images, resolved_encoder

IMAGES = noise_images(5, width=60, taller=9)


@pytest.mark.parametrize(("name", "dim"), [("vit-h", 64), ("vit-g", 40), ("vit-l", 32)])
def test_towers_encode_images_of_any_size(published, name, dim):
    tower = encoder(f"published:{name}")
    embeddings = tower.encode(IMAGES)
    assert embeddings.shape == (5, dim) == (5, tower.dim) and embeddings.dtype == np.float32
    assert np.isfinite(embeddings).all() and len(np.unique(embeddings[:, 0])) == 5
    alone = np.concatenate([encoder(f"published:{name}", params={"batch": 1}).encode([image]) for image in IMAGES])
    np.testing.assert_allclose(embeddings, alone, atol=1e-5)
    assert len(tower.encode([])) == 0


def test_towers_equal_transformers_own_preparation(published):
    from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

    folder = published / "h94--IP-Adapter" / "models" / "image_encoder"
    net = CLIPVisionModelWithProjection.from_pretrained(folder).eval()
    prepare = CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    with torch.inference_mode():
        x = prepare(images=IMAGES, return_tensors="pt")["pixel_values"]
        wanted = net(pixel_values=x).image_embeds.numpy()
    np.testing.assert_allclose(encoder("published:vit-h").encode(IMAGES), wanted, atol=1e-5)


def test_precision_is_part_of_the_address_and_answers_are_single(published):
    half = encoder("published:vit-h", params={"dtype": "bfloat16"})
    assert (
        resolved_encoder("published:vit-h", params={"dtype": "bfloat16"}).address()
        != resolved_encoder("published:vit-h").address()
    )
    embeddings = half.encode(IMAGES)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, encoder("published:vit-h").encode(IMAGES), atol=0.2)


def test_two_encoders_of_the_same_weights_share_a_tower(published):
    first, second, half = (
        encoder("published:vit-l"),
        encoder("published:vit-l"),
        encoder("published:vit-l", params={"dtype": "bfloat16"}),
    )
    assert first.inner._net is second.inner._net and half.inner._net is not first.inner._net
    gone = weakref.ref(first.inner._net)
    del first, second
    gc.collect()
    assert gone() is None


def test_short_memory_halves_a_batch(published, monkeypatch):
    tower = encoder("published:vit-h")
    wanted, net, sizes = tower.encode(IMAGES), tower.inner._net, []

    class Small:
        dtype = net.dtype

        def __call__(self, pixel_values):
            sizes.append(len(pixel_values))
            if len(pixel_values) > 2:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return net(pixel_values=pixel_values)

    monkeypatch.setitem(tower.inner.__dict__, "_net", Small())
    np.testing.assert_allclose(tower.encode(IMAGES), wanted, atol=1e-5)
    assert sizes[0] == 5 and max(sizes[-2:]) <= 2


def test_encoders_name_their_mistakes(published, copied):
    with pytest.raises(SpecError, match="found 'vit-x'"):
        encoder("published:vit-x")
    with pytest.raises(SpecError, match="no parameter 'size'"):
        encoder("published:vit-h", params={"size": 3})
    with pytest.raises(SpecError, match=r"dtype: .*found 'int8'"):
        encoder("published:vit-h", params={"dtype": "int8"})
    with pytest.raises(SpecError, match=r"batch: .*found 0"):
        encoder("published:vit-h", params={"batch": 0})
