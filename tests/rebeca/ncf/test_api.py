"""The original entry points."""

import numpy as np
import pytest

from rebeca import NCF, DataError, train_ncf
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


def test_bad_input_to_the_entry_points():
    with pytest.raises(DataError, match="equal lengths"):
        train_ncf(np.zeros(3, int), np.zeros((2, 4)), np.zeros(3))
    bad = np.zeros((3, 4))
    bad[1, 2] = np.nan
    with pytest.raises(DataError, match="row 1"):
        train_ncf(np.zeros(3, int), bad, np.zeros(3))
