import numpy as np
import pytest

from rebeca.worlds.sprites import (
    LIKE_PROBABILITY,
    SpritesParams,
    exact_values,
    like_probability,
    make_sprites,
    render,
)


def test_exact_values_are_those_of_the_published_world():
    exact = exact_values()
    assert exact["top-utility"] == pytest.approx(0.819, abs=5e-4)
    assert exact["ground-truth"] == pytest.approx(0.795, abs=5e-4)


def test_everybody_rates_everything_as_the_probabilities_say():
    data = make_sprites(SpritesParams(sprites=100, users_per_taste=3, seed=1))
    assert (data.ratings.num_users, data.ratings.num_items, len(data.ratings)) == (12, 400, 4800)
    rates = data.ground_truth.utility(data.ratings.user, data.ratings.item)
    for p in LIKE_PROBABILITY:
        own = data.ratings.liked[rates == p]
        assert own.mean() == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / len(own)))


def test_like_probability_counts_matches():
    table = like_probability(np.arange(4)[:, None], np.arange(4))
    np.testing.assert_allclose(np.diag(table), 0.95)
    assert table[0, 3] == 0.01
    assert table[0, 1] == table[0, 2] == 0.10


def test_images_show_their_shape_and_colour():
    pixels = render(np.repeat(np.arange(4), 50), np.random.default_rng(0)).astype(float)
    red, blue = pixels[..., 0].sum(axis=(1, 2)), pixels[..., 2].sum(axis=(1, 2))
    colour = np.repeat(np.arange(4), 50) % 2
    assert ((blue > red) == (colour == 1)).all()
    assert pixels[..., 1].max() == 0
    area = np.maximum(red, blue) / 255
    square = np.repeat(np.arange(4), 50) // 2 == 1
    np.testing.assert_allclose(area[square], 576, rtol=0.02)  # 24 x 24
    assert area[~square].std() < 10  # a shape has one size wherever it lies


def test_equal_seeds_draw_equal_worlds():
    a, b, c = (make_sprites(SpritesParams(20, 1, seed)) for seed in (3, 3, 4))
    assert a.fingerprint() == b.fingerprint() != c.fingerprint()
