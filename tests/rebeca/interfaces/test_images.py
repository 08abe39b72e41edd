"""What generators and decoders exchange."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebeca.interfaces import GeneratedImage, Request, Space, whole_users
from rebeca.pixels import pixels_digest
from rebeca.space import LinearSpace

REQUESTS = st.lists(st.builds(Request, st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 2**64 - 1)))


def requests(users):
    return [Request(user, replicate, 10 + replicate) for replicate, user in enumerate(users)]


@pytest.mark.parametrize(
    ("users", "groups"),
    [("", []), ("a", ["a"]), ("aab", ["aa", "b"]), ("abab", ["a", "b", "a", "b"]), ("abbba", ["a", "bbb", "a"])],
)
def test_consecutive_requests_of_a_user_are_a_group(users, groups):
    assert ["".join(request.user for request in group) for group in whole_users(requests(users))] == groups


@given(REQUESTS)
def test_groups_hold_all_requests_in_order(asked):
    groups = whole_users(iter(asked))
    assert [request for group in groups for request in group] == asked
    users = [{request.user for request in group} for group in groups]
    assert all(len(user) == 1 for user in users)
    assert all(user != following for user, following in pairwise(users))


def test_requests_are_values():
    assert Request("a", 0, 5) == Request("a", 0, 5) != Request("a", 0, 6)
    assert len({Request("a", 0, 5), Request("a", 0, 5), Request("b", 0, 5)}) == 2
    with pytest.raises(AttributeError):
        Request("a", 0, 5).seed = 6


def test_a_digest_is_of_the_pixels_alone():
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    bare = GeneratedImage(pixels)
    assert bare.embedding is None and bare.item is None
    assert bare.digest() == GeneratedImage(pixels.copy(), np.ones(3, np.float32), 4).digest() == pixels_digest(pixels)
    assert bare.digest() != GeneratedImage(pixels[::-1]).digest()


def test_a_space_maps_both_ways():
    class OneWay:
        def forward(self, embeddings):
            return embeddings

    assert isinstance(LinearSpace(), Space)
    assert not isinstance(OneWay(), Space)
