import numpy as np
import pytest

from rebeca.data.catalogue import ArraySource, Candidates, Catalogue
from rebeca.decoders.nearest import NearestItem, NearestParams, nearest
from rebeca.errors import PluginError
from rebeca.interfaces import DecoderContext, Request
from rebeca.space import LinearSpace


def test_nearest_by_both_metrics():
    candidates = np.array([[1.0, 0], [0, 1.0], [5.0, 5.0]])
    points = np.array([[0.9, 0.1], [0.2, 0.9], [0.9, 0.1]])
    assert nearest(points, candidates, NearestParams(repeats=True)).tolist() == [0, 1, 0]
    assert nearest(points, candidates, NearestParams()).tolist() == [0, 1, 2]
    assert nearest(np.array([[0.3, 0.3]]), candidates, NearestParams("cosine")).tolist() == [2]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_copies_of_a_candidate_tie_wherever_they_lie(metric):
    """A kernel's last columns are added up otherwise, and a copy there was nearer by rounding."""
    rng = np.random.default_rng(0)
    own = rng.normal(size=(7, 33)).astype(np.float32)
    points = (own[rng.integers(0, 7, 200)] + rng.normal(0, 0.1, (200, 33))).astype(np.float32)
    items = nearest(
        points, np.concatenate([own, own, own * np.float32(1 + 1e-15)]), NearestParams(metric, repeats=True)
    )
    np.testing.assert_array_equal(items, nearest(points, own, NearestParams(metric, repeats=True)))


def test_decodes_for_whole_users_among_their_candidates():
    pixels = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    catalogue = Catalogue(tuple("abcde"), ArraySource(pixels), np.zeros(5, int))
    points = np.arange(5.0)[:, None]
    candidates = Candidates(("x", "y"), np.ones((1, 5), bool), np.zeros(2, int), (np.array([0]), np.array([4])))
    decoder = NearestItem(NearestParams(), DecoderContext(catalogue, points, candidates, LinearSpace()))
    requests = [Request("x", 0, 1), Request("x", 1, 2), Request("y", 0, 3)]
    items = decoder.decode(np.array([[0.0], [0.0], [9.0]]), requests)
    assert [p.item for p in items] == [1, 2, 3]
    assert items[0].pixels[0, 0, 0] == 1
    with pytest.raises(PluginError, match="user 'x' has 4 candidate items for 5 requests"):
        decoder.decode(np.zeros((5, 1)), [Request("x", k, k) for k in range(5)])
