"""Items as a random factor: effects against leaving items out by hand, and the properties that intervals rest on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from benchmark.stats.comparison import Rules, compare
from benchmark.stats.intervals import mean_interval, resampling_weights
from benchmark.stats.items import (
    FEWEST_ITEMS,
    SMALLEST_P,
    Effects,
    ItemVariance,
    auc_effects,
    item_variance,
    over_items,
    pooled_auc_effects,
    retrieval_effects,
    split_interval,
    two_factor_p,
)
from benchmark.stats.simulation import RETRIEVALS, Shape, simulate_drawn_items
from benchmark.stats.verifier import auc, auc_by_user

USERS, ITEMS, K = 30, 14, 4
EVERYONE = np.ones(USERS, bool)
ONE_BLOCK = np.zeros(USERS, np.int64)


def retrieved(seed=0, users=USERS, items=ITEMS, k=K):
    """Ratings with an item effect, and the items that each user is shown, best first by a noisy score."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=items)[None, :] + 0.5 * rng.normal(size=(users, items))
    order = np.argsort(-(table + rng.normal(size=table.shape)), axis=1, kind="stable")[:, :k]
    return table, order


def values_of(table, item):
    return table[np.arange(len(table))[:, None], item]


def by_hand(table, order, item):
    """Each user's mean over the first K - 1 of the list, less that after the item left it."""
    out = np.zeros(len(order))
    for u, own in enumerate(order):
        kept = [i for i in own if i != item][: len(own) - 1]
        out[u] = table[u, own[:-1]].mean() - table[u, kept].mean()
    return out


def test_retrieval_effects_are_those_of_leaving_an_item_out():
    table, order = retrieved()
    effects = retrieval_effects(values_of(table, order), order)
    dense = np.zeros((USERS, ITEMS))
    dense[effects.user, effects.item] = effects.effect
    for item in range(ITEMS):
        np.testing.assert_allclose(dense[:, item], by_hand(table, order, item), atol=1e-12)


def test_each_fit_has_its_own_order():
    table, order = retrieved(k=6)
    values = values_of(table, order)
    both = retrieval_effects(values, order, fits=2)
    apart = [retrieval_effects(values[:, f::2], order[:, f::2]) for f in range(2)]
    joined = Effects.summed(*(np.concatenate([getattr(e, name) for e in apart]) for name in ("user", "item", "effect")))
    np.testing.assert_array_equal(both.item, joined.item)
    np.testing.assert_allclose(both.effect, joined.effect / 2, atol=1e-15)


def test_images_that_are_no_items_have_no_effect():
    table, order = retrieved()
    item = order.copy()
    item[:, 0] = -1
    effects = retrieval_effects(values_of(table, order), item)
    assert (effects.item >= 0).all()
    assert not len(retrieval_effects(values_of(table, order), np.full(order.shape, -1)).user)


def test_one_image_tells_nothing_about_items():
    table, order = retrieved(k=1)
    effects = retrieval_effects(values_of(table, order), order)
    assert item_variance(effects, EVERYONE, ONE_BLOCK) is None


def rated(seed=1, users=12, items=15):
    rng = np.random.default_rng(seed)
    user, item = (place.ravel() for place in np.meshgrid(np.arange(users), np.arange(items), indexing="ij"))
    score = np.round(rng.normal(size=len(user)), 1)  # some tie
    return user, item, rng.random(len(user)) < 0.5 + 0.1 * (score > 0), score


def test_auc_effects_are_those_of_leaving_a_rating_out():
    user, item, liked, score = rated()
    effects = auc_effects(user, item, liked, score)
    for left_out in range(len(user)):
        kept = np.arange(len(user)) != left_out
        own = auc_by_user(user, liked, score, 12)[user[left_out]]
        without = auc_by_user(user[kept], liked[kept], score[kept], 12)[user[left_out]]
        place = (effects.user == user[left_out]) & (effects.item == item[left_out])
        assert effects.effect[place] == pytest.approx([own - without], abs=1e-12)


