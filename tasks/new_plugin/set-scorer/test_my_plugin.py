import numpy as np
from rebeca.testing import SetScorerContract

from my_plugin import MyPlugin, vendi_score


class TestContract(SetScorerContract):
    """What every set scorer must do: shapes, order, cards, numbers or NaN."""

    plugin = MyPlugin


def test_equal_images_count_once_and_unrelated_ones_each() -> None:
    assert np.isclose(vendi_score(np.ones((4, 3))), 1)
    assert np.isclose(vendi_score(np.eye(4)), 4)
