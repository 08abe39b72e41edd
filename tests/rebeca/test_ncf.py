import numpy as np
import pytest
import torch

from rebeca.data.interactions import Interactions
from rebeca.data.splits import Part
from rebeca.errors import DataError
from rebeca.ncf.api import NCF, train_ncf
from rebeca.ncf.model import NCFShape, build_ncf
from rebeca.ncf.options import VerifierParams
from rebeca.ncf.training import equal_user_weights
from rebeca.ncf.verifier import Verifier, held_back
from rebeca.population import fit_population, out_of_fold, population_scores
from rebeca.taste import ridge_by_user


def world(users=20, items=60, seed=0):
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(items, 6)).astype(np.float32)
    utility = rng.normal(size=(users, 6)) @ embeddings.T + 1.5 * embeddings[:, 0]
    user, item = np.divmod(np.arange(users * items), items)
    rating = np.clip(np.round(4 + utility.ravel()), 1, 7)
    ids = tuple(f"u{i}" for i in range(users)), tuple(f"i{i}" for i in range(items))
    return Interactions(user, item, rating, rating >= 5, *ids), embeddings


def test_published_size():
    model = build_ncf(NCFShape(210, 1280, 480, (128, 128)), 0)
    assert sum(p.numel() for p in model.parameters()) == 1_572_980


@pytest.mark.parametrize(
    "shape", [NCFShape(7, 5, 6, (8, 4)), NCFShape(7, 5, 6, ()), NCFShape(7, 5, 6, (8,), population=True)]
)
def test_all_pairs_equals_single_pairs(shape):
    model = build_ncf(shape, 0).eval()
    e, p = torch.randn(11, 5), torch.randn(11) if shape.population else None
    users, items = torch.meshgrid(torch.arange(7), torch.arange(11), indexing="ij")
    direct = model(users.ravel(), e[items.ravel()], None if p is None else p[items.ravel()]).view(7, 11)
    torch.testing.assert_close(model.all_pairs(e, p), direct, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model.all_pairs(e, p, torch.tensor([4, 2])), direct[[4, 2]], atol=1e-5, rtol=1e-5)


def test_every_person_has_equal_weight():
    user = np.array([0, 0, 0, 2])
    weights = equal_user_weights(user, 3)
    assert np.bincount(user, weights=weights).tolist() == pytest.approx([0.5, 0, 0.5])


def test_original_entry_points(tmp_path):
    ratings, embeddings = world()
    table = embeddings[ratings.item]
    model, history = train_ncf(
        U=ratings.user, E=table, Y=ratings.liked, d=8, mlp_layers=[8], lr=1e-2, epochs=150, device="cpu"
    )
    assert history.validation[-1] < history.validation[0]
    assert model.shape.mlp_layers == (8,)
    grid = {"d": [4], "lr": [1e-2, 1e-5]}
    ncf = NCF().fit(ratings.user, table, ratings.liked, grid=grid, mlp_layers=(8,), epochs=30)
    assert [row["lr"] for row in ncf.results] == [1e-2, 1e-5]
    predicted = ncf.predict(ratings.user, table)
    assert ((predicted > 0) & (predicted < 1)).all()
    scores = ncf.score(ratings.user, table)
    own = predicted[ratings.user == 3]
    assert scores[3]["avg"] == pytest.approx(own.mean(), rel=1e-5)
    assert scores[3]["std_error"] == pytest.approx(own.std() / np.sqrt(len(own)), rel=1e-4)
    ncf.save(tmp_path / "m")
    np.testing.assert_array_equal(NCF().load(tmp_path / "m").predict(ratings.user, table), predicted)


def test_bad_input_to_the_entry_points():
    with pytest.raises(DataError, match="equal lengths"):
        train_ncf(np.zeros(3, int), np.zeros((2, 4)), np.zeros(3))
    bad = np.zeros((3, 4))
    bad[1, 2] = np.nan
    with pytest.raises(DataError, match="row 1"):
        train_ncf(np.zeros(3, int), bad, np.zeros(3))


def test_verifier_learns_keeps_and_repeats(tmp_path):
    ratings, embeddings = world()
    held = ratings.item % 5 == 0
    part = Part(ratings.where(~held & (ratings.item % 5 != 1)), ratings.where(ratings.item % 5 == 1))
    items = np.arange(60) % 5 >= 2
    params = VerifierParams(nets=2, dims=6, epochs=25, batch=128, lr=1e-2, user_weight_decay=0.01, dropout=0.1)
    verifier = Verifier(params).fit(part, embeddings, items, seed=3)
    again = Verifier(params).fit(part, embeddings, items, seed=3)
    scores = verifier.score_all(embeddings)
    np.testing.assert_array_equal(scores, again.score_all(embeddings))
    verifier.save(tmp_path)
    loaded = Verifier(params).load(tmp_path)
    np.testing.assert_allclose(loaded.score_all(embeddings), scores, atol=1e-7)
    np.testing.assert_allclose(loaded.score_all(embeddings, np.array([5, 1])), scores[[5, 1]], atol=1e-6)
    test = ratings.where(held)
    from benchmark.stats.verifier import auc_by_user

    own = np.nanmean(auc_by_user(test.user, test.liked, scores[test.user, test.item], 20))
    shuffled = np.nanmean(auc_by_user(test.user, test.liked, scores[(test.user + 7) % 20, test.item], 20))
    assert own > 0.75
    assert own > shuffled + 0.05


def test_one_class_is_refused():
    ratings, embeddings = world()
    likes = ratings.where(ratings.liked)
    with pytest.raises(DataError, match="all likes"):
        Verifier(VerifierParams()).fit(Part(likes, likes), embeddings, np.ones(60, bool), 0)


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
    with pytest.raises(DataError, match="all of one picture"):
        held_back(train.where(train.item == 2), "items", 8, 1)


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


def test_ridge_equals_scikit_learn():
    from sklearn.linear_model import Ridge

    ratings, embeddings = world()
    weights = ridge_by_user(ratings, ratings.rating, embeddings, 2.5)
    own = ratings.rows_of(4)
    expected = Ridge(alpha=2.5, fit_intercept=False).fit(embeddings[ratings.item[own]], ratings.rating[own]).coef_
    np.testing.assert_allclose(weights[4], expected, rtol=1e-6)
