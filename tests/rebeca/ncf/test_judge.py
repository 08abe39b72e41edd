"""The judges ``ncf`` and ``ncf-published`` as the harness sees them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from rebeca.data.interactions import Interactions
from rebeca.data.splits import Part
from rebeca.errors import DataError, PluginError
from rebeca.interfaces import JudgeContext
from rebeca.ncf.judge import NCFJudge, PublishedNCFJudge, held_back
from rebeca.ncf.options import PublishedVerifierParams, VerifierParams
from tests.builders import interactions, linear_ratings

USERS, ITEMS = 4, 40
RATED = 32
"""The last items have no ratings."""
SMALL = VerifierParams(nets=2, dims=0, d=4, mlp_layers=(8,), dropout=0.0, lr=0.05, user_weight_decay=0.0, epochs=30)
QUICK = replace(SMALL, epochs=2)
EMBEDDINGS = np.random.default_rng(1).normal(size=(ITEMS, 3)).astype(np.float32)
EMBEDDINGS[RATED:, 0] = np.tile([1, -1], (ITEMS - RATED) // 2)


def ratings():
    """Even users like items with a positive first number, odd users the others: nothing pleases everybody."""
    user, item = np.divmod(np.arange(USERS * RATED), RATED)
    likes = (EMBEDDINGS[item, 0] > 0) == (user % 2 == 0)
    return interactions(user, item, np.where(likes, 5, 1), USERS, ITEMS)


def part():
    rows = ratings()
    return Part(rows.where(rows.item % 4 != 0), rows.where(rows.item % 4 == 0))


def context(seed=0, **given):
    training_items = np.arange(ITEMS) < RATED
    return JudgeContext(tuple(f"u{u}" for u in range(USERS)), training_items, seed, **given)


def fitted(kind=NCFJudge, params=QUICK, embeddings=EMBEDDINGS, **given):
    judge = kind(params, context(**given))
    judge.fit(part(), embeddings)
    return judge


@pytest.fixture(scope="module")
def judge():
    return fitted(params=SMALL)


def test_each_user_gets_probabilities_of_their_own_taste(judge):
    scores = judge.score_all(EMBEDDINGS)
    assert scores.shape == (USERS, ITEMS) and scores.dtype == np.float64
    assert (scores >= 0).all() and (scores <= 1).all()
    positive, negative = np.arange(RATED, ITEMS, 2), np.arange(RATED + 1, ITEMS, 2)
    for user in range(USERS):
        liked, disliked = (positive, negative) if user % 2 == 0 else (negative, positive)
        assert scores[user, liked].mean() > scores[user, disliked].mean() + 0.2


def test_users_are_given_in_the_order_asked_for(judge):
    everybody = judge.score_all(EMBEDDINGS)
    some = judge.score_all(EMBEDDINGS, np.array([3, 0, 3]))
    np.testing.assert_allclose(some, everybody[[3, 0, 3]], atol=1e-6)


def test_an_image_is_scored_alone_as_among_others(judge):
    alone = np.concatenate([judge.score_all(EMBEDDINGS[i : i + 1]) for i in range(5)], axis=1)
    np.testing.assert_allclose(alone, judge.score_all(EMBEDDINGS)[:, :5], atol=1e-6)


def test_what_was_saved_scores_as_what_was_fitted(judge, tmp_path):
    judge.save(tmp_path)
    loaded = NCFJudge(SMALL, context(seed=9))
    loaded.load(tmp_path)
    np.testing.assert_array_equal(loaded.score_all(EMBEDDINGS), judge.score_all(EMBEDDINGS))


@pytest.mark.parametrize("kind", [NCFJudge, PublishedNCFJudge])
def test_a_judge_that_learned_nothing_says_so(kind, tmp_path):
    judge = kind(kind.Params(), context())
    for use in (lambda: judge.score_all(EMBEDDINGS), lambda: judge.save(tmp_path)):
        with pytest.raises(PluginError, match="before it was fitted or loaded"):
            use()
    assert list(tmp_path.iterdir()) == []


def test_the_seed_decides_the_fit():
    first = fitted(seed=5).score_all(EMBEDDINGS)
    np.testing.assert_array_equal(fitted(seed=5).score_all(EMBEDDINGS), first)
    assert not np.allclose(fitted(seed=6).score_all(EMBEDDINGS), first)


@pytest.mark.parametrize("dims", [0, 2])
def test_items_that_are_held_out_have_no_part_in_the_fit(dims):
    other = EMBEDDINGS.copy()
    other[RATED:] *= 100
    params = replace(QUICK, dims=dims)
    first, second = fitted(params=params), fitted(params=params, embeddings=other)
    np.testing.assert_array_equal(first.score_all(EMBEDDINGS), second.score_all(EMBEDDINGS))


def test_progress_counts_networks():
    seen = []
    fitted(params=replace(QUICK, nets=3), progress=lambda done, total, note: seen.append((done, total)))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_the_mean_is_taken_of_logits(tmp_path):
    """Networks that answer the logits 0 and 2 together answer 1, whose logistic function is 0.731."""
    fitted(params=replace(QUICK, population=False, linear_item=False)).save(tmp_path)
    path = tmp_path / "verifier.safetensors"
    tensors = {name: np.zeros_like(array) for name, array in load_file(path).items()}
    biases = [name for name, array in tensors.items() if name.startswith("net1.") and array.shape == (1,)]
    assert len(biases) == 1
    tensors[biases[0]] += 2
    save_file(tensors, path)
    judge = NCFJudge(QUICK, context())
    judge.load(tmp_path)
    np.testing.assert_allclose(judge.score_all(EMBEDDINGS), 1 / (1 + np.exp(-1)), atol=1e-7)


def test_ratings_of_one_kind_teach_nothing():
    rows = ratings()
    likes = rows.where(rows.liked)
    with pytest.raises(DataError, match="all likes or all dislikes"):
        NCFJudge(QUICK, context()).fit(Part(likes, likes), EMBEDDINGS)


def test_the_published_judge_is_one_network_of_the_published_shape(tmp_path):
    assert NCFJudge.Params is VerifierParams
    params = PublishedNCFJudge.Params()
    assert isinstance(params, PublishedVerifierParams)
    fitted(PublishedNCFJudge, replace(params, epochs=1)).save(tmp_path)
    described = json.loads((tmp_path / "verifier.json").read_text())
    assert described["nets"] == 1 and "population" not in described
    assert (described["shape"]["d"], described["shape"]["mlp_layers"]) == (480, [128, 128])
    assert described["space"]["kind"] == "none"


def test_verifier_learns_keeps_and_repeats(tmp_path):
    ratings, embeddings = linear_ratings()
    held = ratings.item % 5 == 0
    part = Part(ratings.where(~held & (ratings.item % 5 != 1)), ratings.where(ratings.item % 5 == 1))
    items = np.arange(60) % 5 >= 2
    params = VerifierParams(nets=2, dims=6, epochs=25, batch=128, lr=1e-2, user_weight_decay=0.01, dropout=0.1)
    judge, again, loaded = (NCFJudge(params, JudgeContext(ratings.user_ids, items, seed=3)) for _ in range(3))
    judge.fit(part, embeddings)
    again.fit(part, embeddings)
    scores = judge.score_all(embeddings)
    np.testing.assert_array_equal(scores, again.score_all(embeddings))
    judge.save(tmp_path)
    loaded.load(tmp_path)
    np.testing.assert_allclose(loaded.score_all(embeddings), scores, atol=1e-7)
    np.testing.assert_allclose(loaded.score_all(embeddings, np.array([5, 1])), scores[[5, 1]], atol=1e-6)
    test = ratings.where(held)
    from benchmark.stats.verifier import auc_by_user

    own = np.nanmean(auc_by_user(test.user, test.liked, scores[test.user, test.item], 20))
    shuffled = np.nanmean(auc_by_user(test.user, test.liked, scores[(test.user + 7) % 20, test.item], 20))
    assert own > 0.75
    assert own > shuffled + 0.05


def test_every_network_holds_something_back():
    """With few pictures or rows a part was empty, and the network was kept as its first epoch left it."""
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
