import numpy as np
from rebeca.testing import DatasetContract

from my_plugin import MyPlugin, draw_gratings, taste


class TestContract(DatasetContract):
    """What every data set must do: shapes, ids, ratings on the scale, the same each time."""

    plugin = MyPlugin


def test_users_like_their_own_angle_best() -> None:
    ratings = taste(np.array([30.0]), np.array([30.0, 75.0, 120.0, 210.0]))
    assert np.allclose(ratings, [5, 3, 1, 5])


def test_gratings_at_right_angles_are_turned_images() -> None:
    upright, flat = draw_gratings(np.array([0.0, 90.0]))
    assert np.allclose(upright, flat.transpose(1, 0, 2), atol=1)
