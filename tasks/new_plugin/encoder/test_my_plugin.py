import numpy as np
from rebeca.testing import EncoderContract

from my_plugin import MyPlugin, colour_shares


class TestContract(EncoderContract):
    """What every encoder must do: shapes, finite numbers, batches, images of any size."""

    plugin = MyPlugin


def test_each_colour_has_its_share_of_the_pixels() -> None:
    image = np.zeros((2, 6, 3), np.uint8)
    image[:, :3, 0] = 255
    assert colour_shares(image, 2).tolist() == [0.5, 0, 0, 0, 0.5, 0, 0, 0]
