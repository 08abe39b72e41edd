"""Groups of similar points: k-means, and how well its groups are separated."""

from __future__ import annotations

import numpy as np

from rebeca.arrays import Floats, Ints

STARTS = 10
MOST_STEPS = 100


def k_means(points: Floats, k: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """The best of several runs of Lloyd's algorithm, each from centres that k-means++ draws.

    Args:
        points: float64 [n, d].
        k: Groups.
        rng: Draws the first centres.

    Returns:
        Int [n], the group of each point; and float64 [k, d], the centres. Fewer than k groups may have points.
    """
    runs = (_lloyd(points, _first_centres(points, k, rng)) for _ in range(STARTS))
    _, labels, centres = min(runs, key=lambda run: run[0])
    return labels, centres


def nearest(points: Floats, centres: Floats) -> Ints:
    """Int [n]; the centre next to each point."""
    return np.asarray(_squares(points, centres).argmin(axis=1))


def silhouette(points: Floats, labels: Ints) -> float:
    """Mean silhouette (Rousseeuw 1987), from -1 to 1; a point alone in its group counts 0.

    Args:
        points: float64 [n, d].
        labels: Int [n], of two groups at least.
    """
    _, labels, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    member = np.eye(len(sizes))[labels]
    totals = np.sqrt(_squares(points, points)) @ member
    own = np.arange(len(points)), labels
    within = totals[own] / np.maximum(sizes[labels] - 1, 1)
    means = totals / sizes
    means[own] = np.inf
    others = means.min(axis=1)
    widest = np.maximum(within, others)
    apart = np.divide(others - within, widest, out=np.zeros(len(points)), where=widest > 0)
    return float(np.where(sizes[labels] > 1, apart, 0.0).mean())


def _first_centres(points: Floats, k: int, rng: np.random.Generator) -> Floats:
    """Points, each drawn with a probability proportional to its squared distance from those drawn before."""
    chosen = [int(rng.integers(len(points)))]
    for _ in range(k - 1):
        squares = _squares(points, points[chosen]).min(axis=1)
        total = squares.sum()
        chosen.append(int(rng.choice(len(points), p=squares / total)) if total > 0 else chosen[0])
    return points[chosen]


def _lloyd(points: Floats, centres: Floats) -> tuple[float, Ints, Floats]:
    """Sum of squared distances, labels and centres, once no point changes its group."""
    labels = nearest(points, centres)
    for _ in range(MOST_STEPS):
        member = np.eye(len(centres))[labels]
        sizes = member.sum(axis=0)[:, None]
        centres = np.divide(member.T @ points, sizes, out=centres.copy(), where=sizes > 0)
        before, labels = labels, nearest(points, centres)
        if (labels == before).all():
            break
    return float(np.square(points - centres[labels]).sum()), labels, centres


def _squares(a: Floats, b: Floats) -> Floats:
    """Squared distances, float64 [len(a), len(b)]; computed by differences, so that equal points are at 0."""
    return np.stack([np.square(a - point).sum(axis=1) for point in b], axis=1)
