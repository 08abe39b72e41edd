"""The autoencoder that a task trains."""

import numpy as np

from tests.builders import encoder, noise_images

IMAGES = noise_images()


def test_autoencoder_learns_and_repeats():
    embeddings = []
    for _ in range(2):
        ae = encoder("autoencoder:4", params={"epochs": 2, "batch": 4})
        ae.fit(IMAGES, list(range(12)), 5)
        embeddings.append(ae.encode(IMAGES))
    assert embeddings[0].shape == (12, 4)
    np.testing.assert_array_equal(*embeddings)
