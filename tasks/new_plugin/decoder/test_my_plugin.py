import numpy as np
from rebeca.testing import DecoderContract

from my_plugin import MyPlugin, by_distance


class TestContract(DecoderContract):
    """What every decoder must do: shapes, order, seeds, batches."""

    plugin = MyPlugin


def test_the_nearest_item_comes_first() -> None:
    embeddings = np.array([[5.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    assert by_distance(embeddings, np.zeros(2)).tolist() == [2, 1, 0]