def test_the_only_rating_of_a_label_has_no_effect():
    liked = np.array([True, False, False, False])
    effects = auc_effects(np.zeros(4, int), np.arange(4), liked, np.array([2.0, 1.0, 3.0, 0.0]))
    assert effects.effect[0] == 0
    effects = auc_effects(np.zeros(4, int), np.arange(4), np.ones(4, bool), np.arange(4.0))
    assert not effects.effect.any()


def test_pooled_auc_variance_is_near_that_of_leaving_items_out():
    user, item, liked, score = rated(users=40, items=40)
    effects = pooled_auc_effects(user, item, liked, score)
    variance = item_variance(effects, np.ones(40, bool), np.zeros(40, int)).variance
    without = [auc(liked[item != i], score[item != i]) for i in range(40)]
    jackknife = 39 / 40 * np.square(np.array(without) - np.mean(without)).sum()
    cells = np.square(effects.effect / 40).sum()
    assert variance == pytest.approx(max(jackknife - cells, 0), rel=0.1, abs=0.1 * jackknife)


def test_the_variance_of_items_that_all_users_rate_is_that_of_the_item_means():
    """Everybody sees all items, so the mean over users is a mean over items, whose variance is known."""
    rng = np.random.default_rng(3)
    item_means, users = rng.normal(size=ITEMS), 2000
    order = np.stack([rng.permutation(ITEMS) for _ in range(users)])
    effects = retrieval_effects(item_means[order], order)
    variance = item_variance(effects, np.ones(users, bool), np.zeros(users, int))
    assert variance.variance == pytest.approx(item_means.var(ddof=1) / ITEMS, rel=0.05)
    assert variance.items == ITEMS


def dense_variance(effects, block, candidates):
    """The same numbers from a table of users and items, item by item."""
    table = np.zeros((len(block), ITEMS * 10))
    table[effects.user, effects.item] = effects.effect / len(block)
    total, spread = 0.0, 0.0
    for label, count in candidates.items():
        sums = [sum(column) for column in table[block == label].T if np.any(column)]
        sums += [0.0] * (count - len(sums))
        deviations = [(value - sum(sums) / count) ** 2 for value in sums]
        total += (count - 1) / count * sum(deviations)
        spread += sum((d - sum(deviations) / count) ** 2 for d in deviations)
    return max(total - (table**2).sum(), 0.0), 2 * total**2 / spread


