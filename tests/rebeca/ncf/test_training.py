"""Weights of users in training."""

import numpy as np
import pytest

from rebeca.ncf.training import equal_user_weights


def test_every_user_has_equal_weight():
    user = np.array([0, 0, 0, 2])
    weights = equal_user_weights(user, 3)
    assert np.bincount(user, weights=weights).tolist() == pytest.approx([0.5, 0, 0.5])
