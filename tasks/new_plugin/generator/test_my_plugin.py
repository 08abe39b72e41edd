import numpy as np
from rebeca import Interactions
from rebeca.testing import GeneratorContract

from my_plugin import MyPlugin, means_of_likes


class TestContract(GeneratorContract):
    """What every generator must do: shapes, order, seeds, batches, save and load."""

    plugin = MyPlugin


def test_users_without_likes_get_the_mean_of_all_items() -> None:
    user, item = np.array([0, 0, 1]), np.array([0, 1, 2])
    liked = np.array([True, True, False])
    train = Interactions(
        user, item, liked * 1.0, liked, ("ann", "bob"), ("a", "b", "c")
    )
    embeddings = np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 6.0]])
    means = means_of_likes(train, embeddings, np.ones(3, bool))
    assert means.tolist() == [[1.0, 0.0], [2.0, 2.0]]
