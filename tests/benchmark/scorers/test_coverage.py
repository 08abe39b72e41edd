"""Variety, novelty, precision and recall on directions in the plane; expected numbers are worked out by hand."""

from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.scorers.coverage import (
    DiversityScorer,
    NearestTrainingScorer,
    PrecisionRecallParams,
    PrecisionRecallScorer,
)
from benchmark.task.resolve import load_task
from rebeca.errors import SpecError
from rebeca.interfaces import NoParams
from tests.benchmark.scorers.handmade import context, directions, scored
from tests.builders import interactions
from tests.conftest import ROOT

CENTRED = np.vstack([directions(0, 90, 180, 270), [[50.0, 50.0]]])
"""Four training items about the origin, and a held-out one that must not move the centre."""
TRAINING = np.array([True, True, True, True, False])


def diversity(images, users, embeddings=CENTRED):
    scorer = DiversityScorer(NoParams(), context(embeddings=embeddings, training_items=TRAINING))
    return scorer.score_sets(images, np.array(users))


def test_diversity_is_the_mean_cosine_distance_between_a_users_images():
    images = scored([0, 0, 0, 1, 1, 2], directions(0, 90, 180, 30, 30, 45), digest="abcddd")
    values = diversity(images, [0, 1, 2])
    np.testing.assert_allclose(values["diversity"], [(1 + 1 + 2) / 3, 0, np.nan], atol=1e-12)
    np.testing.assert_allclose(values["distinct"], [1, 1 / 2, 1])


def test_spread_compares_the_means_of_users():
    images = scored([0, 0, 1, 2], directions(-30, 30, 90, 180))
    values = diversity(images, [0, 1, 2])["spread"]
    np.testing.assert_allclose(values, [(1 + 2) / 2, 1, (2 + 1) / 2])


def test_users_without_images_have_no_value_and_count_for_nobody():
    images = scored([0, 2], directions(0, 90))
    values = diversity(images, [0, 1, 2])
    assert np.isnan([values[name][1] for name in values]).all()
    np.testing.assert_allclose(values["spread"][[0, 2]], 1)
    alone = diversity(images, [0, 1])
    assert np.isnan(alone["spread"]).all() and alone["distinct"][0] == 1


def test_distances_are_about_the_centre_of_the_training_items():
    images, shift = scored([0, 0], directions(0, 180) + 3.0), CENTRED + 3.0
    np.testing.assert_allclose(diversity(images, [0], shift)["diversity"], 2)
    assert DiversityScorer.needs(NoParams()) == {"embeddings"}
    assert set(DiversityScorer.cards(NoParams())) == {"diversity", "distinct", "spread"}


class ByGrey:
    """Encodes images of one grey level as the direction of so many degrees."""

    asked: ClassVar[list] = []

    def encode(self, images, items):
        self.asked.append(items)
        return directions(*(int(image[0, 0, 0]) for image in images))


class Greys:
    """Five items whose grey levels put them elsewhere than the task's embeddings do."""

    def __len__(self):
        return 5

    def pixels(self, item):
        return np.full((1, 1, 3), (0, 180, 90, 110, 20)[item], np.uint8)


def test_precision_in_the_space_of_an_encoder_of_its_own():
    own = context(held_out=HELD_OUT, catalogue=Greys(), encoder=lambda text: ByGrey())
    scorer = PrecisionRecallScorer(PrecisionRecallParams(at=(2,), encoder="fourier:8"), own)
    images = scored([0, 0], directions(0, 0), digest="aa", pixels=[np.full((1, 1, 3), 95, np.uint8)])
    values = scorer.score_sets(images, np.array([0]))
    assert values["precision@2"][0] == 0  # the third and the fourth item, at 90 and 110 degrees
    assert ByGrey.asked == [[None], [0, 1, 2, 3, 4]] or ByGrey.asked == [[0, 1, 2, 3, 4], [None]]


def test_an_encoder_that_learns_is_refused():
    with pytest.raises(SpecError, match="'autoencoder:4' learns from the task's items") as raised:
        PrecisionRecallScorer.check(PrecisionRecallParams(encoder="autoencoder:4"))
    assert "published:vit-g" in raised.value.hint
    PrecisionRecallScorer.check(PrecisionRecallParams(encoder="fourier:8"))
    PrecisionRecallScorer.check(PrecisionRecallParams())


def test_an_encoder_of_its_own_is_declared_in_place_of_the_tasks_embeddings():
    params = PrecisionRecallParams(encoder="fourier:8")
    assert PrecisionRecallScorer.encoders(params) == ("fourier:8",)
    assert PrecisionRecallScorer.needs(params) == {"held-out"}
    assert PrecisionRecallScorer.encoders(PrecisionRecallParams()) == ()


@given(st.lists(st.integers(0, 359), min_size=2, max_size=8), st.integers(0, 359))
def test_diversity_does_not_depend_on_order_or_rotation(degrees, turn):
    straight = diversity(scored([0] * len(degrees), directions(*degrees)), [0])["diversity"]
    turned = [degree + turn for degree in reversed(degrees)]
    turned_round = diversity(scored([0] * len(degrees), directions(*turned)), [0])["diversity"]
    np.testing.assert_allclose(straight, turned_round, atol=1e-9)
    assert -1e-9 <= straight[0] <= 2 + 1e-9


def nearest(images, users, train):
    scorer = NearestTrainingScorer(NoParams(), context(embeddings=CENTRED, training_items=TRAINING, training=train))
    return scorer.score(images, np.array(users))


