"""k-means and silhouettes."""

import numpy as np
import pytest

from benchmark.stats.groups import k_means, nearest, silhouette


def clouds(rng, k=3, each=20, spread=0.1):
    labels = np.repeat(np.arange(k), each)
    return np.eye(k)[labels] * 3 + rng.normal(0, spread, (k * each, k)), labels


def test_separate_clouds_are_found():
    points, truth = clouds(np.random.default_rng(0))
    labels, centres = k_means(points, 3, np.random.default_rng(1))
    assert len(set(zip(labels.tolist(), truth.tolist(), strict=True))) == 3
    for k in range(3):
        assert centres[k] == pytest.approx(points[labels == k].mean(axis=0))
    assert (nearest(points, centres) == labels).all()
    again, _ = k_means(points, 3, np.random.default_rng(1))
    assert (again == labels).all()


def test_they_agree_with_scikit_learn():
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    points, _ = clouds(np.random.default_rng(2), k=4, spread=0.6)
    labels, centres = k_means(points, 4, np.random.default_rng(3))
    theirs = KMeans(4, n_init=20, random_state=0).fit(points)
    assert np.square(points - centres[labels]).sum() == pytest.approx(theirs.inertia_, rel=1e-6)
    assert silhouette(points, labels) == pytest.approx(silhouette_score(points, labels))


def test_a_point_alone_counts_nothing():
    from sklearn.metrics import silhouette_samples

    points, labels = np.array([[0.0], [1.0], [9.0]]), np.array([5, 5, 7])
    assert silhouette(points, labels) == pytest.approx(silhouette_samples(points, labels).mean())


def test_equal_points_make_one_group():
    labels, centres = k_means(np.ones((5, 2)), 3, np.random.default_rng(0))
    assert len(set(labels.tolist())) == 1 and (centres == 1).all()
