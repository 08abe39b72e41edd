"""Users with a known taste: each has an ideal postcard in mind and likes what comes near it.

A user's utility is ``sqrt(SHARED) * common taste + sqrt(1 - SHARED) * own taste``. A taste is a weighted sum of how
well an image matches the ideal postcard, aspect by aspect: what it shows, where and how large it is, and its colours.
No match is more than 1, so a taste has a peak, and no image can be liked without end. Everything is read from pixels,
so the utility is exact for any image. Ratings are the utility plus the user's leniency and noise, cut
into five grades.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from rebeca.arrays import Floats, Ints, Pixels
from rebeca.parallel import spread
from rebeca.seeds import seed_of
from rebeca.tinyworld.colours import COLOURS, colours
from rebeca.tinyworld.contents import CLASSES, NUMBERS
from rebeca.tinyworld.recogniser import recognise
from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import CRESCENT, FULL, GROUNDS, MEADOW, NOTHING, SIZE, SUN, as_postcards, draw_scenes

CONTENT = ("ground", "sun", "moon", "clouds", "mountains", "trees", "houses", "boats")
"""What an image shows: the land, and whether a thing is there."""
COMPOSITION = ("horizon", "place of the disc", "number of trees", "height of trees")
"""Where things are, how many, and how large."""
ASPECTS = (*CONTENT, *COMPOSITION, "colours")
GROUPS = (("content", CONTENT), ("composition", COMPOSITION), ("colours", ("colours",)))
CARES = (4.0, 1.0, 2.0)
"""Parameters of the Dirichlet distribution of a user's shares for content, composition and colours."""
SPECIAL = 1.0
"""Parameter of the Dirichlet distribution of the shares within a group; 1 lets users care for few aspects or many."""
COMMON_CARES = (0.5, 0.1, 0.4)
"""Shares of content, composition and colours in the common taste."""
SHARED = 0.2
"""Share of the common taste in the variance of a utility, were it independent of the own taste."""
NOISE = 0.5
"""Standard deviation of a rating's noise, where the utility's is 1."""
LENIENCY = 0.25
"""Standard deviation of a user's leniency."""
CUTS = (-1.3, -0.5, 0.3, 1.2)
"""Ratings 2, 3, 4 and 5 begin here."""
REACH = {
    "horizon": 1.0,
    "place of the disc": 1.0,
    "number of trees": 1.5,
    "height of trees": 1.0,
    "colours": 0.8 * np.sqrt(len(COLOURS)),
}
"""Distance from the ideal at which a match falls to exp(-1/2): in trees, in standard deviations of the statistics of
colour, otherwise in spreads of :data:`rebeca.tinyworld.contents.NUMBERS`."""
BATCH = 1000
"""Images that are compared with all ideal postcards at once."""
LEAST_SPREAD = 0.2
"""An aspect whose matches differ less than this between postcards counts less. Otherwise a match that hardly any
postcard has would outweigh all others."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What users see of n images.

    Attributes:
        ground: float64 [n, 6]; chances of every ground.
        things: float64 [n, 7]; chances that sun, moon, clouds, mountains, trees, houses and boats are there.
        horizon: float64 [n, 1]; like all places and sizes in spreads from the centre, see
            :data:`rebeca.tinyworld.contents.NUMBERS`.
        disc: float64 [n, 2]; x and y of sun or moon.
        trees: float64 [n, 1]; their expected number, 0 to 6.
        tree_height: float64 [n, 1]; of the tallest.
        colours: float64 [n, 8]; see :mod:`rebeca.tinyworld.colours`.
    """

    ground: Floats
    things: Floats
    horizon: Floats
    disc: Floats
    trees: Floats
    tree_height: Floats
    colours: Floats

    def __len__(self) -> int:
        return len(self.ground)

    def take(self, rows: Ints | slice) -> Seen:
        return Seen(*(getattr(self, f.name)[rows] for f in fields(self)))


def see(images: Iterable[Pixels]) -> Seen:
    """What users see of uint8 images [height, width, 3] of any size.

    Raises:
        ValueError: If an image is another array.
    """
    nothing = _see(np.empty((0, SIZE, SIZE, 3), np.uint8))
    return concatenated([nothing, *spread(_see, as_postcards(images))])


