"""Held-out ratings and the ground truth as scorers; expected numbers are read off small tables."""

import numpy as np
import pytest

from benchmark.scorers.observed import GroundTruthScorer, InWorldScorer, ObservedScorer, TopUtilityScorer
from rebeca.data.dataset import Dataset, GroundTruth
from rebeca.interfaces import GeneratedImage, NoParams, ScoredImages, ScorerContext
from tests.benchmark.scorers.handmade import context, scored
from tests.builders import interactions

NAN = float("nan")


def observed(held_out, block_of_item, block_of_user, originals=None, training=None):
    equal = np.arange(len(block_of_item)) if originals is None else np.array(originals)
    catalogue = context(block=np.array(block_of_item), originals=lambda: equal)
    given = context(
        held_out=held_out, training=training or held_out, scale=(1, 7), catalogue=catalogue,
        block_of_user=np.array(block_of_user),
    )  # fmt: skip
    return ObservedScorer(NoParams(), given)


@pytest.fixture
def two_blocks():
    """Users 0 and 1 rated items 0 and 1; user 2 rated item 2, user 3 nothing; item 3 is not held out."""
    held_out = interactions([0, 0, 1, 1, 2], [0, 1, 0, 1, 2], [7, 2, 3, 4, 5], users=4, items=4)
    training = interactions([0, 0, 1, 2], [3, 2, 3, 3], [6, 3, 2, 6], users=4, items=4)
    return observed(held_out, [0, 0, 1, 1], [0, 0, 1, 2], training=training)


def test_the_rating_of_whoever_is_asked(two_blocks):
    images = scored([0, 0, 1, 1, 2], item=[0, 1, 1, -1, 3])
    np.testing.assert_array_equal(two_blocks.score(images, np.array([0, 1, 1, 1, 2])), [7, 4, 4, NAN, NAN])


def test_everybodys_rating_of_every_image(two_blocks):
    images = scored([0, 1, 2], item=[0, -1, 2])
    scores = two_blocks.score_all(images, np.array([1, 2]))
    np.testing.assert_array_equal(scores, [[3, NAN, NAN], [NAN, NAN, 5]])
    again = two_blocks.score_all(images, np.array([1, 2]))
    np.testing.assert_array_equal(scores, again)  # generated images leave no trace in the table


def test_equal_items_are_one_image_with_one_rating():
    """Items 0 and 2 are equal. User 0 rated both, user 1 the second, user 2 neither of them."""
    held_out = interactions([0, 0, 0, 1, 2], [0, 1, 2, 2, 1], [7, 2, 4, 3, 5], users=3, items=3)
    scorer = observed(held_out, [0, 0, 0], [0, 0, 0], originals=[0, 1, 0])
    table = scorer.score_all(scored([0, 0, 0], item=[0, 1, 2]), np.arange(3))
    np.testing.assert_array_equal(table, [[5.5, 2, 5.5], [3, NAN, 3], [NAN, 5, NAN]])


def test_a_failure_counts_as_the_users_lowest_training_rating(two_blocks):
    """Who rated nothing in training has the lowest possible rating, so that failing never pays."""
    assert two_blocks.worst(np.array([3, 0, 1, 2])).tolist() == [1, 3, 2, 6]


@pytest.mark.parametrize(
    ("user", "item", "blocks", "everyone"),
    [
        ([0, 0, 1, 1], [0, 1, 0, 1], [0, 0], True),
        ([0, 0, 1], [0, 1, 0], [0, 0], False),
        ([0, 1], [0, 1], [0, 1], True),  # nobody is asked across blocks
    ],
)
def test_lift_needs_everybodys_rating_within_blocks(user, item, blocks, everyone):
    held_out = interactions(user, item, [4] * len(user), users=2, items=2)
    assert observed(held_out, blocks, blocks).judges_everyone is everyone


def test_ratings_are_real_and_ask_for_held_out_ones():
    card = ObservedScorer.card(NoParams())
    assert (card.role, card.is_ground_truth, card.unit) == ("observed", True, "rating")
    assert ObservedScorer.needs(NoParams()) == {"held-out", "training"}


UTILITY = np.array([[0.1, 0.9, 0.5], [0.8, 0.8, 0.2]])


def world(kind, of_images=None, utility=UTILITY):
    known = GroundTruth("probability", "Likes it.", lambda users, items: utility[users, items], {}, of_images)
    return kind(NoParams(), context(ground_truth=known, catalogue=range(utility.shape[1]), users=("u0", "u1")))


def test_utility_of_items():
    images = scored([0, 1, 1], item=[1, 2, 0])
    scorer = world(GroundTruthScorer)
    np.testing.assert_array_equal(scorer.score(images, np.array([0, 1, 0])), [0.9, 0.2, 0.1])
    np.testing.assert_array_equal(scorer.score_all(images, np.array([1, 0])), [[0.8, 0.2, 0.8], [0.9, 0.5, 0.1]])
    assert scorer.worst(np.array([1, 0])).tolist() == [0.2, 0.1]


