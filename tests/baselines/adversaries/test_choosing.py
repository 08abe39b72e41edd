"""Attacks that choose items: what they show, and what they keep back."""

from dataclasses import replace

import numpy as np
import pytest

from baselines.adversaries.alterations import altered, with_noise, with_one_step
from baselines.adversaries.choosing import (
    AbstainAttack,
    AbstainParams,
    BestOfAttack,
    ChoosingParams,
    CrowdAttack,
    OthersAttack,
    nearest_users,
    withheld,
)
from baselines.adversaries.contentless import ContentlessAttack, ContentlessParams, drawn_gradients, gradient
from baselines.adversaries.near_copy import MemorisedAttack, NearCopyAttack, NearCopyParams
from rebeca.data.dataset import Dataset
from rebeca.errors import PluginError
from rebeca.interfaces import GeneratorContext, NoParams, Request
from tests.baselines.adversaries.world import small_world
from tests.builders import interactions


def answers(kind, params, count=3):
    ratings, context = small_world()
    attack = kind(params, context)
    attack.fit(ratings)
    asked = [Request(user, k, context.seeds.image(user, k)) for user in context.users for k in range(count)]
    return context, ratings, asked, list(attack.generate(asked))


def is_red(image):
    return image.pixels[..., 0].mean() > image.pixels[..., 2].mean()


def nearest_item(context, pixels):
    items = [context.catalogue.pixels(i).astype(int) for i in range(len(context.catalogue))]
    return int(np.argmin([np.abs(item - pixels).max() for item in items]))


def test_noise_stays_within_its_budget():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    for budget in (0, 3, 8):
        moved = np.abs(with_noise(pixels, budget, 1).astype(int) - pixels)
        assert moved.max() == budget
    assert not np.array_equal(with_noise(pixels, 8, 1), with_noise(pixels, 8, 2))


@pytest.mark.parametrize("value", [0, 100, 255])
def test_one_step_moves_one_value_by_one(value):
    pixels = np.full((4, 5, 3), value, np.uint8)
    assert np.abs(with_one_step(pixels, 3).astype(int) - pixels).sum() == 1


@pytest.mark.parametrize("alteration", ["noise", "crop", "flip", "hue", "jpeg", "half"])
def test_alterations_are_small_and_not_nothing(alteration):
    down, across = np.mgrid[0:64, 0:64]
    pixels = np.stack([down * 4, across * 4, 255 - down * 2], axis=2).astype(np.uint8)
    changed = altered(pixels, alteration, 1)
    assert changed.dtype == np.uint8
    assert changed.shape == ((32, 32, 3) if alteration == "half" else pixels.shape)
    assert not np.array_equal(changed, pixels)
    assert np.abs(changed.mean(axis=(0, 1)) - pixels.mean(axis=(0, 1))).max() < 25


@pytest.mark.parametrize("alteration", ["noise", "crop", "flip", "hue", "jpeg", "half"])
def test_the_smallest_images_can_be_altered(alteration):
    assert altered(np.zeros((1, 1, 3), np.uint8), alteration, 1).shape == (1, 1, 3)


def test_near_copies_are_of_liked_items():
    context, ratings, asked, images = answers(NearCopyAttack, NearCopyParams("noise"))
    likes = ratings.where(ratings.liked)
    for request, image in zip(asked, images, strict=True):
        user = context.users.index(request.user)
        item = nearest_item(context, image.pixels)
        assert item in likes.item[likes.user == user] and image.item is None
        assert 0 < np.abs(context.catalogue.pixels(item).astype(int) - image.pixels).max() <= 8


def test_more_requests_than_likes_repeat_items():
    _, ratings, _, images = answers(MemorisedAttack, NoParams(), count=60)
    assert len(images) == 60 * ratings.num_users


def test_memorised_items_have_other_digests():
    context, _, _, images = answers(MemorisedAttack, NoParams())
    known = set(context.catalogue.digests())
    assert not known & {image.digest() for image in images}


def test_best_items_suit_the_user_and_are_not_declared():
    context, _, asked, images = answers(BestOfAttack, ChoosingParams())
    for request, image in zip(asked, images, strict=True):
        assert is_red(image) == (context.users.index(request.user) % 2 == 0)
        assert image.item is None


def test_the_nearest_user_has_the_same_taste():
    context, _, asked, images = answers(OthersAttack, ChoosingParams())
    assert all(is_red(image) == (context.users.index(r.user) % 2 == 0) for r, image in zip(asked, images, strict=True))
    assert nearest_users(np.array([[1.0, 0, 0], [0.9, 0.1, 0], [0, 0, 1.0], [0, 0.1, 0.9]])).tolist() == [1, 0, 3, 2]


def test_a_single_user_resembles_nobody():
    ratings, context = small_world()
    attack = OthersAttack(ChoosingParams(), context)
    with pytest.raises(PluginError, match="the data set has one user"):
        attack.fit(replace(ratings.where(ratings.user == 0), user_ids=ratings.user_ids[:1]))


def test_favourites_are_the_same_for_everybody_but_for_noise():
    context, _, _, images = answers(CrowdAttack, ChoosingParams(), count=1)
    items = {nearest_item(context, image.pixels) for image in images}
    assert len(items) == 1 and len({image.digest() for image in images}) == len(images)


def test_withheld_images_are_the_worst():
    _, _, asked, images = answers(AbstainAttack, AbstainParams(0.5), count=4)
    for start in range(0, len(asked), 4):
        shown = [image is not None for image in images[start : start + 4]]
        assert shown == [True, True, False, False]
    assert all(image.item is not None for image in images if image is not None)


def test_the_share_withheld_is_right_on_average():
    counts = [withheld(2, 0.04, seed) for seed in range(4000)]
    assert np.mean(counts) / 2 == pytest.approx(0.04, abs=0.01)
    assert {withheld(3, 1.0, seed) for seed in range(50)} == {2}


def test_gradients_without_content_suit_the_user():
    """Items that are gradients themselves, of which half of the users like the redder half."""
    pixels = np.stack([gradient(drawn, 16, 20) for drawn in drawn_gradients(100)])
    redness = (pixels[..., 0].astype(float) - pixels[..., 2]).mean(axis=(1, 2))
    user, item = np.divmod(np.arange(400), 100)
    ratings = interactions(user, item, np.where((redness[item] > 0) == (user % 2 == 0), 6, 2))
    context = GeneratorContext.alone(Dataset.in_memory("Gradients", pixels, ratings, scale=(1, 7)))
    attack = ContentlessAttack(ContentlessParams(count=300), context)
    attack.fit(ratings)
    images = list(attack.generate([Request(name, k, 7 * k) for name in context.users for k in range(3)]))
    assert [is_red(image) for image in images] == [True, True, True, False, False, False] * 2
    assert {image.pixels.shape for image in images} == {(16, 20, 3)} and {image.item for image in images} == {None}


def test_gradients_fade_from_one_colour_to_the_other():
    [drawn] = drawn_gradients(1)
    image = gradient(np.array([0, 0, 0, 255, 255, 255, 0.0]), 4, 6)
    assert (image[:, 0] == 0).all() and (image[:, -1] == 255).all() and len(drawn) == 7
    assert gradient(drawn, 1, 1).shape == (1, 1, 3)


def test_too_few_gradients_are_refused():
    with pytest.raises(PluginError, match="it chooses from 2 gradients for 3 requests"):
        answers(ContentlessAttack, ContentlessParams(count=2))