def test_novelty_is_the_distance_to_the_nearest_rated_item():
    train = interactions([0, 0, 1], [0, 1, 2], [5, 1, 3], users=3, items=5)
    images = scored([0, 0, 1, 2], directions(0, 150, 150, 0))
    values = nearest(images, [0, 0, 1, 2], train)
    np.testing.assert_allclose(values, [0, 1 - 1 / 2, 1 - np.sqrt(3) / 2, np.nan], atol=1e-12)


def test_novelty_is_that_of_whoever_is_asked_not_of_the_images_own_user():
    train = interactions([0, 1], [0, 2], [5, 5], users=2, items=5)
    images = scored([0, 0], directions(0, 0))
    np.testing.assert_allclose(nearest(images, [0, 1], train), [0, 2], atol=1e-12)
    assert NearestTrainingScorer.needs(NoParams()) == {"training", "embeddings"}
    assert NearestTrainingScorer.card(NoParams()).higher_is_better


ITEMS = directions(0, 20, 90, 110, 180)
"""Users rated all five; user 0 likes the first, second and fifth, user 1 the third and fourth."""
HELD_OUT = interactions([0] * 5 + [1] * 5, [*range(5), *range(5)], [5, 5, 1, 1, 5, 1, 1, 5, 5, 1])


def coverage(images, users, held_out=HELD_OUT, **params):
    scorer = PrecisionRecallScorer(PrecisionRecallParams(**params), context(embeddings=ITEMS, held_out=held_out))
    return scorer.score_sets(images, np.array(users))


def test_the_first_images_each_retrieve_their_nearest_item():
    images = scored([0, 0, 0], directions(1, 88, 2))
    values = coverage(images, [0], at=(1, 2, 3), by="samples")
    expected = {"precision@1": 1, "recall@1": 1 / 3, "precision@2": 1 / 2, "recall@2": 1 / 3}
    assert {name: values[name][0] for name in expected} == pytest.approx(expected)
    assert values["precision@3"][0] == pytest.approx(1 / 2)  # the third image retrieves the first item again


def test_every_image_retrieves_its_neighbours():
    images = scored([0, 0], directions(5, 100))
    values = coverage(images, [0], at=(1, 2), by="neighbours")
    assert (values["precision@1"][0], values["recall@1"][0]) == pytest.approx((1 / 2, 1 / 3))  # items at 0 and 90
    assert (values["precision@2"][0], values["recall@2"][0]) == pytest.approx((2 / 4, 2 / 3))  # 0, 20, 90, 110


def test_independent_runs_are_averaged():
    images = scored([0, 0, 0, 0], directions(0, 20, 90, 110))
    values = coverage(images, [0], at=(2,), by="samples", runs=2)
    assert (values["precision@2"][0], values["recall@2"][0]) == pytest.approx(((1 + 0) / 2, (2 / 3 + 0) / 2))


def test_users_with_few_likes_or_without_images_have_no_value():
    images = scored([0, 1], directions(0, 90))
    values = coverage(images, [0, 1], at=(1,))
    assert np.isnan(values["precision@1"]).tolist() == [False, True]  # user 1 has two likes, three are asked for
    values = coverage(images, [0, 1], at=(1,), least_likes=2)
    np.testing.assert_allclose(values["recall@1"], [1 / 3, 1 / 2])
    assert np.isnan(coverage(scored([1], directions(0)), [0], at=(1,))["recall@1"]).all()


def test_items_of_the_data_set_have_its_embeddings():
    """No encoder is asked where every image is an item."""
    images = scored([0], item=[2])
    values = coverage(images, [0], at=(1,))
    assert values["precision@1"][0] == 0


def test_only_items_that_the_user_rated_are_retrieved():
    held_out = interactions([0, 0, 0], [0, 2, 4], [1, 5, 5], users=1, items=5)
    values = coverage(scored([0], directions(20)), [0], held_out, at=(1,), least_likes=2)
    assert (values["precision@1"][0], values["recall@1"][0]) == (0, 0)


def test_every_k_has_two_cards_that_say_how():
    cards = PrecisionRecallScorer.cards(PrecisionRecallParams(at=(1, 7), by="samples"))
    assert list(cards) == ["precision@1", "recall@1", "precision@7", "recall@7"]
    assert "the first 7 images" in cards["recall@7"].meaning
    assert "7 neighbours" in PrecisionRecallScorer.cards(PrecisionRecallParams(at=(7,)))["precision@7"].meaning
    assert PrecisionRecallScorer.needs(PrecisionRecallParams()) == {"held-out", "embeddings"}


@given(st.lists(st.integers(0, 359), min_size=1, max_size=6), st.sampled_from(["samples", "neighbours"]))
def test_precision_and_recall_are_shares_and_recall_grows_with_k(degrees, by):
    images = scored([0] * len(degrees), directions(*degrees))
    values = coverage(images, [0], at=(1, 2, 3, 4, 5), by=by)
    recall = [values[f"recall@{k}"][0] for k in (1, 2, 3, 4, 5)]
    assert recall == sorted(recall)
    assert all(0 <= value[0] <= 1 for value in values.values())
    if by == "neighbours":
        assert recall[-1] == 1  # all five items are retrieved


def test_the_published_comparison_names_the_originals_encoder():
    task = load_task(ROOT / "tasks" / "flickr-aes.yaml")
    (scorer,) = [scorer for scorer in task.scorers if scorer.id == "precision-recall"]
    assert scorer.params.encoder == "published:vit-g" and scorer.flags().encoders == ("published:vit-g",)
