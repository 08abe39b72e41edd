"""A world of two-dimensional embeddings, small enough to score by hand."""

from types import SimpleNamespace

import numpy as np

from rebeca.interfaces import ScoredImages


def directions(*degrees):
    """float64 [n, 2]; unit vectors, so that a cosine is that of the angle between."""
    angle = np.radians(degrees)
    return np.column_stack([np.cos(angle), np.sin(angle)])


def scored(user, embeddings=None, digest=None, item=None, pixels=None):
    """Images of users; all differ unless ``digest`` says otherwise.

    ``embeddings`` holds a table by role, or one for the task's encoder.
    """
    user = np.array(user)
    digest = tuple(map(str, range(len(user)))) if digest is None else tuple(digest)
    item = np.full(len(user), -1) if item is None else np.array(item)
    tables = embeddings if isinstance(embeddings, dict) else {"task": embeddings}
    unique = np.array([digest.index(each) for each in digest])
    return ScoredImages(
        user, np.arange(len(user)), digest, item, unique, lambda role: tables[role], lambda i: pixels[i]
    )


def context(**parts):
    """What a scorer is given, without the parts that it must not ask for."""
    return SimpleNamespace(**parts)