def test_a_world_that_knows_items_only_has_no_answer_for_generated_images():
    images = scored([0, 0], item=[-1, 2])
    np.testing.assert_array_equal(world(GroundTruthScorer).score(images, np.array([0, 0])), [NAN, 0.5])


def test_generated_images_are_judged_once_by_their_pixels():
    asked = []

    def of_images(images):
        asked.extend(images)
        return np.array([[image / 10 for image in asked], [image / 100 for image in asked]])

    images = scored([0, 0, 1, 1], item=[-1, 1, -1, -1], digest="abca", pixels=[3, None, 5, None])
    scores = world(GroundTruthScorer, of_images).score_all(images, np.array([1, 0]))
    np.testing.assert_allclose(scores, [[0.03, 0.8, 0.05, 0.03], [0.3, 0.9, 0.5, 0.3]])
    assert asked == [3, 5]


def test_no_pixels_are_read_where_all_images_are_items():
    scorer = world(GroundTruthScorer, lambda images: pytest.fail("pixels were asked for"))
    assert scorer.score(scored([0], item=[1]), np.array([0])).tolist() == [0.9]


def test_the_best_items_are_right_and_ties_share_it():
    scorer = world(TopUtilityScorer)
    images = scored([0, 0, 1, 1, 1], item=[1, 2, 0, 1, -1])
    np.testing.assert_array_equal(scorer.score(images, np.array([0, 0, 1, 1, 1])), [1, 0, 1, 1, NAN])
    np.testing.assert_array_equal(scorer.score_all(images, np.array([1, 0])), [[1, 0, 1, 1, NAN], [1, 0, 0, 1, NAN]])
    assert scorer.worst(np.array([0, 1])).tolist() == [0, 0]


def test_rounding_makes_no_item_the_only_best():
    utility = np.array([[0.3, 0.1 + 0.2, 0.0], [0.0, 0.0, 1.0]])
    assert utility[0, 0] != utility[0, 1]
    scorer = world(TopUtilityScorer, utility=utility)
    assert scorer.score(scored([0, 0], item=[0, 1]), np.array([0, 0])).tolist() == [1, 1]


def test_the_ground_truth_asks_for_a_synthetic_world():
    for kind in (GroundTruthScorer, TopUtilityScorer):
        assert kind.needs(NoParams()) == {"ground-truth"}
        assert kind.card(NoParams()).is_ground_truth and kind.judges_everyone
    assert GroundTruthScorer.card(NoParams()).role == "ground-truth"
    assert TopUtilityScorer.card(NoParams()).unit == "share"


def dark(images):
    """Whether images could be items of a dark world."""
    return np.array([image.mean() < 100 for image in images])


def greys(*levels):
    return [np.full((8, 8, 3), level, np.uint8) for level in levels]


def in_world(inside, levels=(10, 20)):
    """The scorer of a world with two items of these grey levels."""
    known = GroundTruth("points", "Likes it.", lambda users, items: 0.0 * (users + items), {}, inside=inside)
    ratings = interactions([0, 1], [0, 1], [4, 5], users=2, items=2)
    dataset = Dataset.in_memory("Dark", np.stack(greys(*levels)), ratings, (1, 7), ground_truth=known)
    return InWorldScorer(NoParams(), ScorerContext.alone(dataset, {"support": lambda: known.inside}))


def test_images_are_in_the_world_or_not_whoever_is_asked():
    images = ScoredImages.of([GeneratedImage(image) for image in greys(0, 99, 100, 255)], [0, 0, 1, 1])
    for users in (images.user, images.user[::-1]):
        assert in_world(dark).score(images, users).tolist() == [1, 1, 0, 0]


def test_items_are_looked_at_like_other_images():
    """A world may hold an item that its own rule leaves out."""
    images = ScoredImages.of([GeneratedImage(image, item=i) for i, image in enumerate(greys(10, 200))], [0, 1])
    assert in_world(dark, (10, 200)).score(images, images.user).tolist() == [1, 0]


def test_every_different_image_is_looked_at_once():
    asked = []

    def inside(images):
        asked.extend(int(image[0, 0, 0]) for image in images)
        return np.ones(len(images), bool)

    images = ScoredImages.of([GeneratedImage(image) for image in greys(7, 8, 7, 8, 9)], [0, 0, 1, 1, 1])
    assert in_world(inside).score(images, images.user).tolist() == [1, 1, 1, 1, 1]
    assert asked == [7, 8, 9]


def test_no_images_are_no_numbers():
    images = ScoredImages.of([], [])
    assert in_world(dark).score(images, images.user).shape == (0,)


def test_a_failed_image_is_outside_of_the_world():
    assert in_world(dark).worst(np.array([1, 0])).tolist() == [0, 0]


def test_being_in_the_world_is_no_taste():
    """It has no lift, decides no validity, and is shown as a share."""
    card = InWorldScorer.card(NoParams())
    assert (card.name, card.unit, card.higher_is_better) == ("In the world", "share", True)
    assert (card.role, card.is_ground_truth) == ("support", False)
    assert InWorldScorer.needs(NoParams()) == {"support"} and not InWorldScorer.judges_everyone