def test_variance_and_degrees_recomputed_from_a_table():
    table, order = retrieved(seed=5, items=ITEMS * 2)
    block = np.repeat([0, 7], USERS // 2)
    order[block == 7] += ITEMS * 2  # blocks share no item
    values = values_of(np.tile(table, 2), order)
    effects, candidates = retrieval_effects(values, order), {0: 40, 7: 30}
    result = item_variance(effects, EVERYONE, block, candidates)
    variance, degrees = dense_variance(effects, block, candidates)
    assert result.variance == pytest.approx(variance, rel=1e-12)
    assert result.degrees == pytest.approx(degrees, rel=1e-9)


@given(st.randoms(use_true_random=False), st.integers(0, 50))
def test_names_of_items_and_the_order_of_users_change_nothing(shuffle, seed):
    table, order = retrieved(seed)
    names, users = list(range(100, 100 + ITEMS)), list(range(USERS))
    shuffle.shuffle(names)
    shuffle.shuffle(users)
    values = values_of(table, order)
    plain = item_variance(retrieval_effects(values, order), EVERYONE, ONE_BLOCK)
    moved = item_variance(retrieval_effects(values[users], np.array(names)[order][users]), EVERYONE, ONE_BLOCK)
    if plain is None:
        assert moved is None
    else:
        assert moved.items == plain.items
        assert moved.variance == pytest.approx(plain.variance, rel=1e-9, abs=1e-15)
        assert moved.degrees == pytest.approx(plain.degrees, rel=1e-6)


@given(arrays.arrays(np.float64, 20, elements=st.floats(0, 1, width=32)), st.floats(0, 1), st.floats(1, 50))
def test_widening_never_narrows_and_does_nothing_without_variance(values, variance, degrees):
    interval = mean_interval(values, resampling_weights(20, 99, np.random.default_rng(0)))
    wide = over_items(interval, ItemVariance(variance, degrees, 12))
    assert (over_items(interval, ItemVariance(0.0, degrees, 12)).low, interval.high) == pytest.approx(
        (interval.low, interval.high), nan_ok=True, abs=0
    )
    if np.isfinite(interval.low):
        assert wide.low <= interval.low
        assert interval.high <= wide.high
        assert wide.over_users == (interval.low, interval.high)
        half = stats.t.ppf(0.975, degrees) * np.sqrt(variance)
        assert wide.high - wide.estimate == pytest.approx(np.hypot(half, interval.high - wide.estimate), abs=1e-9)
    else:
        assert wide is interval


def test_items_of_one_user_each_add_nothing():
    """Then the spread between users holds that of the items."""
    rng = np.random.default_rng(0)
    order = rng.permutation(USERS * K).reshape(USERS, K)
    variance = item_variance(retrieval_effects(rng.normal(size=order.shape), order), EVERYONE, ONE_BLOCK)
    assert (variance.variance, variance.items) == (0.0, USERS * K)


def test_items_that_nobody_is_shown_count_as_drawn():
    table, order = retrieved()
    effects = retrieval_effects(values_of(table, order), order)
    few, many = (item_variance(effects, EVERYONE, ONE_BLOCK, {0: n}) for n in (ITEMS, 4 * ITEMS))
    assert (few.items, many.items) == (ITEMS, 4 * ITEMS)
    assert many.variance > few.variance  # all effects count in full where most items have none


def test_few_items_give_no_variance():
    table, order = retrieved(items=FEWEST_ITEMS - 1)
    assert item_variance(retrieval_effects(values_of(table, order), order), EVERYONE, ONE_BLOCK) is None
    interval = mean_interval(np.arange(9.0), resampling_weights(9, 99, np.random.default_rng(0)))
    assert over_items(interval, None) is interval


def test_ends_stay_within_bounds():
    interval = mean_interval(np.linspace(0.8, 1, 9), resampling_weights(9, 99, np.random.default_rng(0)))
    assert over_items(interval, ItemVariance(1.0, 10.0, 12), bounds=(0.0, 1.0)).high == 1.0


def test_effects_of_a_difference():
    a = Effects(np.array([0, 1]), np.array([3, 3]), np.array([1.0, 2.0]))
    b = Effects(np.array([1, 2]), np.array([3, 4]), np.array([0.5, 4.0]))
    difference = a.minus(b)
    assert difference.user.tolist() == [0, 1, 2]
    assert difference.item.tolist() == [3, 3, 4]
    assert difference.effect.tolist() == [1.0, 1.5, -4.0]


def test_two_factor_p_without_variance_of_items_is_that_of_a_paired_t_test():
    d = np.random.default_rng(2).normal(0.3, 1, 40)
    expected = stats.ttest_1samp(d, 0)
    assert two_factor_p(d, ItemVariance(0.0, 5.0, 12)) == pytest.approx(expected.pvalue, rel=1e-9)
    assert two_factor_p(d, ItemVariance(0.1, 5.0, 12)) > expected.pvalue
    assert two_factor_p(d, None) is None
    assert two_factor_p(np.ones(9), ItemVariance(0.0, 5.0, 12)) is None
    assert two_factor_p(1e9 + d, ItemVariance(0.0, 5.0, 12)) == pytest.approx(SMALLEST_P)
    assert two_factor_p(d - d.mean(), ItemVariance(0.1, 5.0, 12)) == pytest.approx(1)


def test_the_p_value_is_that_of_the_interval():
    d, items = np.random.default_rng(2).normal(0.3, 1, 40), ItemVariance(0.01, 7.0, 12)
    interval = mean_interval(d, resampling_weights(40, 99, np.random.default_rng(0)), 1 - two_factor_p(d, items))
    assert over_items(interval, items, 1 - two_factor_p(d, items)).low == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", RETRIEVALS)
def test_simulated_generators_have_the_true_mean_that_is_said(name):
    shape, draws = Shape(20, 4, 0.0), 600
    means = np.empty(draws)
    for seed in range(draws):
        ratings, chosen, true = simulate_drawn_items(shape, 25, name, np.random.default_rng(seed))
        means[seed] = values_of(ratings, chosen).mean()
    assert abs(means.mean() - true) < 4 * means.std() / np.sqrt(draws)


@pytest.mark.parametrize("name", RETRIEVALS)
def test_intervals_over_users_and_items_hold_the_true_mean_and_those_over_users_do_not(name):
    """With Monte Carlo error .013; a wider table is in docs/reports/calibration.md."""
    shape, draws, known = Shape(60, 5, 0.0), 300, np.ones(60, bool)
    weights, covered = resampling_weights(60, 99, np.random.default_rng(0)), np.zeros(2)
    for seed in range(draws):
        ratings, chosen, true = simulate_drawn_items(shape, 25, name, np.random.default_rng(seed))
        values = values_of(ratings, chosen)
        own = mean_interval(values.mean(axis=1), weights)
        drawn = item_variance(retrieval_effects(values, chosen), known, np.zeros(60, int), {0: 25})
        both = over_items(own, drawn)
        covered += [own.low <= true <= own.high, both.low <= true <= both.high]
    assert covered[0] < 0.9 * draws
    assert 0.91 * draws < covered[1]


def test_a_difference_of_a_few_items_is_no_verdict():
    """All users agree, but about these items only."""
    d = np.random.default_rng(4).normal(0.5, 0.3, (60, 2))
    drawn = [ItemVariance(0.09, 9.0, 12), None]
    weights = resampling_weights(60, 199, np.random.default_rng(0))
    shared, own = compare(d, weights, Rules(999, 0.05, margin=1.2), np.random.default_rng(0), items=drawn)
    assert own.verdict == "better"
    assert own.items is None
    assert shared.verdict == "equivalent"  # inside the margin, whichever items are drawn
    assert shared.test.p_max_t <= 0.05 < shared.items.p_holm
    assert shared.difference.low < 0 < shared.difference.over_users[0]
    assert shared.inner.low > shared.difference.low


def test_the_interval_over_splits_is_wider_by_the_share_of_items_held_out():
    gains = [0.0109, 0.0137, 0.0086, 0.0150, 0.0252]
    plain, corrected = split_interval(gains, 0, 311), split_interval(gains, 103, 311)
    expected = stats.t.interval(0.95, 4, np.mean(gains), stats.sem(gains))
    assert (plain.low, plain.high) == pytest.approx(expected)
    ratio = (corrected.high - corrected.estimate) / (plain.high - plain.estimate)
    assert ratio == pytest.approx(np.sqrt(1 + 5 * 103 / 311))
    assert split_interval(gains[:2], 103, 311).method == "none"


def test_the_interval_over_splits_holds_the_mean_of_overlapping_splits():
    """Means of random quarters of 40 items are correlated as splits are; the truth is the mean of all items."""
    rng, held = np.random.default_rng(0), np.zeros(2)
    for _ in range(400):
        items = rng.normal(size=40)
        quarters = [items[rng.permutation(40)[:10]].mean() for _ in range(10)]
        for place, test in enumerate((0, 10)):
            interval = split_interval(quarters, test, 30)
            held[place] += interval.low <= 0 <= interval.high
    assert held[0] < 0.8 * 400
    assert held[1] > 0.9 * 400