def concatenated(parts: Sequence[Seen]) -> Seen:
    """One after the other."""
    return Seen(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Seen)))


def _see(postcards: Pixels) -> Seen:
    read = recognise(postcards)
    disc = read.chances["disc"]
    present = [1 - read.chances[name][:, NOTHING] for name in ("clouds", "ridges", "trees", "houses", "boats")]
    number = dict(zip(NUMBERS, read.numbers.T, strict=True))
    return Seen(
        ground=read.chances["ground"],
        things=np.stack([disc[:, SUN], disc[:, FULL] + disc[:, CRESCENT], *present], axis=1),
        horizon=number["horizon"][:, None],
        disc=np.stack([number["disc x"], number["disc y"]], axis=1),
        trees=read.chances["trees"] @ np.arange(CLASSES["trees"])[:, None],
        tree_height=number["tree height"][:, None],
        colours=colours(postcards),
    )


def matches(ideals: Seen, seen: Seen) -> Floats:
    """float64 [aspects, ideals, n]; how well images match ideal postcards, 0 to 1, in the order of :data:`ASPECTS`.

    A place or a size counts where the ideal postcard has the thing, and as far as the image has it too.
    """
    sun, moon, trees = (CONTENT.index(name) - 1 for name in ("sun", "moon", "trees"))
    wanted, shown = ideals.things[:, None, :], seen.things[None, :, :]
    things = wanted * shown + (1 - wanted) * (1 - shown)
    disc = [part.things[:, sun] + part.things[:, moon] for part in (ideals, seen)]
    both_discs = disc[0][:, None] * disc[1]
    both_trees = wanted[:, :, trees] * shown[:, :, trees]
    return np.stack(
        [
            ideals.ground @ seen.ground.T,
            *np.moveaxis(things, 2, 0),
            _near(ideals.horizon, seen.horizon, REACH["horizon"]),
            both_discs * _near(ideals.disc, seen.disc, REACH["place of the disc"]),
            _near(ideals.trees, seen.trees, REACH["number of trees"]),
            both_trees * _near(ideals.tree_height, seen.tree_height, REACH["height of trees"]),
            _near(ideals.colours, seen.colours, REACH["colours"]),
        ]
    )


def _near(ideal: Floats, value: Floats, reach: float) -> Floats:
    """float64 [ideals, n]; 1 at the ideal, falling with the square of the distance."""
    square = ((ideal[:, None, :] - value[None, :, :]) ** 2).sum(axis=2)
    near: Floats = np.exp(-square / (2 * reach**2))
    return near


COMMON = Seen(
    ground=np.eye(len(GROUNDS))[[MEADOW]],
    things=np.array([[1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0]]),
    horizon=np.zeros((1, 1)),
    disc=np.zeros((1, 2)),
    trees=np.full((1, 1), 3.0),
    tree_height=np.zeros((1, 1)),
    colours=np.array([[0.6, 0.6, 0.9, 0.0, 0.8, 0.3, 1.2, 0.2]]),
)
"""The ideal postcard of the common taste, chosen by hand: a sunny meadow before mountains, with clouds,
trees and a house."""


@dataclass(frozen=True, slots=True, eq=False)
class Tastes:
    """The tastes of all users.

    Attributes:
        ideals: The ideal postcards: one per user, the common one last.
        weights: float64 [aspects, users + 1].
        shift: float64 [users].
        scale: float64 [users]; a utility has mean 0 and variance 1 over the postcards that users were drawn with.
        leniency: float64 [users]; added to the utility in a rating.
        ratings: int [users]; number of items that a user rates, at most.
    """

    ideals: Seen
    weights: Floats
    shift: Floats
    scale: Floats
    leniency: Floats
    ratings: Ints

    def utility(self, seen: Seen) -> Floats:
        """float64 [users, n]; a weighted sum of matches, so bounded."""
        return (self._sums(seen) - self.shift[:, None]) / self.scale[:, None]

    def common(self, seen: Seen) -> Floats:
        """float64 [n]; what users like on the whole, with standard deviation 1 over the postcards, but not mean 0."""
        return self.matched(seen)[-1]

    def matched(self, seen: Seen) -> Floats:
        """float64 [users + 1, n]; the users' own tastes, then the common one."""
        blocks = [seen.take(slice(start, start + BATCH)) for start in range(0, max(len(seen), 1), BATCH)]
        return np.concatenate([np.einsum("au,aun->un", self.weights, matches(self.ideals, b)) for b in blocks], axis=1)

    def _sums(self, seen: Seen) -> Floats:
        tastes = self.matched(seen)
        sums: Floats = np.sqrt(SHARED) * tastes[-1] + np.sqrt(1 - SHARED) * tastes[:-1]
        return sums


