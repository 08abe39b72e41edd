"""The model that knows no user."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebeca import population
from rebeca.population import (
    chord_kernel,
    fit_leaving_out,
    fit_population,
    item_targets,
    personal_ratings,
    population_scores,
    shrunken_others_mean,
    variance_components,
)
from tests.builders import interactions, linear_ratings


def test_population_model_predicts_unseen_images():
    ratings, embeddings = linear_ratings(users=40, items=120)
    seen = ratings.item % 3 != 0
    model = fit_population(ratings.where(seen), embeddings)
    truth = ratings.item_mean()
    new = np.arange(0, 120, 3)
    assert np.corrcoef(model.predict(embeddings[new]), truth[new])[0, 1] > 0.6


def test_left_out_predictions_do_not_know_the_answer():
    rng = np.random.default_rng(0)
    ratings, _ = linear_ratings()
    noise = rng.normal(size=(60, 50)).astype(np.float32)  # embeddings that say nothing
    truth = ratings.item_mean()
    assert np.corrcoef(population_scores(ratings, noise), truth)[0, 1] > 0.95
    assert abs(np.corrcoef(fit_leaving_out(ratings, noise)[1], truth)[0, 1]) < 0.5


@pytest.mark.parametrize("anchors", [1000, 25])
def test_left_out_predictions_are_those_of_a_fit_without_the_items(monkeypatch, anchors):
    """The reference solves the system of the other folds' items; with all items as anchors, that of the process."""
    monkeypatch.setattr(population, "MOST_ANCHORS", anchors)
    ratings, embeddings = linear_ratings(items=40)
    model, predicted = fit_leaving_out(ratings, embeddings, 3)
    targets = item_targets(ratings)
    places = population._directions(embeddings, model.centre)
    signal, noise = population._variances(targets.value, targets.raters, model.noise_share)
    kernel = signal * chord_kernel(places, model.anchors, model.length)
    inner = np.linalg.inv(
        signal * chord_kernel(model.anchors, model.anchors, model.length) + 1e-8 * signal * np.eye(len(model.anchors))
    )
    whole = signal * chord_kernel(places, places, model.length) if anchors > 40 else kernel @ inner @ kernel.T
    fold = np.random.default_rng(3).permutation(40) % population.FOLDS
    for number in range(population.FOLDS):
        rest, left = fold != number, fold == number
        y = targets.value[rest]
        solved = np.linalg.solve(whole[np.ix_(rest, rest)] + np.diag(noise[rest]), y - y.mean())
        np.testing.assert_allclose(predicted[left], y.mean() + whole[np.ix_(left, rest)] @ solved, atol=1e-5)


def test_all_rated_items_count_where_few_are_anchors(monkeypatch):
    monkeypatch.setattr(population, "MOST_ANCHORS", 30)
    ratings, embeddings = linear_ratings(users=6, items=400)
    truth = ratings.item_mean()
    predicted = fit_leaving_out(ratings, embeddings)[1]
    alone = fit_population(ratings.where(ratings.item < 30), embeddings).predict(embeddings)
    assert np.corrcoef(predicted, truth)[0, 1] > np.corrcoef(alone[30:], truth[30:])[0, 1] + 0.02


def test_a_single_item_has_nothing_to_be_predicted_from():
    ratings = interactions([0, 1], [0, 0], [3, 5], items=3)
    assert fit_leaving_out(ratings, np.eye(3))[1].tolist() == [0, 0, 0]


# ------------------------------------------------------------------------------------------------- what is personal

ROWS = st.lists(
    st.tuples(st.integers(0, 6), st.floats(-3, 3, allow_subnormal=False)), min_size=1, max_size=30
)  # items and surprises


@given(ROWS, st.data(), st.floats(0, 4), st.floats(0.01, 4))
def test_the_own_rating_is_no_part_of_the_mean_of_others(rows, data, between, within):
    item, surprise = np.array([i for i, _ in rows]), np.array([value for _, value in rows])
    before = shrunken_others_mean(item, surprise, between, within)
    row = data.draw(st.integers(0, len(rows) - 1))
    surprise[row] += 10
    after = shrunken_others_mean(item, surprise, between, within)
    assert after[row] == pytest.approx(before[row], abs=1e-9)
    alone = np.bincount(item)[item] == 1
    np.testing.assert_allclose(before[alone], 0, atol=1e-9)


