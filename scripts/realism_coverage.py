"""The first table of docs/reports/realism.md: do intervals over users hold the distance to held-out items?

Embeddings are normal, so that the distance of the populations has a formula. Users differ by a share of the variance.
Every draw has new users, new images and a new reference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import click
import numpy as np

from benchmark.stats.intervals import Interval, mean_interval, resampling_weights
from benchmark.stats.random import stream
from rebeca.arrays import Floats, Ints
from rebeca.scorers.realism import CMMD_SCALE, SIGMA, Kernel, KernelDistance, gaussian_kernel, polynomial_kernel

DIM, REFERENCE, IMAGES = 16, 500, 4
RESAMPLED = 999
"""Draws of the bootstrap."""
LARGE = 200_000
"""Points that stand for a population."""

Expected = Callable[[Floats, float], Floats]
"""Of points [n, dim] and a shift, each point's mean kernel with normal points of variance 1 about that shift."""


def expected_polynomial(x: Floats, shift: float) -> Floats:
    base = 1 + x.sum(axis=1) * shift / DIM
    return base**3 + 3 * base * np.square(x / DIM).sum(axis=1)


def expected_gaussian(x: Floats, shift: float) -> Floats:
    square, width = np.square(x - shift).sum(axis=1), SIGMA**2
    return CMMD_SCALE * (width / (width + 1)) ** (DIM / 2) * np.exp(-square / (2 * (width + 1)))


KERNELS: dict[str, tuple[Kernel, Expected]] = {
    "KID": (polynomial_kernel, expected_polynomial),
    "CMMD": (lambda x, y: CMMD_SCALE * gaussian_kernel(x, y), expected_gaussian),
}


@dataclass(frozen=True)
class Cell:
    """One row of the table.

    Attributes:
        name: Of the kernel.
        users: How many.
        between: Share of the variance that lies between users.
        shift: Of the images' mean in every dimension; the reference has mean 0. All variances are 1.
    """

    name: str
    users: int
    between: float
    shift: float

    def covered(self, draws: int) -> tuple[float, float]:
        """Shares of draws whose interval holds the distance to the reference as drawn, and to its population."""
        hits = np.array([self._hits(stream("realism", str(self), i)) for i in range(draws)])
        given, drawn = hits.mean(axis=0)
        return float(given), float(drawn)

    def _hits(self, rng: np.random.Generator) -> tuple[bool, bool]:
        kernel, expected = KERNELS[self.name]
        reference = rng.normal(size=(REFERENCE, DIM))
        tastes = rng.normal(scale=np.sqrt(self.between), size=(self.users, 1, DIM))
        noise = rng.normal(scale=np.sqrt(1 - self.between), size=(self.users, IMAGES, DIM))
        images = (self.shift + tastes + noise).reshape(-1, DIM)
        distance = KernelDistance(reference, kernel)
        values = distance.by_user(images, np.repeat(np.arange(self.users), IMAGES), self.users)
        interval = mean_interval(values, self._weights)
        own, across, within = self._population
        to_this = own - 2 * float(expected(reference, self.shift).mean()) + distance.within
        return _holds(interval, to_this), _holds(interval, own - 2 * across + within)

    @cached_property
    def _weights(self) -> Ints:
        """Those of the bootstrap; the same for all draws, which takes less time."""
        return resampling_weights(self.users, RESAMPLED, stream("realism", "weights", self.users))

    @cached_property
    def _population(self) -> tuple[float, float, float]:
        """Mean kernels of two images of different users, of an image and an item, and of two items."""
        expected, points = KERNELS[self.name][1], stream("realism", "population").normal(size=(LARGE, DIM))
        terms = (expected(points + self.shift, self.shift), expected(points, self.shift), expected(points, 0.0))
        own, across, within = (float(term.mean()) for term in terms)
        return own, across, within


def _holds(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


@click.command()
@click.option("--draws", default=500, show_default=True, help="Draws per row.")
def main(draws: int) -> None:
    """Prints the table."""
    click.echo("| kernel | users | variance between users | shift | reference as given | reference drawn anew |")
    click.echo("|---|---|---|---|---|---|")
    for name in KERNELS:
        for users in (30, 100):
            for between in (0.0, 0.5, 0.9):
                for shift in (0.0, 0.2, 1.0):
                    given, drawn = Cell(name, users, between, shift).covered(draws)
                    click.echo(f"| {name} | {users} | {between:.1f} | {shift:.1f} | {given:.3f} | {drawn:.3f} |")


if __name__ == "__main__":
    main()
