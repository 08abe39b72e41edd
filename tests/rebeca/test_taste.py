"""Linear tastes, one per user."""

import numpy as np

from rebeca.taste import ridge_by_group, ridge_tastes
from tests.builders import interactions, linear_ratings


def test_ridge_equals_scikit_learn():
    from sklearn.linear_model import Ridge

    ratings, embeddings = linear_ratings()
    weights = ridge_by_group(ratings.user, ratings.num_users, ratings.item, embeddings, ratings.rating, 2.5)
    own = ratings.rows_of(4)
    expected = Ridge(alpha=2.5, fit_intercept=False).fit(embeddings[ratings.item[own]], ratings.rating[own]).coef_
    np.testing.assert_allclose(weights[4], expected, rtol=1e-6)


def test_tastes_hold_what_is_personal():
    """Everybody's mean and every item's mean are taken out first; without ratings there is no taste."""
    rng = np.random.default_rng(0)
    points, own = rng.normal(size=(200, 3)), rng.normal(size=(8, 3))
    user, item = np.divmod(np.arange(8 * 200), 200)
    common, lenience = rng.normal(size=200), rng.normal(size=8)
    rating = (points[item] * own[user]).sum(axis=1) + common[item] + lenience[user]
    train = interactions(user.tolist(), item.tolist(), rating, users=9)
    tastes = ridge_tastes(train, points, 1e-6)
    assert tastes.shape == (9, 3) and not tastes[8].any()
    np.testing.assert_allclose(tastes[:8], own - own.mean(axis=0), atol=0.05)