@given(ROWS)
def test_the_mean_of_others_is_shrunk_towards_zero(rows):
    item, surprise = np.array([i for i, _ in rows]), np.array([value for _, value in rows])
    shrunk, whole = shrunken_others_mean(item, surprise, 1.0, 2.0), shrunken_others_mean(item, surprise, 1.0, 0.0)
    raters = np.bincount(item)[item] - 1
    np.testing.assert_allclose(shrunk, whole * raters / (raters + 2), atol=1e-9)
    assert not shrunken_others_mean(item, surprise, 0.0, 1.0).any()


@given(ROWS)
def test_variances_are_shares_of_the_whole(rows):
    item, surprise = np.array([i for i, _ in rows]), np.array([value for _, value in rows])
    between, within = variance_components(item, surprise)
    assert between >= 0 and within >= 0
    assert between + within == pytest.approx((surprise**2).mean())


def test_variances_of_known_effects_are_found():
    rng = np.random.default_rng(5)
    item = np.repeat(np.arange(4000), rng.integers(1, 4, 4000))
    surprise = 0.7 * rng.normal(size=4000)[item] + 1.2 * rng.normal(size=len(item))
    assert variance_components(item, surprise) == (pytest.approx(0.49, abs=0.06), pytest.approx(1.44, abs=0.06))


@pytest.mark.parametrize("raters", [1, 2])
def test_a_rating_of_few_is_as_personal_as_it_is(raters):
    """With one rater per item a mean that contains the own rating leaves zeros, with two the half."""
    rng = np.random.default_rng(2)
    users, items = 40, 1000
    user, item = np.repeat(np.arange(users), items * raters // users), np.repeat(np.arange(items), raters)
    user = rng.permuted(user)
    personal = rng.normal(size=len(user))
    ratings = interactions(user.tolist(), item.tolist(), 4 + personal, users, items)
    left = personal_ratings(ratings, rng.normal(size=(items, 3)))
    assert np.corrcoef(left, personal)[0, 1] > 0.95 and left.std() > 0.95


def test_lenience_and_the_order_of_rows_change_nothing():
    rng = np.random.default_rng(3)
    user, item = rng.permuted(np.repeat(np.arange(9), 20)), rng.integers(0, 60, 180)
    rating, embeddings = rng.normal(size=180), rng.normal(size=(60, 4))
    ratings = interactions(user.tolist(), item.tolist(), rating, 9, 60)
    left = personal_ratings(ratings, embeddings)
    lenient = interactions(user.tolist(), item.tolist(), rating + np.arange(9)[user], 9, 60)
    np.testing.assert_allclose(personal_ratings(lenient, embeddings), left, atol=1e-8)
    order = rng.permutation(180)
    np.testing.assert_allclose(personal_ratings(ratings.where(order), embeddings), left[order], atol=1e-8)


def test_a_rated_item_is_liked_as_much_as_predicted_and_rated():
    """Few ratings move the prediction a little, many ratings move it to their mean."""
    ratings, embeddings = linear_ratings(users=30, items=80)
    noise = np.random.default_rng(0).normal(size=ratings.rating.shape)
    ratings = interactions(ratings.user, ratings.item, ratings.rating + 3 * noise, 30, 80)
    few = np.flatnonzero((ratings.item % 2 == 0) | (ratings.user < 2))
    part = ratings.where(few)
    predicted, scores, value = fit_leaving_out(part, embeddings)[1], population_scores(part, embeddings), np.zeros(80)
    targets = item_targets(part)
    value[targets.item] = targets.value
    moved = (scores - predicted) / (value - predicted)
    assert ((moved > 0) & (moved < 1)).all() and moved[1::2].max() < moved[::2].min()
