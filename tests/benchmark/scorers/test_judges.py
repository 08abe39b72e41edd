"""Verifier, auditor and prior as scorers, with a judge that can be computed by hand."""

import numpy as np
import pytest

from benchmark.scorers.judges import AuditorScorer, PriorScorer, VerifierScorer
from rebeca.errors import PluginError
from rebeca.interfaces import FittedJudge, NoParams
from tests.benchmark.scorers.handmade import context, scored

CATALOGUE = np.array([[5.0], [1.0], [3.0]])
TRAINING = np.array([True, False, True])


class Weighted:
    """A user's probability is a hundredth of (1 + user) times the embedding; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def score_all(self, embeddings, users=None):
        users = np.arange(4) if users is None else users
        self.asked.append((embeddings[:, 0].tolist(), users.tolist()))
        return (1 + users)[:, None] * embeddings[:, 0][None, :] / 100


def built(kind, model=None, role=None):
    model = model or Weighted()
    judge = FittedJudge(lambda: model, lambda: CATALOGUE, None)
    return kind(NoParams(), context(training_items=TRAINING, **{role or kind.ROLE: judge}))


def three_images(role="verifier"):
    """The first and the third are equal."""
    return scored([0, 1, 1], {role: np.array([[2.0], [7.0], [2.0]])}, digest="aba")


@pytest.mark.parametrize("kind", [VerifierScorer, AuditorScorer])
def test_every_image_is_scored_for_whoever_is_asked(kind):
    images = three_images(kind.ROLE)
    np.testing.assert_allclose(built(kind).score(images, np.array([3, 0, 3])), [0.08, 0.07, 0.08])


def test_everybody_scores_every_image_and_equal_images_once():
    model = Weighted()
    scorer = built(VerifierScorer, model)
    table = scorer.score_all(three_images(), np.array([2, 0]))
    np.testing.assert_allclose(table, [[0.06, 0.21, 0.06], [0.02, 0.07, 0.02]])
    assert model.asked == [([2.0, 7.0], [2, 0])]
    assert scorer.judges_everyone


def test_what_a_failure_counts_is_the_lowest_score_of_a_training_item():
    model = Weighted()
    scorer = built(VerifierScorer, model)
    for _ in range(2):
        np.testing.assert_allclose(scorer.worst(np.array([3, 0])), [0.12, 0.03])
    assert model.asked == [([5.0, 3.0], [0, 1, 2, 3])]  # once, and not for the held-out item of 1


def test_each_asks_for_its_own_judge():
    assert VerifierScorer.needs(NoParams()) == {"verifier"}
    assert AuditorScorer.needs(NoParams()) == {"auditor"}
    assert PriorScorer.needs(NoParams()) == {"prior"}
    roles = [kind.card(NoParams()).role for kind in (VerifierScorer, AuditorScorer, PriorScorer)]
    assert roles == ["verifier", "auditor", "prior"]
    with pytest.raises(AttributeError, match="auditor"):
        built(AuditorScorer, role="verifier").score(three_images("auditor"), np.array([0, 0, 0]))


def test_before_decoding_what_is_unknown_has_no_score():
    images = scored([0, 1, 1], {"prior": np.array([[2.0], [np.nan], [4.0]])})
    scores = built(PriorScorer, role="prior").score(images, np.array([3, 0, 1]))
    np.testing.assert_allclose(scores, [0.08, np.nan, 0.08])


def test_before_decoding_no_judge_is_asked_where_nothing_is_known():
    images = scored([0], {"prior": np.array([[np.nan, np.nan]])})
    model = Weighted()
    assert np.isnan(built(PriorScorer, model, role="prior").score(images, np.array([0]))).all()
    assert model.asked == []


def test_embeddings_of_another_space_are_named():
    images = scored([0], {"prior": np.array([[1.0, 2.0]])})
    with pytest.raises(PluginError, match="has 2 numbers, the task's encoder has 1") as raised:
        built(PriorScorer, role="prior").score(images, np.array([0]))
    assert raised.value.hint == "give the vector in the encoder's space, or None"
