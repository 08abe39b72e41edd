"""The confirming judge as a scorer: what draws it, and what it answers."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.scorers.confirming import SCALE_VERSION, ConfirmingScorer
from rebeca.data.dataset import Dataset
from rebeca.data.interactions import Interactions
from rebeca.errors import DataError
from rebeca.interfaces import GeneratedImage, NoParams, ScoredImages, ScorerContext
from rebeca.scorers.confirming import ConfirmingJudge, parts_unseen, seed_of_row, thumbnails

USERS = 4


@pytest.fixture(scope="module")
def dataset():
    """Dark and bright items; even users like bright ones."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 40, (40, 16, 16, 3)) + np.where(np.arange(40) % 2, 180, 20)[:, None, None, None]
    user, item = (each.ravel() for each in np.meshgrid(np.arange(USERS), np.arange(40), indexing="ij"))
    liked = (item % 2 == 1) == (user % 2 == 0)
    ids = tuple(f"u{user}" for user in range(USERS)), tuple(f"i{item}" for item in range(40))
    ratings = Interactions(user, item, liked.astype(float), liked, *ids)
    return Dataset.in_memory("Greys", pixels.astype(np.uint8), ratings, scale=(0, 1))


@pytest.fixture(scope="module")
def scorer(dataset):
    return built(dataset, 0.5)


def built(dataset, level, training=None, common=0.0, own=0.0):
    """With a verifier to which all images are worth the same, but for what users find in brightness."""
    bright = np.where(np.arange(40) % 2, 1, -1)[:, None]
    signs = np.where(np.arange(USERS) % 2, -1, 1)[:, None]
    verifier = SimpleNamespace(
        model=lambda: SimpleNamespace(score_all=lambda items: level + items.T * (common + own * signs)),
        catalogue=lambda: bright,
    )
    given = {"auditor-ratings": lambda: dataset.ratings, "verifier": lambda: verifier}
    context = ScorerContext.alone(dataset, given)
    if training is not None:
        context = dataclasses.replace(context, training_items=training)
    return ConfirmingScorer(NoParams(), context)


def images(levels, users):
    rng = np.random.default_rng(7)
    pixels = [np.clip(rng.integers(0, 40, (16, 16, 3)) + level, 0, 255).astype(np.uint8) for level in levels]
    return ScoredImages.of([GeneratedImage(each) for each in pixels], users)


def test_it_knows_who_likes_bright_images(scorer):
    scored = images([20, 180, 20, 180], [0, 0, 1, 1])
    likes = scorer.score_all(scored, np.arange(USERS))
    assert likes.shape == (USERS, 4)
    bright = likes[:, [1, 3]].mean(axis=1) - likes[:, [0, 2]].mean(axis=1)
    assert (bright[[0, 2]] > 0.4).all() and (bright[[1, 3]] < -0.4).all()


def test_the_images_draw_the_judge(scorer):
    """The same image is judged otherwise in another row: its judge was drawn by that row's digests."""
    one, other = images([20, 180, 60], [0, 1, 2]), images([20, 180, 61], [0, 1, 2])
    first, same, second = (scorer.score_all(each, np.arange(USERS)) for each in (one, one, other))
    np.testing.assert_array_equal(first, same)
    assert one.digest[0] == other.digest[0] and not np.array_equal(first[:, 0], second[:, 0])
    np.testing.assert_allclose(first[:, 0], second[:, 0], atol=0.15)


def test_equal_images_are_scored_once(scorer):
    scored = images([20, 180], [0, 1])
    twice = dataclasses.replace(
        scored,
        user=np.array([0, 1, 1]),
        replicate=np.array([0, 0, 1]),
        digest=(*scored.digest, scored.digest[1]),
        item=np.full(3, -1),
        unique=np.array([0, 1, 1]),
        pixels_of=lambda i: scored.pixels_of(min(i, 1)),
    )
    likes = scorer.score_all(twice, np.arange(USERS))
    np.testing.assert_array_equal(likes[:, 1], likes[:, 2])


def test_a_failed_image_counts_as_the_worst_item(scorer):
    worst = scorer.worst(np.arange(USERS))
    assert worst.shape == (USERS,) and (worst < 0.2).all()


def test_a_kind_verifier_lifts_all_answers_alike(dataset, scorer):
    """A verifier that likes everything by .3 more has not been fooled by these images."""
    scored, kind = images([20, 180, 60], [0, 1, 2]), built(dataset, 0.8)
    users = np.array([1, 2])
    np.testing.assert_allclose(kind.score_all(scored, users) - scorer.score_all(scored, users), 0.3)
    np.testing.assert_allclose(kind.worst(users) - scorer.worst(users), 0.3)


