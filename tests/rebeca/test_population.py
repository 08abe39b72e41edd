"""The model that knows no user."""

import numpy as np

from rebeca.data.interactions import Interactions
from rebeca.population import fit_population, out_of_fold, population_scores


def world(users=20, items=60, seed=0):
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(items, 6)).astype(np.float32)
    utility = rng.normal(size=(users, 6)) @ embeddings.T + 1.5 * embeddings[:, 0]
    user, item = np.divmod(np.arange(users * items), items)
    rating = np.clip(np.round(4 + utility.ravel()), 1, 7)
    ids = tuple(f"u{i}" for i in range(users)), tuple(f"i{i}" for i in range(items))
    return Interactions(user, item, rating, rating >= 5, *ids), embeddings


def test_population_model_predicts_unseen_pictures():
    ratings, embeddings = world(users=40, items=120)
    seen = ratings.item % 3 != 0
    model = fit_population(ratings.where(seen), embeddings)
    truth = ratings.item_mean()
    new = np.arange(0, 120, 3)
    assert np.corrcoef(model.predict(embeddings[new]), truth[new])[0, 1] > 0.6


def test_out_of_fold_does_not_know_the_answer():
    rng = np.random.default_rng(0)
    ratings, _ = world()
    noise = rng.normal(size=(60, 50)).astype(np.float32)  # embeddings that say nothing
    inside = population_scores(ratings, noise)
    outside = out_of_fold(ratings, noise)
    truth = ratings.item_mean()
    assert np.corrcoef(inside, truth)[0, 1] > 0.95
    assert abs(np.corrcoef(outside, truth)[0, 1]) < 0.5
