"""Kernel distances between the images of many users and a reference, with one value per user: KID and CMMD."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from rebeca.arrays import Floats, Ints, unit_rows

Kernel = Callable[[Floats, Floats], Floats]
"""Of float64 [n, dim] and [m, dim], the kernel of every pair, float64 [n, m]."""

BLOCK = 2048
"""Images per side of a block of pairs: 34 MB in float64."""

SIGMA = 10.0
"""Width of CMMD's Gaussian kernel (Jayasumana et al. 2024)."""

CMMD_SCALE = 1000.0
"""CMMD is reported a thousandfold (Jayasumana et al. 2024)."""


def polynomial_kernel(x: Floats, y: Floats) -> Floats:
    """(x . y / dim + 1)^3, KID's kernel (Binkowski et al. 2018, arXiv 1801.01401).

    Example:
        >>> import numpy as np
        >>> from rebeca.scorers.realism import polynomial_kernel
        >>> polynomial_kernel(np.array([[2.0, 0.0]]), np.array([[1.0, 5.0], [0.0, 1.0]])).tolist()
        [[8.0, 1.0]]
    """
    base = x @ y.T / x.shape[1] + 1
    return base * base * base  # powers round differently by processor


def gaussian_kernel(x: Floats, y: Floats) -> Floats:
    """exp(-|x - y|^2 / (2 sigma^2)) with a sigma of 10, CMMD's kernel (Jayasumana et al. 2024, arXiv 2401.09603).

    Example:
        >>> import numpy as np
        >>> from rebeca.scorers.realism import gaussian_kernel
        >>> gaussian_kernel(np.array([[0.0, 0.0]]), np.array([[0.0, 0.0], [10.0, 10.0]])).round(4).tolist()
        [[1.0, 0.3679]]
    """
    lengths = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1)
    return np.exp(-np.maximum(lengths - 2 * (x @ y.T), 0) / (2 * SIGMA**2))


@dataclass(frozen=True, eq=False)
class KernelDistance:
    """The squared maximum mean discrepancy (MMD) to a reference, with users as the unit.

    Users count equally, and so do the images of a user. Pairs of images of one user are left out, since these resemble
    each other. So are pairs of a reference image with itself. The distance is unbiased for users drawn at random, and
    can lie below 0.

    Source: Gretton et al. 2012, A Kernel Two-Sample Test, JMLR 13, equation 3; values per user: Hoeffding 1948, the
    first-order part of a U-statistic.

    Attributes:
        reference: [m, dim].
        kernel: Such as :func:`polynomial_kernel`.
        block: Images per side of a block of pairs; changes nothing but memory, time and rounding.
        within: Mean kernel of two different reference images; NaN where there are fewer than two.

    Example:
        >>> import numpy as np
        >>> from rebeca.scorers.realism import KernelDistance
        >>> products = KernelDistance(np.array([[0.0], [2.0]]), kernel=lambda x, y: x @ y.T)
        >>> products.by_user(np.array([[1.0], [3.0], [4.0]]), owner=np.array([0, 0, 2]), users=3).tolist()
        [4.0, nan, 0.0]
    """

    reference: Floats
    kernel: Kernel
    block: int = BLOCK
    within: float = field(init=False)

    def __post_init__(self) -> None:
        m = len(self.reference)
        pairs = self._sums(self.reference, self.reference, np.arange(m), np.arange(m), np.ones(m)).sum()
        object.__setattr__(self, "within", float(pairs / (m * (m - 1))) if m > 1 else np.nan)

    def by_user(self, vectors: Floats, owner: Ints, users: int, same: Ints | None = None) -> Floats:
        """One value per user, float64 [users], whose mean over users is the squared MMD.

        With a the mean kernel of the user's images and all other users' images, b that of the user's images and the
        reference, and A the mean of a, it is 2 (a - b) - (A - within). The factor of two gives the variance over users
        that belongs to the mean.

        Args:
            vectors: [n, dim]; of the images.
            owner: int [n]; 0 to ``users`` - 1.
            users: How many.
            same: int [n]; which reference image an image is itself, -1 for none; by default none is. Such a pair is
                left out of b: otherwise retrieved reference images would be nearer than any new image can be.

        Returns:
            NaN for users without images; for all of them where fewer than two have images.
        """
        counts = np.bincount(owner, minlength=users)
        present = counts > 0
        values = np.full(users, np.nan)
        if present.sum() < 2:
            return values
        shares = 1 / counts[owner]
        of_users = self._sums(vectors, vectors, owner, owner, shares) / (present.sum() - 1)
        a = np.bincount(owner, shares * of_users, users)[present]
        b = np.bincount(owner, shares * self._to_reference(vectors, same), users)[present]
        values[present] = 2 * (a - b) - (a.mean() - self.within)
        return values

    def _to_reference(self, vectors: Floats, same: Ints | None) -> Floats:
        """float64 [n]; mean kernel of an image and the reference, without the reference image that it is itself."""
        m = len(self.reference)
        same = np.full(len(vectors), -1) if same is None else same
        sums = self._sums(vectors, self.reference, same, np.arange(m), np.ones(m))
        pairs = m - (same >= 0)
        return np.divide(sums, pairs, out=np.full(len(sums), np.nan), where=pairs > 0)

    def _sums(self, x: Floats, y: Floats, x_label: Ints, y_label: Ints, weights: Floats) -> Floats:
        """float64 [n]; for every x, the weighted sum of its kernels with all y of another label."""
        sums = np.zeros(len(x))
        for rows in self._blocks(len(x)):
            left = x[rows].astype(np.float64)
            for columns in self._blocks(len(y)):
                kernels = self.kernel(left, y[columns].astype(np.float64))
                kernels[x_label[rows, None] == y_label[columns]] = 0
                sums[rows] += kernels @ weights[columns]
        return sums

    def _blocks(self, n: int) -> Iterator[slice]:
        return (slice(start, start + self.block) for start in range(0, n, self.block))


def kid(reference: Floats) -> KernelDistance:
    """KID to a reference: the unbiased squared MMD with a polynomial kernel (Binkowski et al. 2018).

    Published values are of Inception's features. Those of other encoders cannot be compared with them.

    Example:
        >>> import numpy as np
        >>> from rebeca.scorers.realism import kid
        >>> near = kid(np.array([[0.0], [1.0]])).by_user(np.array([[0.0], [1.0]]), np.array([0, 1]), 2)
        >>> near.tolist()
        [0.0, -7.0]
    """
    return KernelDistance(reference, polynomial_kernel)


def cmmd(reference: Floats) -> KernelDistance:
    """CMMD to a reference: a thousand times the squared MMD with a Gaussian kernel of unit vectors.

    Published values are of CLIP's ViT-L/14 at 336 pixels. Those of other encoders cannot be compared with them. The
    authors' code has the biased estimate, in which every image is paired with itself as well. It is larger, the more
    so the fewer images there are. Here the estimate is unbiased.

    Source: Jayasumana et al. 2024, Rethinking FID, arXiv 2401.09603.

    Args:
        reference: [m, dim]; the images' vectors must have unit length as well (:func:`rebeca.arrays.unit_rows`).
    """
    return KernelDistance(unit_rows(reference), lambda x, y: CMMD_SCALE * gaussian_kernel(x, y))
