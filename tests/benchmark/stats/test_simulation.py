"""What cannot be simulated is refused."""

import pytest

from benchmark.stats.simulation import Shape


@pytest.mark.parametrize(("users", "images", "correlation"), [(1, 1, 0.0), (2, 0, 0.0), (2, 1, -0.1), (2, 1, 1.0)])
def test_impossible_shapes(users, images, correlation):
    with pytest.raises(ValueError, match="two or more users, one or more images, and a correlation in"):
        Shape(users, images, correlation)
    assert Shape(2, 1, 0.0)
