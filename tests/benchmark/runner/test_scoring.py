"""Scores of images: every scorer once, given what it asked for, and kept as it said them."""

import dataclasses
import shutil

import numpy as np
import pytest

from benchmark.runner import scoring as module
from benchmark.runner.decode import fit_and_decode
from benchmark.runner.freeze import Freezer
from benchmark.runner.scoring import (
    ImageVectors,
    images_of_fit,
    score_all,
    score_arrays,
    scored_images,
    scorer_context,
    worst_scores,
)
from benchmark.stats.groups import Groups
from rebeca.declared import ScorerFlags
from rebeca.errors import PluginError, SpecError
from rebeca.interfaces import NoParams, ScoredImages, Scorer, ScorerCard, SetScorer

CARD = ScorerCard("Fake", "unit", True, "A number.")


class Constant(Scorer):
    """The image's index, whoever asks."""

    @classmethod
    def card(cls, params):
        return CARD

    def score(self, images, users):
        return np.arange(len(images), dtype=float)


class Everyone(Constant):
    """User's index times ten plus the first equal image's index."""

    judges_everyone = True

    def score_all(self, images, users):
        return 10.0 * users[:, None] + images.unique[None, :]


class Count(SetScorer):
    """Images per user."""

    @classmethod
    def cards(cls, params):
        return {"count": CARD}

    def score_sets(self, images, users):
        return {"count": np.array([(images.user == user).sum() for user in users])}


def four_images():
    """Of users 2 and 5; the second and the fourth are equal."""
    unique = np.array([0, 1, 2, 1])
    return ScoredImages(
        np.array([2, 2, 5, 5]), np.array([0, 1, 0, 1]), tuple("abcb"), np.full(4, -1), unique,
        lambda role: np.zeros((4, 2), np.float32), lambda i: np.zeros((2, 2, 3), np.uint8),
    )  # fmt: skip


USERS = np.array([2, 5])


def test_what_is_kept_of_a_scorer():
    arrays = score_arrays(Constant(NoParams(), None), four_images(), USERS, 1)
    assert arrays["own"].tolist() == [0, 1, 2, 3]
    assert set(arrays) == {"own", "position"}


def test_a_users_own_scores_are_taken_from_everybodys():
    arrays = score_arrays(Everyone(NoParams(), None), four_images(), USERS, 1)
    assert arrays["everyone"].tolist() == [[20, 21, 22], [50, 51, 52]]
    assert arrays["position"].tolist() == [0, 1, 2, 1]
    assert arrays["own"].tolist() == [20, 21, 52, 51]


def test_users_of_a_group_are_asked_about_its_images_alone():
    """Users 2 and 7 are one group, 5 the other; columns count the different images of a group."""
    users, groups = np.array([2, 5, 7]), Groups.of(np.array([0, 1, 0]))
    arrays = score_arrays(Everyone(NoParams(), None), four_images(), users, 1, groups)
    assert arrays["everyone"].tolist() == [[20, 21], [50, 51], [70, 71]]
    assert arrays["position"].tolist() == [0, 1, 0, 1] and arrays["own"].tolist() == [20, 21, 50, 51]


def test_a_group_without_an_image_is_not_asked():
    class Strict(Everyone):
        def score_all(self, images, users):
            assert len(images)
            return super().score_all(images, users)

    users, groups = np.array([2, 5, 7]), Groups.of(np.array([0, 0, 1]))
    arrays = score_arrays(Strict(NoParams(), None), four_images(), users, 1, groups)
    np.testing.assert_array_equal(arrays["everyone"], [[20, 21, 22], [50, 51, 52], [np.nan] * 3])


def test_what_is_kept_of_a_set_scorer():
    assert score_arrays(Count(NoParams(), None), four_images(), USERS, 1)["count"].tolist() == [2, 2]


