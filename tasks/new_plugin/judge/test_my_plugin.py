import numpy as np
from rebeca.testing import JudgeContract

from my_plugin import MyPlugin, like_share


class TestContract(JudgeContract):
    """What every judge must do: shapes, probabilities, order of users, save and load."""

    plugin = MyPlugin


def test_near_ratings_decide() -> None:
    rated = np.array([[0.0], [0.1], [5.0], [5.1]])
    liked = np.array([True, True, False, False])
    shares = like_share(np.array([[0.0], [5.0]]), rated, liked, neighbours=2)
    assert shares.tolist() == [0.75, 0.25]
