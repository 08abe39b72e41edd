"""Linear tastes, one per user."""

import numpy as np
import pytest

from rebeca.population import personal_ratings
from rebeca.taste import ridge_by_group, ridge_tastes
from scripts.sparse_ratings import RATERS, draw, less_item_means, recovered
from tests.builders import interactions, linear_ratings


def test_ridge_equals_scikit_learn():
    from sklearn.linear_model import Ridge

    ratings, embeddings = linear_ratings()
    weights = ridge_by_group(ratings.user, ratings.num_users, ratings.item, embeddings, ratings.rating, 2.5)
    own = ratings.rows_of(4)
    expected = Ridge(alpha=2.5, fit_intercept=False).fit(embeddings[ratings.item[own]], ratings.rating[own]).coef_
    np.testing.assert_allclose(weights[4], expected, rtol=1e-6)


def test_tastes_hold_what_is_personal():
    """Without ratings there is no taste; else it is the difference to the other users."""
    rng = np.random.default_rng(0)
    points, own = rng.normal(size=(200, 3)), rng.normal(size=(8, 3))
    user, item = np.divmod(np.arange(8 * 200), 200)
    common, lenience = 3 * rng.normal(size=200), rng.normal(size=8)
    rating = (points[item] * own[user]).sum(axis=1) + common[item] + lenience[user]
    train = interactions(user.tolist(), item.tolist(), rating, users=9)
    tastes = ridge_tastes(train, points, 1e-6)
    assert tastes.shape == (9, 3) and not tastes[8].any()
    np.testing.assert_allclose(tastes[:8], (own - own.mean(axis=0)) * 8 / 7, atol=0.15)


@pytest.mark.parametrize("raters", [1, 3, 100])
def test_tastes_are_recovered_where_few_rate_an_item(raters):
    ratings, embeddings, tastes = draw(raters, 0, users=70)
    assert recovered(ratings, embeddings, tastes, personal_ratings(ratings, embeddings)) > 0.88
    before = recovered(ratings, embeddings, tastes, less_item_means(ratings))
    assert before == pytest.approx({1: 0.0, 3: 0.83, 100: 0.92}[raters], abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("raters", RATERS)
def test_tastes_of_many_users_are_recovered_where_few_rate_an_item(raters):
    for seed in range(3):
        ratings, embeddings, tastes = draw(raters, seed)
        assert recovered(ratings, embeddings, tastes, personal_ratings(ratings, embeddings)) > 0.88
