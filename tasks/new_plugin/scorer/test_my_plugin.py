import numpy as np
from rebeca.testing import ScorerContract

from my_plugin import MyPlugin, mean_of_highest


class TestContract(ScorerContract):
    """What every scorer must do: shapes, order, batches, numbers or NaN."""

    plugin = MyPlugin


def test_only_the_highest_numbers_of_a_row_count() -> None:
    values = np.array([[1.0, 3.0, 2.0], [4.0, 4.0, 4.0]])
    assert mean_of_highest(values, 2).tolist() == [2.5, 4.0]
    assert mean_of_highest(values, 9).tolist() == [2.0, 4.0]