def test_sets_of_each_fit_are_scored_apart():
    """Of user 5 only the first fit has an image."""
    images = dataclasses.replace(four_images(), replicate=np.array([0, 1, 0, 2]))
    assert score_arrays(Count(NoParams(), None), images, USERS, 2)["count"].tolist() == [1, 2, 1, 0]
    first = images_of_fit(images, 0, 2)
    assert first.digest == ("a", "c", "b") and first.unique.tolist() == [0, 1, 2]
    assert images_of_fit(images, 1, 2).user.tolist() == [2]


class Bright(Scorer):
    """Mean grey of the pixels, plus a tenth of the user's index; knows its worst score for user 5 alone."""

    higher, asked = True, 0

    @classmethod
    def card(cls, params):
        return ScorerCard("Bright", "grey", cls.higher, "Mean of the pixels.")

    def score(self, images, users):
        type(self).asked = len(np.unique(images.unique))
        return np.array([images.pixels_of(i).mean() for i in range(len(images))]) + users / 10

    def worst(self, users):
        return np.where(users == 5, -1.0, np.nan)


class Dark(Bright):
    higher = False


class Silent(Bright):
    def score(self, images, users):
        return np.full(len(images), np.nan)


@pytest.mark.parametrize(("kind", "extreme"), [(Bright, np.min), (Dark, np.max)])
def test_the_worst_score_is_that_of_the_worst_training_item(prepared, kind, extreme):
    """Failing never pays: where a scorer does not say what a failure counts, training items tell."""
    catalogue = prepared.world.dataset.catalogue
    items = np.flatnonzero(prepared.world.division.training_items)
    grey = extreme([catalogue.pixels(int(item)).mean() for item in items])
    flags = ScorerFlags(False, frozenset(), (), {"": kind.card(None)})
    worst = worst_scores(kind(NoParams(), None), prepared.materials, flags, np.array([5, 2, 0]))
    np.testing.assert_allclose(worst, [-1, grey + 0.2, grey])
    assert kind.asked == len(items) < len(catalogue)


def test_a_scorer_that_answers_no_item_has_no_worst_score(prepared):
    flags = ScorerFlags(False, frozenset(), (), {"": Silent.card(None)})
    worst = worst_scores(Silent(NoParams(), None), prepared.materials, flags, np.array([1, 5]))
    np.testing.assert_array_equal(worst, [np.nan, -1])


def test_of_many_training_items_some_are_asked_about(prepared, monkeypatch):
    monkeypatch.setattr(module, "ITEMS_ASKED_ABOUT", 4)
    flags = ScorerFlags(False, frozenset(), (), {"": Bright.card(None)})
    worst_scores(Bright(NoParams(), None), prepared.materials, flags, np.array([1]))
    assert Bright.asked == 4


def test_items_have_the_embeddings_of_every_space(prepared):
    images = module.item_images(prepared.materials, np.array([3, 1]), np.array([7, 2]))
    assert images.user.tolist() == [7, 7, 2, 2] and images.item.tolist() == [3, 1, 3, 1]
    assert images.unique.tolist() == [0, 1, 0, 1]
    for role, space in (("task", "task"), ("prior", "task"), ("verifier", "verifier")):
        np.testing.assert_array_equal(images.embedding_of(role), prepared.materials.embeddings[space][[3, 1, 3, 1]])


@pytest.fixture(scope="module")
def images(prepared):
    freezer = Freezer(prepared.stages.store.root, prepared.task)
    return [
        fit_and_decode(prepared.task, spec, prepared.addresses, prepared.materials, prepared.stages, freezer)
        for spec in prepared.task.generators
    ]


def scored(prepared, images):
    (scores,) = score_all(prepared.task, [images], prepared.addresses, prepared.materials, prepared.stages)
    return scores


