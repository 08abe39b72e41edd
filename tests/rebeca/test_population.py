"""The model that knows no user."""

import numpy as np

from rebeca.population import fit_population, out_of_fold, population_scores
from tests.builders import linear_ratings


def test_population_model_predicts_unseen_images():
    ratings, embeddings = linear_ratings(users=40, items=120)
    seen = ratings.item % 3 != 0
    model = fit_population(ratings.where(seen), embeddings)
    truth = ratings.item_mean()
    new = np.arange(0, 120, 3)
    assert np.corrcoef(model.predict(embeddings[new]), truth[new])[0, 1] > 0.6


def test_out_of_fold_does_not_know_the_answer():
    rng = np.random.default_rng(0)
    ratings, _ = linear_ratings()
    noise = rng.normal(size=(60, 50)).astype(np.float32)  # embeddings that say nothing
    inside = population_scores(ratings, noise)
    outside = out_of_fold(ratings, noise)
    truth = ratings.item_mean()
    assert np.corrcoef(inside, truth)[0, 1] > 0.95
    assert abs(np.corrcoef(outside, truth)[0, 1]) < 0.5
