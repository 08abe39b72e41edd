"""KID and CMMD by hand, by loops over pairs, and on sets that are alike or not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebeca.arrays import unit_rows
from rebeca.scorers.realism import KernelDistance, cmmd, gaussian_kernel, kid, polynomial_kernel

NUMBERS = st.integers(-5, 5).map(float)


def column(*numbers):
    return np.array(numbers, float)[:, None]


def product(x, y):
    return x @ y.T


def by_pairs(vectors, owner, reference, kernel, same):
    """The squared MMD as a sum over pairs, one by one."""
    users = sorted(set(owner))
    sets = [[i for i in range(len(owner)) if owner[i] == user] for user in users]
    k = lambda x, y: float(kernel(x[None].astype(float), y[None].astype(float))[0, 0])  # noqa: E731
    between = [
        math.fsum(k(vectors[i], vectors[j]) for i in one for j in other) / len(one) / len(other)
        for one in sets
        for other in sets
        if one is not other
    ]
    across = []
    for one in sets:
        means = []
        for i in one:
            pairs = [k(vectors[i], reference[r]) for r in range(len(reference)) if r != same[i]]
            means.append(math.fsum(pairs) / len(pairs))
        across.append(math.fsum(means) / len(means))
    m = len(reference)
    within = math.fsum(k(reference[r], reference[s]) for r in range(m) for s in range(m) if r != s) / (m * (m - 1))
    return np.mean(between) - 2 * np.mean(across) + within


def drawn(seed, users=7, images=20, references=9, dim=3):
    rng = np.random.default_rng(seed)
    owner = rng.permutation(np.concatenate([np.arange(users), rng.integers(0, users, images - users)]))
    same = np.where(rng.random(images) < 0.3, rng.integers(0, references, images), -1)
    return rng.normal(size=(images, dim)), owner, rng.normal(size=(references, dim)) + 0.5, same


def test_values_by_hand():
    """User 0 has 1 and 3, user 2 has 4; the reference 0 and 2. The kernel is the product."""
    distance = KernelDistance(column(0, 2), product)
    assert distance.within == 0
    values = distance.by_user(column(1, 3, 4), np.array([0, 0, 2]), users=3)
    a, b = (2 * 4, 4 * 2), (2 * 1, 4 * 1)  # means of 1 and 3, of 4, and of the reference
    expected = [2 * (a[0] - b[0]) - 8, np.nan, 2 * (a[1] - b[1]) - 8]
    np.testing.assert_array_equal(values, expected)
    assert np.nanmean(values) == 8 - 2 * 3 + 0


def test_an_image_of_the_reference_is_not_compared_with_itself():
    distance = KernelDistance(column(0, 2), product)
    values = distance.by_user(column(2, 4), np.array([0, 1]), 2, same=np.array([1, -1]))
    np.testing.assert_array_equal(values, [2 * (8 - 2 * 0) - 8, 2 * (8 - 4 * 1) - 8])


def test_kid_by_hand():
    distance = kid(np.array([[1.0, 1.0], [1.0, -1.0]]))
    assert distance.within == 1
    values = distance.by_user(np.array([[1.0, 1.0], [3.0, 1.0]]), np.array([0, 1]), 2)
    a, b = 3**3, ((2**3 + 1) / 2, (3**3 + 2**3) / 2)
    np.testing.assert_allclose(values, [2 * (a - b[0]) - (a - 1), 2 * (a - b[1]) - (a - 1)])


def test_cmmd_by_hand():
    """Four directions: squared distances of 2 and 4 between unit vectors, whatever the lengths of the reference."""
    right_angle, opposite = 1000 * math.exp(-2 / 200), 1000 * math.exp(-4 / 200)
    distance = cmmd(np.array([[5.0, 0.0], [0.0, 0.1]]))
    assert distance.within == pytest.approx(right_angle)
    values = distance.by_user(np.array([[-1.0, 0.0], [0.0, -1.0]]), np.array([0, 1]), 2)
    b = (opposite + right_angle) / 2
    np.testing.assert_allclose(values, 2 * (right_angle - b))


def test_the_published_formulas():
    """The kernels of both papers, written as they stand there."""
    x, y = np.random.default_rng(0).normal(size=(2, 4, 6))
    np.testing.assert_allclose(polynomial_kernel(x, y), (x @ y.T / 6 + 1) ** 3)
    distances = np.linalg.norm(x[:, None] - y[None], axis=2)
    np.testing.assert_allclose(gaussian_kernel(x, y), np.exp(-(distances**2) / (2 * 10**2)))


@pytest.mark.parametrize("make", [kid, cmmd], ids=["kid", "cmmd"])
@given(seed=st.integers(0, 1000), some_are_items=st.booleans())
def test_the_mean_over_users_is_the_squared_mmd(make, seed, some_are_items):
    vectors, owner, reference, same = drawn(seed)
    same = same if some_are_items else np.full(len(owner), -1)
    distance = make(reference)
    expected = by_pairs(vectors, owner, distance.reference, distance.kernel, same)
    assert distance.by_user(vectors, owner, 7, same).mean() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(st.integers(0, 1000), st.integers(1, 30))
def test_blocks_change_nothing_but_rounding(seed, block):
    vectors, owner, reference, same = drawn(seed)
    whole = KernelDistance(reference, polynomial_kernel).by_user(vectors, owner, 7, same)
    parts = KernelDistance(reference, polynomial_kernel, block).by_user(vectors, owner, 7, same)
    np.testing.assert_allclose(parts, whole, rtol=1e-10, atol=1e-10)


@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_order_of_users_images_and_references_plays_no_part(seed, random):
    vectors, owner, reference, same = drawn(seed)
    values = kid(reference).by_user(vectors, owner, 7, same)
    images, users, references = (random.sample(range(n), n) for n in (20, 7, 9))
    renamed, placed = np.argsort(users), np.append(np.argsort(references), -1)
    turned = kid(reference[references]).by_user(vectors[images], renamed[owner[images]], 7, placed[same[images]])
    np.testing.assert_allclose(turned, values[users], rtol=1e-10, atol=1e-10)


@given(st.lists(NUMBERS, min_size=2, max_size=6), st.lists(NUMBERS, min_size=2, max_size=6))
def test_users_count_equally_however_many_images_they_have(some, reference):
    """A user's images twice are the user's images once."""
    owner = np.arange(len(some))
    distance = kid(column(*reference))
    once = distance.by_user(column(*some), owner, len(some))
    twice = distance.by_user(column(*some, *some[:1] * 3), np.append(owner, [0, 0, 0]), len(some))
    np.testing.assert_allclose(twice, once, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("make", [kid, cmmd], ids=["kid", "cmmd"])
def test_sets_that_are_alike_are_at_no_distance_on_average(make):
    """Over draws of users and of the reference, the mean is 0. Images from elsewhere are far away in every draw."""
    alike, far = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        distance = make(rng.normal(size=(30, 4)))
        images, owner = rng.normal(size=(60, 4)), np.repeat(np.arange(20), 3)
        of = (lambda x: x) if make is kid else unit_rows
        alike.append(distance.by_user(of(images), owner, 20).mean())
        far.append(distance.by_user(of(images + 2), owner, 20).mean())
    error = np.std(alike) / np.sqrt(60)
    assert abs(np.mean(alike)) < 3 * error
    assert min(far) > 10 * error


def test_too_few_users_or_references_have_no_value():
    distance = kid(column(0, 1))
    assert np.isnan(distance.by_user(column(1, 2), np.array([1, 1]), 3)).all()
    assert np.isnan(distance.by_user(np.zeros((0, 1)), np.zeros(0, int), 2)).all()
    assert np.isnan(distance.by_user(column(1, 2), np.array([0, 2]), 3)).tolist() == [False, True, False]
    for reference in (column(1), np.zeros((0, 1))):
        with np.errstate(all="raise"):
            assert np.isnan(kid(reference).by_user(column(1, 2), np.array([0, 1]), 2)).all()


def test_single_precision_loses_little():
    vectors, owner, reference, same = drawn(3)
    single = kid(reference.astype(np.float32)).by_user(vectors.astype(np.float32), owner, 7, same)
    np.testing.assert_allclose(single, kid(reference).by_user(vectors, owner, 7, same), rtol=1e-4)
    assert single.dtype == np.float64
