"""The scorer of near-copies; the index is tested in ``tests/rebeca/scorers/test_copies.py``."""

from dataclasses import replace

import numpy as np
import pytest

from benchmark.scorers.near_copies import NearCopiesScorer
from rebeca.data.dataset import Dataset
from rebeca.interfaces import GeneratedImage, NoParams, ScoredImages, ScorerContext
from rebeca.scorers.copies import CopyIndex
from tests.builders import interactions

ITEMS = np.random.default_rng(5).integers(0, 256, (12, 4, 4, 3)).astype(np.uint8).repeat(8, 1).repeat(8, 2)
NEW = np.random.default_rng(6).integers(0, 256, (4, 4, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
HELD_OUT = 11


def given(dataset):
    """User 0 had rated item 0 in training, and item 2 in validation; user 1 item 1 in training."""
    validation = interactions([0], [2], [5], users=2, items=12)
    return {"training": lambda: dataset.ratings, "validation": lambda: validation}


@pytest.fixture(scope="module")
def dataset():
    return Dataset.in_memory("Coarse", ITEMS, interactions([0, 1], [0, 1], [4, 5], users=2, items=12), (1, 7))


@pytest.fixture(scope="module")
def scorer(dataset):
    training = np.arange(12) != HELD_OUT
    context = ScorerContext.alone(dataset, given(dataset))
    return NearCopiesScorer(NoParams(), replace(context, training_items=training))


def score(scorer, *images):
    scored = ScoredImages.of([GeneratedImage(*image) for image in images], [0] * len(images))
    return scorer.score(scored, scored.user).tolist()


def test_copies_of_any_item_are_found_whoever_rated_it(scorer):
    """Of held-out ones as well, which are what a generator is asked for where items are held out."""
    images = (ITEMS[7] // 2 + 60,), (ITEMS[7][:, ::-1],), (NEW,), (ITEMS[HELD_OUT] // 2 + 60,)
    assert score(scorer, *images) == [1, 1, 0, 1]


def test_limits_come_from_training_items(scorer, dataset):
    training = CopyIndex([item for place, item in enumerate(ITEMS) if place != HELD_OUT])
    assert scorer._index.limits == training.limits and len(scorer._index) == len(ITEMS)
    every = ScorerContext.alone(dataset, given(dataset))
    assert NearCopiesScorer(NoParams(), every)._index.limits == CopyIndex(list(ITEMS)).limits


def test_an_image_that_declares_its_item_is_no_copy(scorer):
    assert score(scorer, (ITEMS[7], None, 7), (ITEMS[7],), (ITEMS[7], None, 7)) == [0, 1, 0]


def test_a_declared_item_counts_only_for_whoever_had_rated_it(scorer):
    """User 0 had rated item 0, user 1 item 1: what they are known to like is no recommendation."""
    images = [GeneratedImage(ITEMS[item], item=item) for item in (0, 1, 2, 0, 1, 2)]
    scored = ScoredImages.of(images, [0, 0, 0, 1, 1, 1])
    assert scorer.score(scored, scored.user).tolist() == [1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("axis", [0, 1])
def test_the_centre_of_a_long_image_is_looked_at_as_well(scorer, axis):
    """A judge that crops the centre would see the item alone."""
    copied = np.concatenate([NEW, NEW, ITEMS[4], NEW[::-1], NEW], axis=axis)
    new = np.concatenate([NEW, NEW[:, ::-1], NEW], axis=axis)
    assert score(scorer, (copied,), (new,)) == [1, 0]


def test_every_different_image_is_looked_at_once(scorer):
    images = [GeneratedImage(image) for image in (NEW, ITEMS[3], NEW, ITEMS[3])]
    plain, read = ScoredImages.of(images, [0, 0, 1, 1]), []
    watched = replace(plain, pixels_of=lambda i: read.append(i) or plain.pixels_of(i))
    assert scorer.score(watched, plain.user).tolist() == [0, 1, 0, 1] and sorted(read) == [0, 1]


def test_no_images_no_scores(scorer):
    assert score(scorer) == [] and score(scorer, (ITEMS[3], None, 3)) == [0]


def test_a_failed_image_counts_as_a_copy(scorer):
    card = NearCopiesScorer.card(NoParams())
    assert (card.role, card.unit, card.higher_is_better, card.is_ground_truth) == ("copies", "share", False, False)
    assert scorer.worst(np.array([1, 0])).tolist() == [1, 1] and not scorer.judges_everyone
