"""Simulated retrieval tasks whose held-out items are drawn as well: do intervals cover the mean over other items?"""

from __future__ import annotations

import numpy as np

from benchmark.planning.rates import ALPHA, Cell, Counts
from benchmark.stats.intervals import mean_interval
from benchmark.stats.items import item_variance, over_items, retrieval_effects, two_factor_p
from benchmark.stats.simulation import RETRIEVALS, simulate_drawn_items
from rebeca.arrays import Floats, Ints


def compare_retrieval(cell: Cell, weights: Ints, rng: np.random.Generator, counts: Counts) -> None:
    """A generator's mean held-out rating, and its difference from another generator on the same users and items."""
    names = list(RETRIEVALS)
    other = names[(names.index(cell.condition) + 1) % len(names)]
    seed = rng.integers(2**62)
    draws = []
    for name in (cell.condition, other):  # equal streams: the same users and items
        ratings, chosen, true_mean = simulate_drawn_items(cell.shape, cell.items, name, np.random.default_rng(seed))
        draws.append((np.take_along_axis(ratings, chosen, axis=1), chosen, true_mean))
    (own, chosen, true_mean), (against, other_chosen, other_mean) = draws
    everybody, stratum = np.ones(len(own), bool), np.zeros(len(own), np.int64)
    effects = retrieval_effects(own, chosen)
    over_users = mean_interval(_mean(own), weights)
    of_mean = item_variance(effects, everybody, stratum, {0: cell.items})
    counts.covers("held-out rating, interval over users and items", over_items(over_users, of_mean), true_mean)
    counts.covers("held-out rating, interval over users", over_users, true_mean)
    differences = _mean(own) - _mean(against)
    both = effects.minus(retrieval_effects(against, other_chosen))
    of_pair = item_variance(both, everybody, stratum, {0: cell.items})
    pair = over_items(mean_interval(differences, weights), of_pair)
    counts.covers("difference of held-out ratings, interval over users and items", pair, true_mean - other_mean)
    p = two_factor_p(differences - (true_mean - other_mean), of_pair)
    if p is not None:
        counts.add("difference of held-out ratings, one pair", p <= ALPHA)


def _mean(ratings: Floats) -> Floats:
    return np.asarray(ratings.mean(axis=1))
