"""The original entry points."""

import numpy as np
import pytest

from rebeca import NCF, DataError, SpecError, train_ncf
from rebeca.ncf.api import _training_rows
from tests.builders import linear_ratings


def test_original_entry_points(tmp_path):
    ratings, embeddings = linear_ratings()
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


def test_items_rated_twice_are_told_by_their_embeddings():
    ratings, embeddings = linear_ratings()
    rows, _ = _training_rows(ratings.user, np.asfortranarray(embeddings[ratings.item]), ratings.liked, None)
    assert len(rows.table) == len(np.unique(ratings.item))
    np.testing.assert_array_equal(rows.table[rows.item], embeddings[ratings.item])


def test_bad_input_to_the_entry_points():
    with pytest.raises(DataError, match="U: expected 2 whole numbers"):
        train_ncf(np.zeros(3, int), np.zeros((2, 4)), np.zeros(3))
    bad = np.zeros((3, 4))
    bad[1, 2] = np.nan
    with pytest.raises(DataError, match="row 1"):
        train_ncf(np.zeros(3, int), bad, np.zeros(3))


E = np.random.default_rng(0).normal(size=(20, 4))
U = np.repeat([0, 1], 10)


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"U": U - 1}, DataError, "U: row 0 holds -1"),
        ({"U": U.astype(float)}, DataError, "U: expected 20 whole numbers and at least one, found float64"),
        ({"Y": np.full(20, 0.5)}, DataError, "Y: expected 0 or 1"),
        ({"Y": np.full(20, np.nan)}, DataError, "Y: expected 0 or 1"),
        ({"U": [0], "E": E[:1], "Y": [1]}, DataError, "a single rating"),
        ({"num_users": 1}, DataError, "num_users is 1, but U holds 1"),
        ({"lr": float("nan")}, SpecError, "train_ncf.lr: not a finite number"),
        ({"d": 0}, SpecError, "train_ncf.d: input should be greater"),
        ({"device": "cuda:99"}, SpecError, "device: cuda:99 cannot be used"),
    ],
)
def test_impossible_calls_of_train_ncf(given, kind, message):
    with pytest.raises(kind) as caught:
        train_ncf(**{"U": U, "E": E, "Y": U, "epochs": 1, **given})
    assert message in str(caught.value)


def test_impossible_questions_to_a_network(tmp_path):
    ncf = NCF().fit(U, E, U, grid={}, d=4, mlp_layers=[4], epochs=1)
    for users, table in (([2], E[:1]), ([0], E[:1, :3])):
        with pytest.raises(DataError, match="the network knows users 0 to 1 and 4 numbers per item"):
            ncf.predict(users, table)
    assert set(ncf.score([0, 1, 1], E[:3])) == {0, 1}
    with pytest.raises(SpecError, match="holds no NCF that can be read"):
        NCF().load(tmp_path)