def test_a_generator_by_every_scorer(prepared, images):
    scores = scored(prepared, images[0])
    assert list(scores.by_image) == ["ncf", "auditor", "observed", "nearest-training"]
    assert set(scores.by_user) == set(scores.cards) >= {"diversity", "precision@1"}
    assert scores.owner.tolist() == np.repeat(range(12), 3).tolist()
    judge = prepared.materials.judges["verifier"].catalogue_scores()
    own = scores.by_image["ncf"]
    np.testing.assert_allclose(own.own, judge[scores.scored.user, scores.scored.item], atol=1e-6)
    assert own.everyone.shape == (12, len(set(scores.scored.digest)))


def test_cached_scores_need_no_scorer(prepared, images, monkeypatch):
    before = scored(prepared, images[1])
    monkeypatch.setattr(module, "build", lambda *arguments: pytest.fail("a scorer was built"))
    after = scored(prepared, images[1])
    assert np.array_equal(before.by_image["ncf"].own, after.by_image["ncf"].own)
    assert before.cards == after.cards


def test_one_damaged_score_is_made_again_and_no_other(prepared, images, monkeypatch):
    scored(prepared, images[2])
    built = []
    real = module.build
    monkeypatch.setattr(module, "build", lambda *a: (built.append(a[1]), real(*a))[1])
    shutil.rmtree(prepared.stages.store.folder(prepared.addresses.scores[images[2].spec.id, "auditor"]))
    scored(prepared, images[2])
    assert built == ["auditor"]


def test_embeddings_of_generated_images_are_encoded_once():
    asked = []

    class Encoder:
        def encode(self, images, items):
            asked.append(len(images))
            return np.array([[image[0, 0, 0]] for image in images], np.float32)

    class Encoders:
        def get(self, role):
            return Encoder()

    vectors = ImageVectors(Encoders())

    def read(digest):
        return np.full((2, 2, 3), int(digest), np.uint8)

    assert vectors.encode("task", ["3", "1", "3"], read).tolist() == [[3], [1], [3]]
    assert vectors.encode("task", ["1", "2"], read).tolist() == [[1], [2]]
    assert vectors.encode("verifier", ["1"], read).tolist() == [[1]]
    assert asked == [2, 1, 1]


def test_a_generator_is_encoded_in_batches_of_its_own(prepared, images, monkeypatch):
    """Other batches round differently, and which generators a process has scored before is chance."""
    built = []
    monkeypatch.setattr(module, "ImageVectors", lambda encoders: built.append(encoders) or ImageVectors(encoders))
    score_all(prepared.task, images[:2], prepared.addresses, prepared.materials, prepared.stages)
    assert len(built) == 2


def test_only_embeddings_that_were_asked_for(prepared, images):
    every = scored_images(images[0], prepared.materials, ImageVectors(prepared.materials.encoders))
    assert module.restricted(every, frozenset({"embeddings"})).embedding_of("task").shape == (36, 4)
    with pytest.raises(PluginError, match="in the space 'auditor'"):
        module.restricted(every, frozenset({"embeddings"})).embedding_of("auditor")
    with pytest.raises(PluginError, match="in the space 'mine'; allowed: task"):
        module.restricted(every, frozenset()).embedding_of("mine")


def test_a_scorer_is_given_what_it_asked_for(prepared, tmp_path):
    def given(*needs):
        flags = ScorerFlags(False, frozenset(needs), ("fourier:8",), {})
        return scorer_context(flags, prepared.materials, tmp_path)

    context = given("held-out")
    assert context.held_out is prepared.world.division.test
    with pytest.raises(PluginError, match="'verifier', which its needs"):
        _ = context.verifier
    with pytest.raises(SpecError, match="the data set has no ground truth"):
        _ = given("ground-truth").ground_truth
    with pytest.raises(SpecError, match="cannot tell which images could be its items"):
        _ = given("support").support
    assert context.encoder("fourier:8").dim == 120
    with pytest.raises(PluginError, match="uses the encoder 'fourier:9'"):
        context.encoder("fourier:9")
