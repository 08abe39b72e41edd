"""A small data set of 64 x 64 images whose users like one of two colours."""

import numpy as np

from rebeca.data.dataset import Dataset
from rebeca.interfaces import GeneratorContext
from tests.builders import interactions

ITEMS, USERS = 40, 4


def small_world():
    """All ratings, and a context; embeddings are mean colours."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 90, (ITEMS, 64, 64, 3)).astype(np.uint8)
    red = np.arange(ITEMS) % 2 == 0
    pixels[red, ..., 0] += 120
    pixels[~red, ..., 2] += 120
    user, item = np.divmod(np.arange(USERS * ITEMS), ITEMS)
    rating = np.where(red[item] == (user % 2 == 0), 6, 2)
    seen = rng.random(len(user)) < 0.6
    ratings = interactions(user[seen], item[seen], rating[seen], USERS, ITEMS)
    dataset = Dataset.in_memory("Colours", pixels, ratings, scale=(1, 7))
    embeddings = pixels.mean(axis=(1, 2)).astype(np.float32)
    return ratings, GeneratorContext.alone(dataset, embeddings=embeddings)
