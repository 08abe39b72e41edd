"""A fitted judge scores each image for its user, and asks its model about each user once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebeca.interfaces import FittedJudge, Judge, JudgeContext, NoParams, no_progress


class Likeness(Judge):
    """User u likes what has the number u: the probability is 1 / (1 + distance)."""

    def __init__(self, params, context):
        super().__init__(params, context)
        self.asked = []

    def fit(self, part, embeddings): ...

    def save(self, folder): ...

    def load(self, folder): ...

    def score_all(self, embeddings, users=None):
        self.asked.append(None if users is None else users.tolist())
        own = np.arange(len(self.context.users)) if users is None else users
        return 1 / (1 + np.abs(own[:, None] - embeddings[:, 0]))


CONTEXT = JudgeContext(("a", "b", "c", "d"), np.ones(3, bool))


def image(level):
    return np.full((1, 1, 3), level, np.uint8)


def fitted(model=None):
    model = model or Likeness(NoParams(), CONTEXT)
    catalogue = np.array([[0.0], [1.0], [3.0]], np.float32)
    encode = lambda images: np.array([[pixels[0, 0, 0]] for pixels in images], np.float32)  # noqa: E731
    return FittedJudge(lambda: model, lambda: catalogue, encode)


def test_scores_by_hand():
    judge = fitted()
    scores = judge.score([image(0), image(1), image(3), image(0)], np.array([2, 0, 2, 0]))
    np.testing.assert_allclose(scores, [1 / 3, 1 / 2, 1 / 2, 1.0])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=12))
def test_image_and_user_stay_together_in_any_order(pairs):
    users, levels = np.array(pairs).T
    scores = fitted().score([image(level) for level in levels], users)
    np.testing.assert_allclose(scores, 1 / (1 + np.abs(users - levels)))


def test_the_model_is_asked_about_the_users_at_hand_once_each():
    model = Likeness(NoParams(), CONTEXT)
    fitted(model).score([image(0)] * 5, np.array([3, 1, 3, 1, 1]))
    assert model.asked == [[1, 3]]


def test_every_item_is_scored_by_every_user():
    model = Likeness(NoParams(), CONTEXT)
    expected = [[1, 1 / 2, 1 / 4], [1 / 2, 1, 1 / 3], [1 / 3, 1 / 2, 1 / 2], [1 / 4, 1 / 3, 1]]
    np.testing.assert_allclose(fitted(model).catalogue_scores(), expected)
    assert model.asked == [None]


def test_model_and_catalogue_are_loaded_when_they_are_asked_for():
    def refuse(*_):
        raise AssertionError("it was loaded")

    judge = FittedJudge(refuse, refuse, refuse, "a fingerprint")
    assert judge.fingerprint == "a fingerprint"
    with pytest.raises(AssertionError, match="it was loaded"):
        judge.catalogue_scores()


def test_a_context_is_on_the_processor_and_silent_unless_told():
    assert (CONTEXT.seed, CONTEXT.device, CONTEXT.progress) == (0, "cpu", no_progress)
    assert no_progress(1, 2, "networks") is None
