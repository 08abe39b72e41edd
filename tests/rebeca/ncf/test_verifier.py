"""The ensemble that serves as judge."""

import numpy as np
import pytest

from rebeca.data.interactions import Interactions
from rebeca.data.splits import Part
from rebeca.errors import DataError
from rebeca.ncf.options import VerifierParams
from rebeca.ncf.verifier import Verifier, held_back
from tests.builders import linear_ratings


def test_verifier_learns_keeps_and_repeats(tmp_path):
    ratings, embeddings = linear_ratings()
    held = ratings.item % 5 == 0
    part = Part(ratings.where(~held & (ratings.item % 5 != 1)), ratings.where(ratings.item % 5 == 1))
    items = np.arange(60) % 5 >= 2
    params = VerifierParams(nets=2, dims=6, epochs=25, batch=128, lr=1e-2, user_weight_decay=0.01, dropout=0.1)
    verifier = Verifier(params).fit(part, embeddings, items, seed=3)
    again = Verifier(params).fit(part, embeddings, items, seed=3)
    scores = verifier.score_all(embeddings)
    np.testing.assert_array_equal(scores, again.score_all(embeddings))
    verifier.save(tmp_path)
    loaded = Verifier(params).load(tmp_path)
    np.testing.assert_allclose(loaded.score_all(embeddings), scores, atol=1e-7)
    np.testing.assert_allclose(loaded.score_all(embeddings, np.array([5, 1])), scores[[5, 1]], atol=1e-6)
    test = ratings.where(held)
    from benchmark.stats.verifier import auc_by_user

    own = np.nanmean(auc_by_user(test.user, test.liked, scores[test.user, test.item], 20))
    shuffled = np.nanmean(auc_by_user(test.user, test.liked, scores[(test.user + 7) % 20, test.item], 20))
    assert own > 0.75
    assert own > shuffled + 0.05


def test_one_class_is_refused():
    ratings, embeddings = linear_ratings()
    likes = ratings.where(ratings.liked)
    with pytest.raises(DataError, match="all likes"):
        Verifier(VerifierParams()).fit(Part(likes, likes), embeddings, np.ones(60, bool), 0)


def test_every_network_holds_something_back():
    """With few images or rows a part was empty, and the network was kept as its first epoch left it."""
    user, item = (table.ravel() for table in np.meshgrid(np.arange(5), np.arange(6), indexing="ij"))
    train = Interactions(
        user, item, np.ones(30), np.arange(30) % 2 == 0, tuple("abcde"), tuple(f"i{k}" for k in range(6))
    )
    for mask in (*held_back(train, "items", 8, 1), *held_back(train, "items", 10, 2)):
        assert mask.any() and not mask.all()
    few = train.where(train.user == 0)
    for seed in range(40):
        assert all(mask.any() and not mask.all() for mask in held_back(few, "rows", 3, seed))
    with pytest.raises(DataError, match="all of one item"):
        held_back(train.where(train.item == 2), "items", 8, 1)
