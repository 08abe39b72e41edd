"""Where users' rows of the prior start."""

import numpy as np
import pytest

from rebeca.taste import taste_rows
from tests.builders import grid, interactions


@pytest.mark.parametrize("width", [3, 4, 9])
def test_rows_have_unit_variance_and_keep_who_is_like_whom(width):
    train = grid(users=30, items=60)
    points = np.random.default_rng(1).normal(size=(60, 4)) * [1, 10, 0.1, 1]
    rows = taste_rows(train, points, width, 30.0, 5)
    assert rows.shape == (30, width) and rows.dtype == np.float32
    assert rows.std() == pytest.approx(1, abs=0.35)
    assert np.array_equal(rows, taste_rows(train, points, width, 30.0, 5))
    assert not np.array_equal(rows, taste_rows(train, points, width, 30.0, 6))
    if width >= 4:  # a rotation moves all users alike, so that distances stay
        other = taste_rows(train, points, width, 30.0, 6)
        spread = [np.linalg.norm(some[:, None] - some[None], axis=2) for some in (rows, other)]
        np.testing.assert_allclose(spread[0], spread[1], atol=1e-3)


def test_a_direction_that_never_changes_is_harmless():
    points = np.ones((60, 2))
    points[:, 0] = np.random.default_rng(0).normal(size=60)
    assert np.isfinite(taste_rows(grid(10, 60), points, 4, 30.0, 0)).all()


def test_rows_know_users_where_nobody_else_rated_their_items():
    rng = np.random.default_rng(0)
    user, item = rng.permuted(np.repeat(np.arange(6), 10)), np.arange(60)
    rows = taste_rows(interactions(user, item, rng.normal(size=60)), rng.normal(size=(60, 3)), 4, 30.0, 0)
    assert len(np.unique(rows, axis=0)) == 6 and rows.std() == pytest.approx(1, abs=0.35)
