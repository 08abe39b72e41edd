"""The head of LAION aesthetics: layers fold into one linear map, and what is no head is named."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from rebeca.errors import DataError, MissingDependency
from rebeca.scorers.laion import LaionHead, read_head


def layer(number, weight, bias):
    return {
        f"layers.{number}.weight": torch.tensor(weight, dtype=torch.float64),
        f"layers.{number}.bias": torch.tensor(bias, dtype=torch.float64),
    }


def test_a_score_by_hand():
    """(6, 8) is (0.6, 0.8) at unit length."""
    head = LaionHead(np.array([3.0, 4.0]), 0.5)
    scores = head.score(np.array([[6.0, 8.0], [0.0, -2.0], [0.0, 0.0]], np.float32))
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, [1.8 + 3.2 + 0.5, -4.0 + 0.5, 0.5], rtol=1e-6)


@given(st.floats(1e-3, 1e3), st.integers(0, 2**32 - 1))
def test_the_length_of_an_embedding_plays_no_part(length, seed):
    rng = np.random.default_rng(seed)
    head, embeddings = LaionHead(rng.normal(size=5), 2.0), rng.normal(size=(4, 5))
    np.testing.assert_allclose(head.score(embeddings * length), head.score(embeddings), rtol=1e-9, atol=1e-12)


def test_layers_by_hand(tmp_path):
    """(2x + 1, y) and then 3a - b + 4: 6x - y + 7."""
    tensors = layer(0, [[2.0, 0.0], [0.0, 1.0]], [1.0, 0.0]) | layer(2, [[3.0, -1.0]], [4.0])
    torch.save(tensors, tmp_path / "head.pth")
    head = read_head(tmp_path / "head.pth")
    assert head.weight.tolist() == [6.0, -1.0] and head.bias == 7.0


@given(widths=st.lists(st.integers(1, 5), min_size=1, max_size=4), seed=st.integers(0, 2**32 - 1))
def test_layers_fold_in_the_order_of_their_numbers(tmp_path_factory, widths, seed):
    """Numbers of published heads skip the layers without weights, and 10 comes after 9."""
    rng = np.random.default_rng(seed)
    path = tmp_path_factory.mktemp("head") / "head.safetensors"
    numbers = sorted(rng.choice(np.arange(7, 14), len(widths), replace=False).tolist())
    x, tensors = rng.normal(size=widths[0]), {}
    expected = x
    for number, into, out in zip(numbers, widths, [*widths[1:], 1], strict=True):
        weight, bias = rng.normal(size=(out, into)), rng.normal(size=out)
        tensors |= layer(number, weight, bias)
        expected = weight @ expected + bias
    save_file(tensors, path)
    head = read_head(path)
    np.testing.assert_allclose(head.weight @ x + head.bias, expected[0], rtol=1e-9, atol=1e-9)


def test_both_kinds_of_file_and_half_precision_are_read(tmp_path):
    tensors = {name: value.half() for name, value in layer(0, [[0.5, -2.0]], [1.5]).items()}
    torch.save({**tensors, "epoch": 3, "other.weight": torch.zeros(9)}, tmp_path / "head.pth")
    save_file(tensors, tmp_path / "head.safetensors")
    for name in ("head.pth", "head.safetensors"):
        head = read_head(tmp_path / name)
        assert head.weight.tolist() == [0.5, -2.0] and head.bias == 1.5 and head.weight.dtype == np.float64


def test_a_head_that_is_missing_is_named(tmp_path):
    with pytest.raises(MissingDependency, match=r"scorer 'laion': .*no\.pth is not there"):
        read_head(tmp_path / "no.pth")
    with pytest.raises(MissingDependency, match="is not there"):
        read_head(tmp_path)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (torch.zeros(1, 5), "holds a Tensor, expected tensors by name"),
        ({"other": torch.zeros(1)}, r"no 'layers\.N\.weight'"),
        ({"state_dict": layer(0, [[1.0]], [0.0])}, r"no 'layers\.N\.weight'"),
        ({"layers.0.weight": torch.zeros(1, 5)}, r"layers\.0\.bias is not in it"),
        ({"layers.3.bias": torch.zeros(1)}, r"layers\.3\.weight is not in it"),
        ({"layers.0.weight": torch.zeros(5), "layers.0.bias": torch.zeros(1)}, r"no linear layer.*\(5,\) and \(1,\)"),
        (layer(0, [[1.0, 1.0]], [0.0, 0.0]), r"no linear layer, with shapes \(1, 2\) and \(2,\)"),
        (layer(0, [[1.0, float("nan")]], [0.0]), "layer 0 holds numbers that are not finite"),
        (layer(4, [[1.0]], [float("inf")]), "layer 4 holds numbers that are not finite"),
        (layer(0, [[1.0], [2.0]], [0.0, 0.0]) | layer(1, [[1.0, 1.0, 1.0]], [0.0]), "layer 1 does not fit"),
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
