"""KID and CMMD as a scorer of a task, on directions in the plane; the arithmetic is tested in ``tests/rebeca``."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.scorers.realism import RealismParams, RealismScorer
from rebeca.errors import SpecError
from rebeca.scorers.realism import cmmd, kid
from tests.benchmark.scorers.handmade import context, directions, scored
from tests.builders import interactions

HELD_OUT = interactions([0, 0, 1, 1, 2], [4, 1, 1, 2, 2], [5, 1, 3, 2, 2], users=4, items=5)
"""Items 1, 2 and 4, two of them held out for two users."""
LEVELS = (0, 180, 90, 110, 20)
REFERENCE = 2 * directions(180, 90, 20)


def grey(level):
    return np.full((1, 1, 3), level, np.uint8)


class ByGrey:
    """Encodes images of one grey level as twice the direction of so many degrees."""

    def __init__(self):
        self.asked = []

    def encode(self, images, items):
        self.asked.append((len(images), items))
        return 2 * directions(*(int(image[0, 0, 0]) for image in images)).astype(np.float32)


class Greys:
    def pixels(self, item):
        return grey(LEVELS[item])


def realism(images, users, held_out=HELD_OUT):
    encoder = ByGrey()
    world = context(held_out=held_out, catalogue=Greys(), encoder=lambda text: encoder)
    scorer = RealismScorer(RealismParams("fourier:8"), world)
    return scorer.score_sets(images, np.array(users)), encoder.asked


def greys(user, levels, item=None):
    """Images of users, by grey level; equal levels are equal images."""
    return scored(user, digest=[str(level) for level in levels], item=item, pixels=[grey(level) for level in levels])


def test_the_reference_is_every_held_out_item_once():
    values, asked = realism(greys([0, 1, 1], [30, 60, 200]), [0, 1])
    vectors, owner = 2 * directions(30, 60, 200), np.array([0, 1, 1])
    np.testing.assert_allclose(values["kid"], kid(REFERENCE).by_user(vectors, owner, 2), rtol=1e-5)
    np.testing.assert_allclose(values["cmmd"], cmmd(REFERENCE).by_user(vectors / 2, owner, 2), rtol=1e-3)
    assert (3, [1, 2, 4]) in asked


def test_equal_images_are_encoded_once_and_items_by_their_number():
    images = greys([0, 0, 1, 1], [50, 90, 50, 110], item=[-1, 2, -1, 3])
    values, asked = realism(images, [0, 1])
    assert (3, [None, 2, 3]) in asked
    vectors, same = 2 * directions(50, 90, 50, 110), np.array([-1, 1, -1, -1])
    np.testing.assert_allclose(values["kid"], kid(REFERENCE).by_user(vectors, images.user, 2, same), rtol=1e-5)


def test_an_item_that_is_held_out_is_not_compared_with_itself():
    item, new = (realism(greys([0, 1], [90, 40], item=item), [0, 1])[0] for item in ([2, -1], [-1, -1]))
    assert item["kid"].mean() > new["kid"].mean() and item["cmmd"].mean() > new["cmmd"].mean()


def test_numbers_are_those_of_the_users_that_are_asked_for():
    images = greys([3, 0, 1, 0], [30, 60, 200, 10])
    values, _ = realism(images, [1, 0, 3])
    turned, _ = realism(images, [0, 1, 3])
    for name in values:
        np.testing.assert_allclose(values[name][[1, 0, 2]], turned[name])
    some, _ = realism(images, [0, 3])
    alone, _ = realism(greys([3, 0, 0], [30, 60, 10]), [0, 3])
    np.testing.assert_allclose(some["kid"], alone["kid"])


def test_users_without_images_have_no_value_and_one_user_alone_has_none():
    values, _ = realism(greys([0, 2], [30, 60]), [0, 1, 2])
    assert all(np.isnan(measure).tolist() == [False, True, False] for measure in values.values())
    alone, _ = realism(greys([0, 0], [30, 60]), [0, 1])
    none, _ = realism(greys([], []), [0, 1])
    assert all(np.isnan(measure).all() for measure in (*alone.values(), *none.values()))
    assert set(none) == {"kid", "cmmd"}


def test_a_single_held_out_item_is_no_reference():
    values, _ = realism(greys([0, 1], [30, 60]), [0, 1], interactions([0, 1], [1, 1], [5, 5], items=5))
    assert np.isnan(values["kid"]).all()


def test_an_encoder_that_learns_is_refused():
    with pytest.raises(SpecError, match="'autoencoder:4' learns from the task's items") as raised:
        RealismScorer.check(RealismParams("autoencoder:4"))
    assert "efficientnet-lite0" in raised.value.hint
    RealismScorer.check(RealismParams())
    RealismScorer.check(RealismParams("tinyworld:auditor-encoder"))


def test_what_it_declares():
    params = RealismParams("fourier:8")
    assert RealismScorer.encoders(params) == ("fourier:8",) and RealismScorer.needs(params) == {"held-out"}
    assert RealismScorer.encoders(RealismParams()) == ("efficientnet-lite0",) and RealismScorer.compares_users
    cards = RealismScorer.cards(params)
    assert list(cards) == ["kid", "cmmd"]
    for card in cards.values():
        assert not card.higher_is_better and not card.is_ground_truth
        assert "fourier:8" in card.meaning and "not comparable with published values" in card.meaning


@given(st.lists(st.integers(0, 255), min_size=4, max_size=12))
def test_the_value_does_not_depend_on_which_user_is_which(levels):
    user = np.arange(len(levels)) % 2
    values, _ = realism(greys(user, levels), [0, 1])
    swapped, _ = realism(greys(1 - user, levels), [0, 1])
    np.testing.assert_allclose(values["kid"], swapped["kid"][::-1], rtol=1e-9)
