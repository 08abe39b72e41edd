"""The confirming judge: it learns tastes from coarse pixels, and fine noise does not reach it."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebeca.data.interactions import Interactions
from rebeca.scorers.confirming import (
    FILTERS,
    SIDE,
    ConfirmingJudge,
    DrawnFeatures,
    PatchFeatures,
    parts_unseen,
    thumbnails,
)

USERS, ITEMS = 12, 160


@pytest.fixture(scope="module")
def pixels():
    """Discs of two colours on grey, on the left or on the right."""
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:64, :64]
    out = []
    for number in range(ITEMS):
        image = np.full((64, 64, 3), 128) + rng.integers(-8, 9, (64, 64, 3))
        left, red = number % 2, number // 2 % 2
        disc = (x - (18 if left else 46)) ** 2 + (y - 32 - rng.integers(-6, 7)) ** 2 < 144
        image[disc] = (220, 40, 40) if red else (40, 60, 220)
        out.append(image.astype(np.uint8))
    return np.stack(out)


@pytest.fixture(scope="module")
def ratings():
    """Half of the users like red discs, the other half discs on the left; every fifth answer is turned."""
    rng = np.random.default_rng(9)
    user, item = (each.ravel() for each in np.meshgrid(np.arange(USERS), np.arange(ITEMS // 2), indexing="ij"))
    liked = np.where(user % 2, item // 2 % 2, item % 2).astype(bool) ^ (rng.random(len(user)) < 0.2)
    return Interactions(
        user, item, liked.astype(float), liked, tuple(map(str, range(USERS))), tuple(map(str, range(ITEMS)))
    )


def judge(pixels, ratings, seed=1):
    return ConfirmingJudge.fit(ratings, thumbnails(pixels), np.arange(ITEMS) < ITEMS // 2, seed)


def taste(scores, users):
    """How much higher users score the new items that their taste asks for."""
    new = np.arange(ITEMS // 2, ITEMS)
    likes = np.array([new // 2 % 2 if user % 2 else new % 2 for user in users]).astype(bool)
    return [own[own_likes].mean() - own[~own_likes].mean() for own, own_likes in zip(scores, likes, strict=True)]


@pytest.mark.parametrize("seed", [0, 1, 2**63])
def test_it_learns_what_each_user_likes_whatever_was_drawn(pixels, ratings, seed):
    users = np.arange(USERS)
    scores = judge(pixels, ratings, seed).score_all(thumbnails(pixels[ITEMS // 2 :]), users)
    assert scores.shape == (USERS, ITEMS // 2)
    assert min(taste(scores, users)) > 0.3
    assert abs(scores.mean() - ratings.liked.mean()) < 0.05


def test_users_who_rated_nothing_have_everybodys_opinion(pixels, ratings):
    lonely = ratings.where(ratings.user != 3)
    alone, *others = judge(pixels, lonely).score_all(thumbnails(pixels), np.array([3, 0, 1, 2, 4, 5]))
    assert abs(alone.mean() - lonely.liked.mean()) < 0.05
    assert alone.std() < 0.75 * np.std(others)


def test_fine_noise_does_not_reach_it(pixels, ratings):
    """A pattern of 8 of 255 that changes sign from pixel to pixel is gone in the thumbnail."""
    fitted, y, x = judge(pixels, ratings), *np.mgrid[:64, :64]
    pattern = np.where((x + y) % 2, 8, -8)[None, :, :, None]
    noisy = np.clip(pixels.astype(int) + pattern, 0, 255).astype(np.uint8)
    users = np.arange(USERS)
    before, after = (fitted.score_all(thumbnails(images), users) for images in (pixels, noisy))
    np.testing.assert_allclose(after, before, atol=0.02)


def test_two_draws_differ_and_one_draw_is_itself(pixels, ratings):
    users, small = np.arange(USERS), thumbnails(pixels)
    one, same, other = (judge(pixels, ratings, seed).score_all(small, users) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other, atol=1e-3)
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9


def test_an_item_is_unseen_by_the_judge_of_its_fold(pixels, ratings):
    """Other ratings of one item change nothing about that item, and something about others."""
    turned = dataclasses.replace(ratings, liked=ratings.liked ^ (ratings.item == 7))
    training = np.arange(ITEMS) < ITEMS // 2
    drawn = DrawnFeatures.of(thumbnails(pixels), training, 3)
    before, after = (parts_unseen(drawn, each, np.flatnonzero(training), 3) for each in (ratings, turned))
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one[..., 7], other[..., 7])
        assert not np.allclose(one, other, atol=1e-3)


def test_unseen_items_are_known_by_their_kind(pixels, ratings):
    """About items that a judge learned from it is surer than about others, and right about both."""
    training, small = np.arange(ITEMS) < ITEMS // 2, thumbnails(pixels)
    drawn = DrawnFeatures.of(small, training, 3)
    unseen = parts_unseen(drawn, ratings, np.flatnonzero(training), 3)[1]
    seen = judge(pixels, ratings, 3).parts(small[training], np.arange(USERS))[1]
    assert np.corrcoef(unseen.ravel(), seen.ravel())[0, 1] > 0.9
    assert 0.7 * seen.std() < unseen.std() < seen.std()


def test_features_of_items_are_not_computed_again(pixels, ratings):
    """What a judge says of an item of the catalogue is what it says of its thumbnail; judges may share features."""
    training, small, users = np.arange(ITEMS) < ITEMS // 2, thumbnails(pixels), np.arange(USERS)
    drawn = DrawnFeatures.of(small, training, 3)
    alone, shared = judge(pixels, ratings, 3), [ConfirmingJudge.on(drawn, ratings) for _ in range(2)]
    chosen = np.array([9, 2, 17])
    for own in shared:
        for part, other, of_items in zip(
            alone.parts(small[chosen], users),
            own.parts(small[chosen], users),
            own.parts_of_items(chosen, users),
            strict=True,
        ):
            np.testing.assert_array_equal(part, other)
            np.testing.assert_allclose(part, of_items, atol=1e-6)


def test_of_no_item_there_are_no_parts(pixels, ratings):
    none = np.zeros(0, int)
    drawn = DrawnFeatures.of(thumbnails(pixels), np.arange(ITEMS) < 9, 3)
    common, personal = parts_unseen(drawn, ratings, none, 3)
    assert common.shape == (0,) and personal.shape == (USERS, 0)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, ITEMS - 1), max_size=6), st.data())
def test_a_score_does_not_depend_on_what_is_scored_beside_it(pixels, ratings, chosen, data):
    fitted, users = judge(pixels[:, ::2, ::2], ratings), np.arange(USERS)
    small = thumbnails(pixels[chosen])
    together = fitted.score_all(small, users)
    row = data.draw(st.integers(0, USERS - 1))
    for place in range(len(chosen)):
        alone = fitted.score_all(small[place : place + 1], np.array([row]))
        np.testing.assert_allclose(alone[0, 0], together[row, place], atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 90, 3), (300, 200, 3)])
def test_images_of_any_size_become_thumbnails(shape):
    image = np.full(shape, 255, np.uint8)
    small = thumbnails([image])
    assert small.shape == (1, SIDE, SIDE, 3) and small.dtype == np.float32
    np.testing.assert_array_equal(small, 1.0)
    assert thumbnails([]).shape == (0, SIDE, SIDE, 3)


@pytest.mark.parametrize("items", [1, 3])
def test_equal_items_give_features_that_are_numbers(items):
    """Without any variance nothing can be told apart, and nothing is divided by zero."""
    features = PatchFeatures.draw(np.zeros((items, SIDE, SIDE, 3), np.float32), np.random.default_rng(0))
    out = features.of(np.random.default_rng(1).random((2, SIDE, SIDE, 3)).astype(np.float32))
    assert out.shape == (2, 2 * FILTERS * 16) and np.isfinite(out).all()


def test_patches_are_drawn_from_training_items_alone(pixels, ratings):
    """Held-out items, which nobody rated, may be anything."""
    other = pixels.copy()
    other[ITEMS // 2 :] = 255 - other[ITEMS // 2 :]
    users, small = np.arange(USERS), thumbnails(pixels)
    np.testing.assert_array_equal(
        judge(pixels, ratings).score_all(small, users), judge(other, ratings).score_all(small, users)
    )


def test_everybody_likes_everything(pixels, ratings):
    happy = Interactions(
        ratings.user, ratings.item, ratings.rating, np.ones_like(ratings.liked), ratings.user_ids, ratings.item_ids
    )
    scores = judge(pixels, happy).score_all(thumbnails(pixels[:4]), np.arange(USERS))
    np.testing.assert_allclose(scores, 1.0)


def test_more_items_than_the_common_part_takes(monkeypatch, pixels, ratings):
    monkeypatch.setattr("rebeca.scorers.confirming.MOST_ITEMS", 40)
    users = np.arange(USERS)
    scores = judge(pixels, ratings).score_all(thumbnails(pixels[ITEMS // 2 :]), users)
    assert np.mean(taste(scores, users)) > 0.3