@pytest.mark.parametrize(("own", "wider"), [(0.1, 0.5), (0.3, 0.67), (0.45, 1.0), (0.7, 1.55), (4.5, 2.0)])
def test_answers_have_the_spread_of_the_verifiers(dataset, scorer, own, wider):
    """The judge knows these tastes by .45, about items that it has not seen; factors lie between a half and 2."""
    scored = images([20, 180, 20, 180], [0, 1, 2, 3])
    plain, brought = (each.score_all(scored, np.arange(USERS)) for each in (scorer, built(dataset, 0.5, own=own)))
    np.testing.assert_allclose(brought - 0.5, wider * (plain - 0.5), rtol=0.15, atol=0.02)


@pytest.mark.parametrize("common", [0.1, 0.25, 0.6])
def test_what_all_users_like_has_a_factor_of_its_own(dataset, common):
    """All users like bright images here, by about .5; nothing is left for single users."""
    liked = np.asarray(dataset.ratings.item % 2 == 1)
    alike = dataclasses.replace(dataset, ratings=dataclasses.replace(dataset.ratings, liked=liked))
    scored, users = images([20, 180], [0, 1]), np.arange(USERS)
    wide = [built(alike, 0.5, common=each).score_all(scored, users) for each in (0.0, common)]
    plain, brought = (np.diff(each, axis=1) for each in wide)
    np.testing.assert_allclose(brought / plain, np.clip(common / (plain / 2), 0.5, 2.0), rtol=0.25)


def test_the_spread_is_that_of_items_it_has_not_seen(dataset, monkeypatch):
    """Seen items have other answers, and would give another factor."""
    scored, users, asked = images([20, 180, 60], [0, 1, 2]), np.arange(USERS), []

    def unseen(drawn, ratings, judged, seed):
        asked.append((judged.tolist(), seed))
        return tuple(3 * each for each in parts_unseen(drawn, ratings, judged, seed))

    before = built(dataset, 0.5, own=1.2).score_all(scored, users)
    monkeypatch.setattr("benchmark.scorers.confirming.parts_unseen", unseen)
    after = built(dataset, 0.5, own=1.2).score_all(scored, users)
    assert asked == [(list(range(40)), seed_of_row(()))]
    assert np.abs(after - 0.5).max() < 0.7 * np.abs(before - 0.5).max()


def test_a_failure_is_on_the_same_scale(dataset, scorer):
    wide, users = built(dataset, 0.5, own=0.9), np.arange(USERS)
    assert (wide.worst(users) < scorer.worst(users) - 0.2).all()


def test_other_answers_have_another_address():
    assert ConfirmingScorer.fingerprint(NoParams()) == f"scale {SCALE_VERSION}"


def test_it_is_the_judge_that_the_digests_draw_in_their_order(dataset, scorer):
    """Patches and level come from training items alone."""
    assert seed_of_row(["a", "b"]) != seed_of_row(["b", "a"]) != seed_of_row(["a"])
    training, users = np.arange(40) < 20, np.arange(USERS)
    few = built(dataset, 0.5, training)
    scored = images([180, 20, 60], [0, 1, 2])
    small = thumbnails(dataset.catalogue.pixels(item) for item in range(40))
    judge = ConfirmingJudge.fit(dataset.ratings, small, training, seed_of_row(scored.digest))
    level = 0.5 - judge.score_all(small[:20], users).mean(axis=1)
    expected = judge.score_all(thumbnails(scored.pixels_of(i) for i in range(3)), users) + level[:, None]
    np.testing.assert_allclose(few.score_all(scored, users), expected)
    every = judge.score_all(small, users).mean(axis=1)
    assert not np.allclose(level, 0.5 - every, atol=1e-4)  # so that the level tells


def test_of_many_training_items_some_are_compared(dataset, scorer, monkeypatch):
    """Every third one here, which have the same mean and spread."""
    monkeypatch.setattr("benchmark.scorers.confirming.MOST_ITEMS", 14)
    few, scored, users = built(dataset, 0.5), images([20, 180, 60], [0, 1, 2]), np.arange(USERS)
    np.testing.assert_allclose(few.score_all(scored, users), scorer.score_all(scored, users), atol=0.1)
    assert few._verified.shape == (USERS, 14)


def test_nothing_to_learn_from_is_refused(dataset):
    with pytest.raises(DataError, match="no ratings or no training items"):
        built(dataset, 0.5, np.zeros(40, bool))


def test_what_it_asks_for_and_says():
    card = ConfirmingScorer.card(NoParams())
    assert ConfirmingScorer.needs(NoParams()) == {"verifier", "auditor-ratings"} and ConfirmingScorer.judges_everyone
    assert (card.role, card.unit, card.higher_is_better) == ("confirming", "expected likes", True)
