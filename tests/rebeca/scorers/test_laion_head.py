"""Heads of LAION aesthetics: each published form computes what its authors compute; any other is refused."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from rebeca.errors import DataError
from rebeca.scorers.laion_head import CLIPS, FORMS, KNOWN, KnownHead, LaionHead, read_head


def layer(number, weight, bias):
    return {
        f"layers.{number}.weight": torch.tensor(weight, dtype=torch.float64),
        f"layers.{number}.bias": torch.tensor(bias, dtype=torch.float64),
    }


def v2(dim, relu):
    """As LAION trains it: dropout always, ReLU in one of the files."""
    widths = (dim, 1024, 128, 64, 16, 1)
    parts = []
    for (below, above), dropout in zip(pairwise(widths), (0.2, 0.2, 0.1, None, None), strict=True):
        parts.append(nn.Linear(below, above))
        if relu and above > 1:
            parts.append(nn.ReLU())
        if dropout is not None:
            parts.append(nn.Dropout(dropout))
    return nn.Sequential(*parts)


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


AUTHORS = {
    "LAION v2, linear": (lambda dim: v2(dim, relu=False), "layers.", unit),
    "LAION v2, with ReLU": (lambda dim: v2(dim, relu=True), "layers.", unit),
    "LAION v1": (lambda dim: nn.Linear(dim, 1), "", unit),
    "Simulacra": (lambda dim: nn.Linear(dim, 1), "linear.", lambda x: unit(x) * x.shape[-1] ** 0.5),
    "one linear layer": (lambda dim: nn.Linear(dim, 1), "layers.0.", unit),
}
"""Network, prefix of its tensors, and what its input is, by form."""


@pytest.mark.parametrize("title", AUTHORS)
@pytest.mark.parametrize("dim", [512, 768])
def test_each_form_computes_what_its_authors_compute(tmp_path, title, dim):
    make, prefix, prepared = AUTHORS[title]
    torch.manual_seed(dim)
    network = make(dim).double().eval()
    torch.save({prefix + name: value for name, value in network.state_dict().items()}, tmp_path / "head.pth")
    x = torch.randn(7, dim, dtype=torch.float64) * 3
    with torch.inference_mode():
        expected = network(prepared(x))[:, 0].numpy()
    np.testing.assert_allclose(read_head(tmp_path / "head.pth").score(x.numpy()), expected, rtol=1e-6, atol=1e-6)


def test_the_forms_are_tested_and_differ(tmp_path):
    assert {form.title for form in FORMS} == AUTHORS.keys()
    assert len({form.tensors for form in FORMS}) == len(FORMS)
    relu = v2(8, relu=True).state_dict()
    plain = dict(zip(v2(8, relu=False).state_dict(), relu.values(), strict=True))
    torch.save({f"layers.{name}": value for name, value in relu.items()}, tmp_path / "relu.pth")
    torch.save({f"layers.{name}": value for name, value in plain.items()}, tmp_path / "plain.pth")
    x = np.random.default_rng(0).normal(size=(5, 8))
    scores = [read_head(tmp_path / name).score(x) for name in ("relu.pth", "plain.pth")]
    assert np.abs(scores[0] - scores[1]).min() > 1e-4  # equal weights, other heads


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Linear(8, 1024), nn.GELU(), nn.Linear(1024, 1)),
        nn.Sequential(nn.Linear(8, 1024), nn.LayerNorm(1024), nn.Linear(1024, 1)),
        nn.Sequential(*v2(8, relu=False)[:7], nn.ReLU(), nn.Linear(16, 1)),
        nn.Sequential(
            *(nn.Linear(8, 32), nn.Dropout(), nn.Linear(32, 32), nn.Dropout(), nn.Linear(32, 32), nn.Dropout()),
            *(nn.Linear(32, 16), nn.Linear(16, 1)),
        ),
    ],
)
def test_another_network_is_refused_with_what_was_found_and_what_is_known(tmp_path, network):
    torch.save({f"layers.{name}": value for name, value in network.state_dict().items()}, tmp_path / "head.pth")
    with pytest.raises(DataError, match=r"head\.pth: no known form of head, it holds layers\.0\.weight \[") as raised:
        read_head(tmp_path / "head.pth")
    assert all(form.title in raised.value.hint for form in FORMS)


def test_a_score_by_hand():
    """(6, 8) is (0.6, 0.8) at unit length."""
    head = LaionHead(((np.array([[3.0, 4.0]]), np.array([0.5])),))
    scores = head.score(np.array([[6.0, 8.0], [0.0, -2.0], [0.0, 0.0]], np.float32))
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, [1.8 + 3.2 + 0.5, -4.0 + 0.5, 0.5], rtol=1e-6)


@given(st.floats(1e-3, 1e3), st.integers(0, 2**32 - 1))
def test_the_length_of_an_embedding_plays_no_part(length, seed):
    rng = np.random.default_rng(seed)
    head, embeddings = LaionHead(((rng.normal(size=(1, 5)), np.array([2.0])),)), rng.normal(size=(4, 5))
    np.testing.assert_allclose(head.score(embeddings * length), head.score(embeddings), rtol=1e-9, atol=1e-12)


def test_both_kinds_of_file_and_half_precision_are_read(tmp_path):
    tensors = {name: value.half() for name, value in layer(0, [[0.5, -2.0]], [1.5]).items()}
    torch.save({**tensors, "epoch": 3}, tmp_path / "head.pth")
    save_file(tensors, tmp_path / "head.safetensors")
    for name in ("head.pth", "head.safetensors"):
        ((weight, bias),) = read_head(tmp_path / name).layers
        assert weight.tolist() == [[0.5, -2.0]] and bias.tolist() == [1.5] and weight.dtype == np.float64


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (torch.zeros(1, 5), "holds a Tensor, expected tensors by name"),
        ({"other": torch.zeros(1)}, r"it holds other \[1\]"),
        ({"state_dict": layer(0, [[1.0]], [0.0])}, "it holds no tensors"),
        ({"layers.0.weight": torch.zeros(1, 5)}, r"it holds layers\.0\.weight \[1, 5\]"),
        ({**layer(0, [[1.0]], [0.0]), "other.weight": torch.zeros(9)}, r"other\.weight \[9\]"),
        ({"weight": torch.zeros(1, 5), "bias": torch.zeros(2)}, r"no linear layer, with shapes \(1, 5\) and \(2,\)"),
        ({"layers.0.weight": torch.zeros(5), "layers.0.bias": torch.zeros(1)}, r"no linear layer.*\(5,\) and \(1,\)"),
        (layer(0, [[1.0, float("nan")]], [0.0]), r"layers\.0 holds numbers that are not finite"),
        (layer(0, [[1.0]], [float("inf")]), r"layers\.0 holds numbers that are not finite"),
        (layer(0, np.zeros((3, 5)), np.zeros(3)), "ends in 3 numbers, expected 1"),
    ],
)
def test_what_is_no_head_is_named(tmp_path, tensors, message):
    torch.save(tensors, tmp_path / "head.pth")
    with pytest.raises(DataError, match=rf"head\.pth: .*{message}"):
        read_head(tmp_path / "head.pth")


@pytest.mark.parametrize("name", ["head.pth", "head.safetensors"])
@pytest.mark.parametrize("data", [b"", b"not weights"])
def test_damaged_files_are_one_message(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match="cannot be read as weights"):
        read_head(tmp_path / name)


def test_the_published_head_gives_the_golden_ratings(shared):
    folder = shared / "golden" / "laion"
    head = read_head(folder / "sac+logos+ava1-l14-linearMSE.pth")
    vectors = np.load(folder / "vit_l_14_rating0to9.npy", allow_pickle=False).astype(np.float64)
    expected = [1.656, 2.359, 3.070, 3.673, 4.238, 4.701, 5.073, 5.365, 5.577, 5.747]
    assert np.abs(head.score(vectors) - expected).max() < 1e-3


def test_known_heads_belong_to_known_encoders():
    assert {head.clip for head in KNOWN.values()} == CLIPS.keys()
    assert len({head.name for head in KNOWN.values()}) == len(KNOWN) == 9


@pytest.mark.parametrize(
    ("clip", "encoder", "takes"),
    [
        ("ViT-B/16", "open_clip:ViT-B-16-quickgelu/openai", True),
        ("ViT-B/16", "open_clip:ViT-B-32-quickgelu/openai", False),
        ("ViT-B/16", "open_clip:ViT-B-16/laion2b_s34b_b88k", False),
        ("ViT-L/14", "published:vit-l", True),
        ("ViT-L/14", "published:vit-h", False),
        ("ViT-B/32", "transformers:openai/clip-vit-base-patch16", False),
    ],
)
def test_a_known_head_takes_its_own_encoder_only(clip, encoder, takes, tmp_path):
    assert KnownHead("a head", clip).takes(encoder) is takes
    (tmp_path / "own.pt").touch()
    assert KnownHead("a head", clip).takes(f"open_clip:ViT-B-16/{tmp_path}/own.pt")  # no name identifies a file
