"""What scorers see, and what they answer where they say nothing of their own."""

from dataclasses import replace

import numpy as np
import pytest

from rebeca import Dataset, GeneratedImage, PluginError, ScorerContext
from rebeca.interfaces import NEEDS, PRIVILEGES, NoParams, ScoredImages, Scorer, ScorerCard, SetScorer
from tests.builders import interactions

USERS = np.array([0, 0, 1, 1])
LEVELS = (10, 20, 10, 60)


def images():
    return ScoredImages(
        user=USERS, replicate=np.array([0, 1, 0, 1]), digest=tuple("abac"), item=np.full(4, -1),
        unique=np.array([0, 1, 0, 3]), embedding_of=lambda space: np.zeros((4, 1), np.float32),
        pixels_of=lambda i: np.full((2, 2, 3), LEVELS[i], np.uint8),
    )  # fmt: skip


class Brightness(Scorer):
    @classmethod
    def card(cls, params):
        return ScorerCard("Brightness", "grey level", True, "Mean of the image's pixels.")

    def score(self, images, users):
        return np.array([images.pixels_of(i).mean() for i in range(len(images))])


class Distinct(SetScorer):
    @classmethod
    def cards(cls, params):
        return {"distinct": ScorerCard("Distinct", "images", True, "Different images of a user.")}

    def score_sets(self, images, users):
        return {"distinct": np.array([len(np.unique(images.unique[images.user == user])) for user in users], float)}


def test_scored_images_count_repeats():
    assert len(images()) == 4


def test_a_score_per_image_and_a_score_per_user():
    assert Brightness(NoParams(), None).score(images(), USERS).tolist() == [10, 20, 10, 60]
    sets = Distinct(NoParams(), None).score_sets(images(), np.array([1, 0]))
    assert sets["distinct"].tolist() == [2, 2] and sets.keys() == Distinct.cards(NoParams()).keys()


@pytest.mark.parametrize("kind", [Brightness, Distinct])
def test_a_scorer_reads_the_image_alone_unless_it_says_more(kind):
    assert kind.needs(NoParams()) == frozenset() and kind.encoders(NoParams()) == ()


def test_a_scorer_that_does_not_judge_everyone_has_no_table():
    scorer = Brightness(NoParams(), None)
    assert scorer.judges_everyone is False
    with pytest.raises(NotImplementedError):
        scorer.score_all(images(), np.array([0, 1]))


def test_what_a_failed_image_counts_is_unknown_by_default():
    worst = Brightness(NoParams(), None).worst(np.array([2, 0, 1]))
    assert worst.shape == (3,) and np.isnan(worst).all()


def test_a_card_plays_no_part_and_knows_no_ground_truth_by_default():
    card = Brightness.card(NoParams())
    assert (card.reference, card.role, card.is_ground_truth) == ("", "", False)


def test_what_a_privileged_generator_may_ask_for_scorers_may_too():
    assert set(PRIVILEGES) - {"judge"} <= set(NEEDS) and len(set(NEEDS)) == len(NEEDS)


def test_scored_images_of_images_in_memory():
    shades = [GeneratedImage(np.full((2, 2, 3), level, np.uint8)) for level in LEVELS]
    embeddings = np.arange(4, dtype=np.float32)[:, None]
    alone = ScoredImages.of([*shades[:3], replace(shades[3], item=5)], [0, 1, 0, 1], {"task": embeddings})
    assert alone.replicate.tolist() == [0, 0, 1, 1]
    assert alone.item.tolist() == [-1, -1, -1, 5] and alone.unique.tolist() == [0, 1, 0, 3]
    assert alone.embedding_of("task") is embeddings
    assert [int(alone.pixels_of(i).max()) for i in range(4)] == list(LEVELS)


def test_a_scorer_alone_is_given_what_is_given():
    ratings = interactions([0, 0, 1], [0, 1, 1], [5, 1, 5])
    data = Dataset.in_memory("Pets", np.zeros((2, 8, 8, 3), np.uint8), ratings, (1.0, 5.0), captions=("a", "b"))
    context = ScorerContext.alone(data, {"training": lambda: ratings})
    assert context.users == ("u0", "u1") and context.training is ratings and context.scale == (1.0, 5.0)
    assert context.catalogue.captions == () and context.training_items.all()
    with pytest.raises(PluginError, match="asks for the encoder 'pca:4', which only a task can give"):
        context.encoder("pca:4")
