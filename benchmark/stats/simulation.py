"""Synthetic users, sets and generators whose true effects are known, to check the level of tests and the coverage.

Every score has variance 1 before leniency and quality are added. *Correlation* is that of two images of one set by
one judge, with every user's level taken out. Because of it the single images of a set are not independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr

from benchmark.stats.personalisation import comparable
from rebeca.arrays import Bools, Floats, Ints

TASTE_DIMS = 8
"""Tastes are directions in a space of few dimensions, so that judges resemble each other, as real ones do."""
LENIENCY = 1.0
QUALITY = 0.5
STRENGTH_SPREAD = 0.75
"""Skewed users: standard deviation of the logarithm of how strong a user's taste is."""
UNEQUAL_SPREAD = 0.5
"""Standard deviation of the logarithm of how much a user's scores vary."""
OWN_CANDIDATES = "per-user candidates"
"""Retrieval: users may be shown the items that they did not rate in training, by ratings of the others."""
CANDIDATES_PER_IMAGE, RATED = 50, 0.2
"""Items per image of a user, and the share of them that a user rated."""
RATING_NOISE, POPULARITY = 0.5, 0.5
CONDITIONS = (
    "equal",
    "leniency",
    "quality",
    "quality by leniency",
    "images by leniency",
    "images by quality",
    "skewed",
    OWN_CANDIDATES,
)
"""What differs between users apart from what is tested."""
NO_FORMULA = ("quality by leniency", OWN_CANDIDATES)
"""Conditions whose true lift is 0 where 0 is planted, and has no formula elsewhere."""
GENERATOR_CONDITIONS = (
    "equal", "leniency", "unequal spread", "images by leniency", "images by quality", "skewed",
    "skewed, unequal scales",
)  # fmt: skip
SHARED_FITS, UNEQUAL_FITS, ONE_UNEVEN, OWN_PROCEDURES = "shared fits", "unequal fits", "one uneven", "own procedures"
FIT_CONDITIONS = ("own fits", SHARED_FITS, UNEQUAL_FITS, ONE_UNEVEN, OWN_PROCEDURES)
"""Every generator has its own fits; two and two share them; fits of the later half vary more; those of the last vary
much more; no two generators are fitted alike."""
GENERATORS = 4
SCALES = (1.0, 1.0, 3.0, 9.0)
"""Of four generators' noise, where scales are unequal."""
COMMON = 0.9
"""Share of the variance between fits that generators with shared fits have in common."""
UNEQUAL = {UNEQUAL_FITS: (0.4, 0.4, 1.6, 1.6), ONE_UNEVEN: (4 / 19, 4 / 19, 4 / 19, 64 / 19)}
"""Variance between the fits of four generators, over its mean."""
AUC_GAP, AUC_GAP_SPREAD = 1.0, 0.5


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of a task.

    Attributes:
        users: Users.
        images: Images per user.
        correlation: Of two images of one set for one judge, 0 to 1.
    """

    users: int
    images: int
    correlation: float

    def __post_init__(self) -> None:
        if self.users < 2 or self.images < 1 or not 0 <= self.correlation < 1:
            raise ValueError(
                f"two or more users, one or more images, and a correlation in [0, 1) are needed, got {self}"
            )


def image_counts(shape: Shape, tied_to: Floats | None) -> Ints:
    """Int [users]; the shape's number, or half as many more or fewer for the upper and lower half of ``tied_to``."""
    if tied_to is None:
        return np.full(shape.users, shape.images)
    few = max(1, shape.images // 2)
    upper = np.argsort(np.argsort(tied_to, kind="stable"), kind="stable") >= shape.users // 2
    return np.where(upper, shape.images + few, few)


def skewed_noise(rng: np.random.Generator, size: tuple[int, ...]) -> Floats:
    """Lognormal noise of mean 0 and variance 1; its skewness is 6.2."""
    return np.asarray((np.exp(rng.normal(size=size)) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e))


def simulate_sets(shape: Shape, condition: str, lift: float, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Scores by every user of the images of every user.

    Args:
        shape: The task's shape.
        condition: One of :data:`CONDITIONS`.
        lift: True personal lift; exact but in the conditions of :data:`NO_FORMULA`. There it is on a scale of
            probabilities, or the weight of the user's own taste in the choice of items.
        rng: Random numbers.

    Returns:
        float [users, images of all] and int [images of all], for whom each image was made. Scores are NaN that are not
        to be compared with those of the user's own images.
    """
    if condition == OWN_CANDIDATES:
        return simulate_retrieval(shape, lift, rng)
    users, rho = shape.users, shape.correlation
    leniency = rng.normal(size=users) * LENIENCY if condition != "equal" else np.zeros(users)
    quality = QUALITY * leniency if condition == "quality by leniency" else np.zeros(users)
    if condition in ("quality", "images by quality"):
        quality = rng.normal(size=users) * QUALITY
    tied = {"images by leniency": leniency, "images by quality": quality}.get(condition)
    owner = np.repeat(np.arange(users), image_counts(shape, tied))
    strength = np.ones(users)
    if condition == "skewed":  # mean square 1
        strength = np.exp(rng.normal(size=users) * STRENGTH_SPREAD - STRENGTH_SPREAD**2)
    taste = rng.normal(size=(users, TASTE_DIMS)) * strength[:, None]
    look = np.sqrt(rho) * rng.normal(size=(users, TASTE_DIMS))[owner]
    look += np.sqrt(1 - rho) * rng.normal(size=(len(owner), TASTE_DIMS))
    look += lift * taste[owner] / np.sqrt(TASTE_DIMS)
    scores = taste @ look.T / np.sqrt(TASTE_DIMS) + leniency[:, None] + quality[owner][None, :]
    if condition == "skewed":
        scores += skewed_noise(rng, (len(owner),))[None, :]
    return (expit(scores) if condition == "quality by leniency" else scores), owner


def simulate_retrieval(shape: Shape, weight: float, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Sets of items that other users rated highest, out of those that the user did not rate.

    Without regard to the user (weight 0), nobody's set is personal. Yet a user's own ratings raise the items of other
    users' sets, and never those of the user's own set. The correlation of ``shape`` plays no part.

    Args:
        shape: The task's shape.
        weight: Of the user's own taste, seen with noise, in the choice.
        rng: Random numbers.

    Returns:
        As :func:`simulate_sets`.
    """
    users, items = shape.users, CANDIDATES_PER_IMAGE * shape.images
    look = rng.normal(size=(items, TASTE_DIMS))
    utility = rng.normal(size=(users, TASTE_DIMS)) @ look.T / np.sqrt(TASTE_DIMS)
    utility += POPULARITY * rng.normal(size=items)
    rated = rng.random((users, items)) < RATED
    ratings = np.where(rated, utility + RATING_NOISE * rng.normal(size=utility.shape), 0.0)
    score = ratings.sum(axis=0) / (1 + rated.sum(axis=0)) + weight * (utility + rng.normal(size=utility.shape))
    shown = np.argsort(np.where(rated, np.inf, -score), axis=1, kind="stable")[:, : shape.images].ravel()
    owner = np.repeat(np.arange(users), shape.images)
    return np.where(comparable(~rated[:, shown], owner), utility[:, shown], np.nan), owner


def simulate_generators(shape: Shape, condition: str, offsets: Floats, rng: np.random.Generator) -> Floats:
    """Float [generators, users, most images]; own scores, NaN beyond a user's number of images.

    Args:
        shape: The task's shape.
        condition: One of :data:`GENERATOR_CONDITIONS`.
        offsets: float [generators]; true means.
        rng: Random numbers.
    """
    users, rho = shape.users, shape.correlation
    leniency = rng.normal(size=users) * LENIENCY if condition != "equal" else np.zeros(users)

    def noise(*size: int) -> Floats:
        return skewed_noise(rng, size) if condition.startswith("skewed") else rng.normal(size=size)

    sets = np.sqrt(rho) * noise(len(offsets), users, 1)
    tied = {"images by leniency": leniency, "images by quality": sets.mean(axis=(0, 2))}.get(condition)
    counts = image_counts(shape, tied)
    most = int(counts.max())
    scores = sets + np.sqrt(1 - rho) * noise(len(offsets), users, most)
    if condition == "unequal spread":
        scores *= np.exp(rng.normal(size=(1, users, 1)) * UNEQUAL_SPREAD)
    if condition == "skewed, unequal scales":
        scores *= np.array(SCALES)[:, None, None]
    scores += leniency[None, :, None] + offsets[:, None, None]
    scores[:, np.arange(most)[None, :] >= counts[:, None]] = np.nan
    return np.asarray(scores)


def simulate_fits(
    shape: Shape, fits: int, variance: float, condition: str, offsets: Floats, rng: np.random.Generator
) -> Floats:
    """float64 [generators, fits, users]; each user's mean over the images of one fit.

    Args:
        shape: The task's shape; its images are a multiple of the fits, which share them.
        fits: Fits per generator.
        variance: Variance between fits, as a multiple of that between users.
        condition: One of :data:`FIT_CONDITIONS`, or any other word for own fits.
        offsets: float [generators]; true means; of an even number of generators where two and two share fits, of four
            where variances differ.
        rng: Random numbers.
    """
    if shape.images % fits:
        raise ValueError(f"{shape.images} images per user are no multiple of {fits} fits")
    count, rho = len(offsets), shape.correlation
    effects = rng.normal(size=(count, fits))
    if condition == SHARED_FITS:
        common = np.repeat(rng.normal(size=(count // 2, fits)), 2, axis=0)
        effects = np.sqrt(COMMON) * common + np.sqrt(1 - COMMON) * effects
    effects *= np.sqrt(UNEQUAL.get(condition, (1.0,) * count))[:, None]
    scores = np.sqrt(rho) * rng.normal(size=(count, 1, shape.users))
    scores = scores + np.sqrt((1 - rho) * fits / shape.images) * rng.normal(size=(count, fits, shape.users))
    return np.asarray(scores + np.sqrt(rho * variance) * effects[:, :, None] + offsets[:, None, None])


def simulate_ratings(shape: Shape, rows: int, rng: np.random.Generator) -> tuple[Ints, Bools, Floats]:
    """Held-out ratings and a verifier's scores: user, liked, score of every row.

    A liked image scores higher by a gap that differs between users; levels differ as well, with the shape's
    correlation. True AUCs are in :func:`true_auc`.
    """
    user = np.repeat(np.arange(shape.users), rows)
    liked = rng.random(len(user)) < 0.5
    gap = AUC_GAP + AUC_GAP_SPREAD * rng.normal(size=shape.users)
    level = rng.normal(size=shape.users) * np.sqrt(shape.correlation / (1 - shape.correlation))
    return user, liked, gap[user] * liked + level[user] + rng.normal(size=len(user))


def true_auc(correlation: float) -> tuple[float, float]:
    """AUC within user and pooled over many users, of :func:`simulate_ratings`."""
    within = AUC_GAP / np.sqrt(2 + AUC_GAP_SPREAD**2)
    pooled = AUC_GAP / np.sqrt(2 + AUC_GAP_SPREAD**2 + 2 * correlation / (1 - correlation))
    return float(ndtr(within)), float(ndtr(pooled))


def simulate_scorers(shape: Shape, agreement: float, rng: np.random.Generator) -> tuple[Ints, Floats, Floats]:
    """Two scorers' scores of the same images: user, first, second; true pooled correlation ``agreement``."""
    user = np.repeat(np.arange(shape.users), shape.images)
    both = np.sqrt(shape.correlation) * rng.normal(size=(2, shape.users))[:, user]
    both += np.sqrt(1 - shape.correlation) * rng.normal(size=(2, len(user)))
    return user, both[0], agreement * both[0] + np.sqrt(1 - agreement**2) * both[1]


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How a simulated generator orders the held-out items; scores are jointly normal with the ratings.

    Attributes:
        shared: Weight of what all users share in an item's rating.
        own: Weight of what is the user's own.
        noise: Standard deviation of what has nothing to do with ratings, and differs between users and items.
    """

    shared: float
    own: float
    noise: float


RETRIEVALS = {
    "random": Retrieval(0.0, 0.0, 1.0),
    "most liked": Retrieval(1.0, 0.0, 0.0),
    "personal": Retrieval(1.0, 1.0, 1.0),
}
ITEM_SPREAD, OWN_SPREAD = 0.7, 0.7
"""Standard deviations, between items of what users share, and between users and items of the rest."""


def simulate_drawn_items(shape: Shape, items: int, name: str, rng: np.random.Generator) -> tuple[Floats, Ints, float]:
    """Ratings of held-out items by all users, and the best items of a generator, where users and items are both drawn.

    For calibration with ``items`` of 25 and 100: ``retrieval_effects(ratings[users, chosen], chosen)`` and
    ``item_variance`` with ``{0: items}`` candidates give the variance between items, ``widened`` the interval that must
    hold the true mean. Two calls with one ``rng`` are two draws; two names with equal streams share users and items,
    so that their difference has the difference of the true means.

    Args:
        shape: Users and images per user, which are those best in the generator's order.
        items: Held-out items.
        name: A key of :data:`RETRIEVALS`.
        rng: Random numbers.

    Returns:
        float64 [users, items], int [users, images] from the best down, and the true mean rating of the images over
        many draws of users and items.
    """
    rule = RETRIEVALS[name]
    shared = ITEM_SPREAD * rng.normal(size=items)
    own = OWN_SPREAD * rng.normal(size=(shape.users, items))
    level = LENIENCY * rng.normal(size=shape.users)
    scores = rule.shared * shared + rule.own * own + rule.noise * rng.normal(size=own.shape)
    chosen = np.argsort(-scores, axis=1, kind="stable")[:, : shape.images]
    spread = np.sqrt((rule.shared * ITEM_SPREAD) ** 2 + (rule.own * OWN_SPREAD) ** 2 + rule.noise**2)
    slope = (rule.shared * ITEM_SPREAD**2 + rule.own * OWN_SPREAD**2) / spread
    return level[:, None] + shared + own, chosen, float(slope * mean_of_highest(items, shape.images))


def mean_of_highest(n: int, k: int) -> float:
    """Expected mean of the ``k`` highest of ``n`` standard normal numbers, by quadrature."""
    from scipy.special import gammaln

    x = np.linspace(-8.0, 8.0, 4001)
    rank = np.arange(n - k + 1, n + 1)[:, None]
    log_density = gammaln(n + 1) - gammaln(rank) - gammaln(n - rank + 1) - x**2 / 2 - 0.5 * np.log(2 * np.pi)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_density = log_density + (rank - 1) * np.log(ndtr(x)) + np.where(rank < n, (n - rank) * np.log(ndtr(-x)), 0)
    return float((x * np.exp(log_density)).sum() * (x[1] - x[0]) / k)