def draw_tastes(count: int, seed: int, seen: Seen) -> Tastes:
    """Draws users. Their numbers of ratings are skewed as in FLICKR-AES: many have some hundred, few over 1,000.

    Args:
        count: Users.
        seed: Seed of the world.
        seen: Postcards over which every user's utility has mean 0 and variance 1. How much an aspect weighs depends on
            how much its matches differ between these postcards.
    """
    rng = np.random.default_rng(seed_of("tinyworld", seed, "people"))
    ideals = concatenated([see(render(draw_scenes(count, seed, "ideals"))), COMMON])
    shares = np.concatenate([_cares(rng, count), _common_cares()[:, None]], axis=1)
    spread = np.concatenate([matches(ideals.take(slice(u, u + 1)), seen).std(axis=2) for u in range(count + 1)], axis=1)
    weights = np.sqrt(shares) / np.maximum(spread, LEAST_SPREAD)
    weights[1 : len(CONTENT)] *= _rarity(ideals, seen)
    ratings = np.clip(np.exp(rng.normal(np.log(380.0), 0.8, count)), 60, 1800).astype(np.int64)
    tastes = Tastes(ideals, weights, np.zeros(count), np.ones(count), rng.normal(0, LENIENCY, count), ratings)
    tastes = replace(tastes, weights=weights / _spread(tastes.matched(seen)))
    sums = tastes.utility(seen)
    return replace(tastes, shift=sums.mean(axis=1), scale=_spread(sums))


def _spread(values: Floats) -> Floats:
    """float64 [users]; standard deviations, 1 where all values are equal."""
    spread = values.std(axis=1)
    return np.where(spread > 0, spread, 1.0)


def _rarity(ideals: Seen, seen: Seen) -> Floats:
    """float64 [things, ideals]; how much a thing, or its absence, counts: the less, the more postcards have it so.

    Otherwise what most postcards show would be wanted by most users, and tastes would differ less.
    """
    share = seen.things.mean(axis=0)
    return (2 * (ideals.things * (1 - share) + (1 - ideals.things) * share)).T


def _cares(rng: np.random.Generator, count: int) -> Floats:
    """float64 [aspects, count]; how much of an own taste's variance each aspect is given, before rarity is considered.

    An aspect of what the ideal postcard lacks, such as the height of no trees, has no effect.
    """
    groups = rng.dirichlet(CARES, count)
    parts = [groups[:, i] * rng.dirichlet([SPECIAL] * len(aspects), count).T for i, (_, aspects) in enumerate(GROUPS)]
    return np.concatenate(parts)


def _common_cares() -> Floats:
    parts = [
        np.full(len(aspects), care / len(aspects)) for care, (_, aspects) in zip(COMMON_CARES, GROUPS, strict=True)
    ]
    return np.concatenate(parts)


def rate(utility: Floats, leniency: Floats, rng: np.random.Generator) -> Floats:
    """Ratings 1 to 5, float64, of utilities of any shape; the leniencies of their users broadcast to it."""
    return 1.0 + np.searchsorted(CUTS, utility + leniency + rng.normal(0, NOISE, utility.shape))


def draw_ratings(tastes: Tastes, utility: Floats, seed: int) -> tuple[Ints, Ints, Floats]:
    """User, item and rating 1 to 5 of every row; every user rates a random part of the items.

    Args:
        tastes: Weights and leniency.
        utility: float64 [users, items].
        seed: Seed of the world.
    """
    rng = np.random.default_rng(seed_of("tinyworld", seed, "ratings"))
    items, ratings = [], []
    for user in range(len(utility)):
        items.append(np.sort(rng.permutation(utility.shape[1])[: tastes.ratings[user]], kind="stable"))
        ratings.append(rate(utility[user, items[-1]], tastes.leniency[user], rng))
    users = np.repeat(np.arange(len(items)), [len(rated) for rated in items])
    return users, np.concatenate(items), np.concatenate(ratings)
