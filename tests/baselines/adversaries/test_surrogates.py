"""Surrogates are exact Gaussian processes, the same in numpy and torch."""

import numpy as np
import pytest

from baselines.adversaries import surrogates
from baselines.adversaries.surrogates import Surrogate, anchored, item_scores
from rebeca.arrays import unit_rows
from rebeca.errors import PluginError
from rebeca.population import chord_kernel
from tests.baselines.adversaries.world import small_world
from tests.builders import linear_ratings


def surrogate(train, embeddings, scaled=False):
    ratings, items = anchored(train)
    return Surrogate.fit(ratings, items, embeddings[items], scaled)


def test_it_knows_who_likes_what():
    train, embeddings = linear_ratings()
    half = train.where(train.item % 2 == 0)
    scores = surrogate(half, embeddings).scores(embeddings)
    unseen = train.where(train.item % 2 == 1)
    predicted = scores[unseen.user, unseen.item]
    assert predicted[unseen.liked].mean() > predicted[~unseen.liked].mean() + 0.3


def test_one_user_gives_the_closed_form():
    """With one rating per item both parts have the same form, the second on what the first leaves."""
    train, embeddings = linear_ratings(1, 12)
    kernel = chord_kernel(*[unit_rows(embeddings.astype(float) - embeddings.mean(axis=0, dtype=float))] * 2, 1.0)
    rate = (train.liked.sum() + 1) / 14
    residual = train.liked - rate
    common = kernel @ np.linalg.solve(kernel + 1.8 * np.eye(12), residual)
    personal = kernel @ np.linalg.solve(kernel + 0.9 * np.eye(12), residual - common)
    np.testing.assert_allclose(surrogate(train, embeddings).scores(embeddings)[0], rate + common + personal, atol=1e-4)


@pytest.mark.parametrize("scaled", [False, True])
def test_numpy_and_torch_agree(scaled):
    import torch

    train, embeddings = linear_ratings()
    own = surrogate(train, embeddings, scaled)
    for user in (0, 7):
        tensor = own.tensor_scores(user)(torch.from_numpy(embeddings))
        np.testing.assert_allclose(tensor.numpy(), own.scores(embeddings)[user], atol=2e-5)


def test_saved_surrogates_score_alike(tmp_path):
    train, embeddings = linear_ratings()
    own = surrogate(train, embeddings)
    own.save(tmp_path / "s.npz")
    np.testing.assert_array_equal(Surrogate.load(tmp_path / "s.npz").scores(embeddings), own.scores(embeddings))


def test_only_so_many_items_are_fitted(monkeypatch):
    monkeypatch.setattr(surrogates, "MOST_ANCHORS", 10)
    ratings, items = anchored(linear_ratings()[0])
    assert len(items) == 10 and set(ratings.item) == set(items) and (np.diff(items) > 0).all()


def test_no_ratings_are_refused():
    train, _ = linear_ratings()
    with pytest.raises(PluginError, match="it was given no training ratings"):
        anchored(train.where(np.zeros(len(train), bool)))


def test_scores_of_spaces_are_averaged():
    train, context = small_world()
    names = ("tinyworld:verifier-encoder", "tinyworld:auditor-encoder")
    separate = [item_scores(train, context, (name,)) for name in names]
    np.testing.assert_allclose(item_scores(train, context, names), np.mean(separate, axis=0))
