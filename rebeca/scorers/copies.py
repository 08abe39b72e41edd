"""Near-copies: which images are altered copies of given items, such as the training items of a data set.

An image is described by its 6 x 6 lowest cosine coefficients per colour channel; low coefficients also serve as
perceptual hashes (Zauner 2010, Implementation and benchmarking of perceptual image hash functions). Items are indexed
26 times: whole, and as crops to 90 % and 80 % of their sides. Mirrored images are compared as well, since mirroring
only changes signs of coefficients. An image is a near-copy by either of two rules:

- ratio: its nearest item is much nearer than the fifth nearest, as in the ratio test of Lowe 2004 (section 7.1);
- levels: in these coefficients it differs from an item by a few grey levels at most. By Bessel's inequality this finds
  every image in which no value was changed by more than that.

Both limits come from the items themselves: each is compared with all others, and few may count as near-copies. No
held-out item is looked at. Coefficients are rounded to a lattice on which sums of products are exact, unless items have
hardly any contrast. Two processors can differ only where a coefficient lies halfway between two points of the lattice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from rebeca.arrays import Bools, Floats, Ints, Pixels, evenly
from rebeca.errors import DataError
from rebeca.images import ImageSource, LazyPixels, batches, read_images
from rebeca.pixels import pixels_digest
from rebeca.ties import TIE, TIE_OF_SCORES

FREQUENCIES = 6
"""Per axis. With four, changes of colour hide a copy; with eight, crops do."""
SHAPE = (FREQUENCIES, 3, FREQUENCIES)
"""Of the coefficients: vertical frequency, channel, horizontal frequency."""
CROPS = ((0.9, 3), (0.8, 4))
"""Share of the sides that a crop keeps, and the number of places along each side."""
GREY = 127.5
"""Subtracted from all values, which keeps sums of squares small."""
LEAST_DEVIATION = 1.0
"""Grey levels; coefficients that vary less among the items are rounding of pixels."""
STEPS, FINE_STEPS = 2**5, 2**16
"""Of the lattice: per unit of a weighted coefficient in single precision, and per grey level in double precision."""
NEIGHBOUR = 5
"""The nearest item is compared with this one. The three between may be the same picture under other ids."""
RATIO_SHARE, LEVELS_SHARE = 0.005, 0.0025
"""Shares of the items that each rule may take for near-copies of other items: together less than 1 %."""
RATIOS = (0.45, 0.55)
"""Bounds of the limit of the ratio. Most altered copies lie below .45, and a few items that are near-copies of each
other must not lower it further. Few items justify no more than .55."""
LEVELS = (1.0, 8.0)
"""Bounds of the limit in grey levels: less than 1 is rounding of pixels, and 8 is a usual bound of attacks."""
MOST_ALIKE = 0.02
"""Where more of the items lie below the lower bound of a limit, items of this kind are alike, and the bound is void."""
CALIBRATION_ITEMS = 2_000
"""Items that give the limits, evenly spaced; the time for it grows with their number times that of all items."""
IMAGES_PER_BATCH, ITEMS_PER_BATCH = 128, 512
"""Compared at once, which needs about 30 MB."""


@dataclass(frozen=True, slots=True)
class CopyLimits:
    """Up to which an image counts as a near-copy.

    Attributes:
        ratio: Distance to the nearest item, as a share of that to the fifth nearest.
        levels: Root mean square of the difference from an item in low frequencies, in grey levels from 0 to 255.
    """

    ratio: float
    levels: float


@dataclass(frozen=True, slots=True, eq=False)
class NearestItems:
    """How near the nearest items of n images are.

    Attributes:
        item: int [n]; index of the item that is nearest as a whole or as a crop, mirrored or not.
        ratio: float64 [n] in [0, 1]; its distance as a share of the fifth nearest item's, 1 if there is one item only.
        levels: float64 [n]; smallest difference from a whole item, mirrored or not, in grey levels.
    """

    item: Ints
    ratio: Floats
    levels: Floats


class CopyIndex:
    """Finds near-copies of items: noise, crops to 90 %, mirroring, small changes of colour, JPEG, other sizes.

    Rotations, moves, frames, squeezes, collages, crops to less than 80 % and changes to grey are mostly missed. Of
    images of the items' kind that copy nothing, one in a hundred may count as a near-copy; with fewer than 100 items
    more. Items with equal pixels count once. An index takes 12 KB per item, and three times as much while it is built.

    Args:
        items: What may be copied: a folder, or paths, Pillow's images or uint8 arrays.
        like: An index whose weights and limits this one takes; by default they come from ``items``.

    Raises:
        DataError: If there are no items, or naming what is no image.

    Attributes:
        limits: Up to which an image counts as a near-copy.

    Example:
        >>> import numpy as np
        >>> from rebeca.scorers import CopyIndex
        >>> coarse = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3)).astype(np.uint8)
        >>> *items, new = coarse.repeat(16, axis=1).repeat(16, axis=2)
        >>> index = CopyIndex(items)
        >>> altered = [items[3] // 2 + 60, items[3][:, ::-1], items[3][2:60, 2:60]]
        >>> index.near_copies([*altered, new]).tolist()
        [True, True, True, False]
        >>> index.nearest(altered).item.tolist()
        [3, 3, 3]
    """

    def __init__(self, items: ImageSource, like: CopyIndex | None = None) -> None:
        first: dict[str, int] = {}
        variants: list[Floats] = []
        windows = _windows()
        for place, image in enumerate(_read(items)):
            if first.setdefault(pixels_digest(image), place) == place:
                variants.append(_coefficients(image, *windows))
        if not variants:
            raise DataError("there are no items", hint="give at least one")
        self._item = np.array(list(first.values()), np.int64)
        whole = np.stack([each[0] for each in variants]).astype(np.float64)
        self._weights: Floats = _weights(whole) if like is None else like._weights
        self._whole = _Lattice(whole[:, None], FINE_STEPS, np.float64)
        self._variants = _Lattice((each * self._weights for each in variants), STEPS, np.float32)
        self.limits: CopyLimits = self._calibrated(whole) if like is None else like.limits

    def __len__(self) -> int:
        """Number of different items."""
        return len(self._item)

    def near_copies(self, images: ImageSource) -> Bools:
        """Which of n images are near-copies of an item, bool [n].

        Raises:
            DataError: Naming what is no image.
        """
        nearest = self.nearest(images)
        same = nearest.levels <= self.limits.levels * (1 + TIE_OF_SCORES)
        return np.asarray(same | (nearest.ratio <= self.limits.ratio))

    def nearest(self, images: ImageSource) -> NearestItems:
        """How near the nearest items of n images are.

        Raises:
            DataError: Naming what is no image.
        """
        whole = [_coefficients(image, WHOLE, ((0, 0),))[0] for image in _read(images)]
        nearest = self._nearest(np.array(whole).reshape(-1, *SHAPE).astype(np.float64))
        return NearestItems(self._item[nearest.item], nearest.ratio, nearest.levels)

    def _calibrated(self, whole: Floats) -> CopyLimits:
        """Limits that take no more than the declared shares of the items for near-copies of others."""
        if len(self) == 1:
            return CopyLimits(RATIOS[0], LEVELS[1])
        asked = evenly(len(self), CALIBRATION_ITEMS)
        others = self._nearest(whole[asked], asked)
        return CopyLimits(_limit(others.ratio, RATIO_SHARE, RATIOS), _limit(others.levels, LEVELS_SHARE, LEVELS))

    def _nearest(self, whole: Floats, own: Ints | None = None) -> NearestItems:
        """The nearest items of coefficients [n, ...], by place in the index; item ``own[i]`` is none of image i's."""
        item, ratio, levels = np.zeros(len(whole), np.int64), np.ones(len(whole)), np.zeros(len(whole))
        last = min(NEIGHBOUR, len(self) - (own is not None)) - 1
        for start in range(0, len(whole), IMAGES_PER_BATCH):
            rows = slice(start, start + IMAGES_PER_BATCH)
            leave_out = None if own is None else own[rows]
            near = _without(self._variants.distances(whole[rows] * self._weights), leave_out)
            item[rows] = near.argmin(axis=1)
            if last:
                ordered = np.partition(near, (0, last), axis=1)
                ratio[rows] = _shares(ordered[:, 0], ordered[:, last])
            levels[rows] = _without(self._whole.distances(whole[rows]), leave_out).min(axis=1) / np.sqrt(3)
        return NearestItems(item, ratio, levels)


def share_of_near_copies(images: ImageSource, of: ImageSource, space: CopyIndex) -> float:
    """Share of images that are near-copies of others, such as another author's.

    Args:
        images: n images; a folder, or paths, Pillow's images or uint8 arrays.
        of: What may be copied, likewise.
        space: Gives weights and limits: the index of the data set that both were made for.

    Returns:
        Share in [0, 1], NaN without images.

    Raises:
        DataError: If ``of`` holds no image, or naming what is no image.

    Example:
        >>> import numpy as np
        >>> from rebeca.scorers.copies import CopyIndex, share_of_near_copies
        >>> items = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3)).astype(np.uint8)
        >>> space = CopyIndex(items[:20])
        >>> share_of_near_copies([items[20] // 2 + 60, items[29]], of=items[20:28], space=space)
        0.5
    """
    copies = CopyIndex(of, like=space).near_copies(images)
    return float(copies.mean()) if len(copies) else float("nan")


class _Lattice:
    """Items in several variants, and exact distances from them.

    Sums of products of whole numbers are exact in any order, as long as they stay below 2^24 in single precision, and
    below 2^53 in double precision. Images of ordinary contrast stay far below.

    Args:
        coefficients: Of each item, float64 [variants, ...].
        steps: Points of the lattice per unit.
        kind: Floating point type.
    """

    def __init__(self, coefficients: Iterable[Floats], steps: int, kind: type[np.floating[Any]]) -> None:
        self._steps, self._kind = steps, kind
        even, odd, squares = zip(*map(self._parts, coefficients), strict=True)
        self._even, self._odd, self._squares = np.stack(even), np.stack(odd), np.stack(squares)

    def _parts(self, coefficients: Floats) -> tuple[Floats, Floats, Floats]:
        """Even and odd horizontal frequencies as whole numbers, [n, dim] each, and their sums of squares, [n]."""
        whole = np.rint(coefficients * self._steps).astype(self._kind)
        even, odd = (whole[..., k::2].reshape(len(whole), -1) for k in (0, 1))
        return even, odd, (even * even).sum(axis=1) + (odd * odd).sum(axis=1)

    def distances(self, coefficients: Floats) -> Floats:
        """float64 [n, items]; from coefficients [n, ...] to the nearest variant of each item, mirrored or not."""
        even, odd, squares = self._parts(coefficients)
        out = np.empty((len(coefficients), len(self._squares)))
        for start in range(0, out.shape[1], ITEMS_PER_BATCH):
            items = slice(start, start + ITEMS_PER_BATCH)
            closest = even @ _flat(self._even[items]).T
            # mirroring negates odd frequencies, and of both signs the larger product is the nearer image
            closest += np.abs(odd @ _flat(self._odd[items]).T)
            closest = 2 * closest - self._squares[items].ravel()
            out[:, items] = closest.reshape(len(out), -1, self._squares.shape[1]).max(axis=2)
        return np.sqrt(np.maximum(squares[:, None].astype(np.float64) - out, 0)) / self._steps


def _flat(parts: Floats) -> Floats:
    return parts.reshape(-1, parts.shape[-1])


def _without(distances: Floats, own: Ints | None) -> Floats:
    if own is not None:
        distances[np.arange(len(own)), own] = np.inf
    return distances


def _shares(nearest: Floats, others: Floats) -> Floats:
    """float64 [n]; quotients, 1 where all items are equally near because all are equal."""
    return np.divide(nearest, others, out=np.ones(len(nearest)), where=others > TIE)


def _limit(values: Floats, share: float, bounds: tuple[float, float]) -> float:
    """A limit within bounds, below which at most this share of further values of the same kind lies.

    It is a k-th smallest value, as in conformal prediction. The lower bound holds unless many values lie below it.
    """
    ordered = np.sort(values, kind="stable")
    low = bounds[0] if (values < bounds[0]).mean() <= MOST_ALIKE else 0.0
    return float(np.clip(ordered[max(int(share * (len(values) + 1)), 1) - 1], low, bounds[1]))


def _weights(whole: Floats) -> Floats:
    """float64 :data:`SHAPE`; one over the root of each coefficient's standard deviation.

    That lies between unweighted coefficients, which find crops, and standardised ones, which find changes of colour.
    """
    deviation = np.round(whole.std(axis=0), 3)  # the order of items and the processor play no part
    return 1 / np.sqrt(np.maximum(deviation, LEAST_DEVIATION))


WHOLE = ((0.0, 1.0),)
"""The only window of an image that is compared with items."""


def _windows() -> tuple[tuple[tuple[float, float], ...], tuple[tuple[int, int], ...]]:
    """Windows along a side, from and to a share of it, and pairs of vertical and horizontal ones; the whole first."""
    windows, pairs = list(WHOLE), [(0, 0)]
    for share, places in CROPS:
        own = range(len(windows), len(windows) + places)
        windows += [(start, start + share) for start in np.linspace(0, 1 - share, places).tolist()]
        pairs += [(vertical, horizontal) for vertical in own for horizontal in own]
    return tuple(windows), tuple(pairs)


def _coefficients(image: Pixels, windows: tuple[tuple[float, float], ...], pairs: Sequence[tuple[int, int]]) -> Floats:
    """float32 [pairs, *SHAPE]; coefficients of parts of an image, in grey levels.

    The image counts as constant within each pixel, so that any size, shape and window has exact coefficients.
    """
    height, width, _ = image.shape
    vertical, horizontal = _waves(height, windows), _waves(width, windows)
    along = np.tensordot(image.astype(np.float64) - GREY, horizontal, (1, 1))  # height, channel, waves
    both = np.tensordot(vertical, along, (1, 0)).reshape(len(windows), *SHAPE[:2], len(windows), SHAPE[2])
    return np.stack([both[i, :, :, j] for i, j in pairs]).astype(np.float32)


@lru_cache(maxsize=64)
def _waves(pixels: int, windows: tuple[tuple[float, float], ...]) -> Floats:
    """float64 [windows * FREQUENCIES, pixels]; integrals of orthonormal cosines over each pixel's part in a window."""
    edges = np.linspace(0, 1, pixels + 1)
    frequency = np.pi * np.arange(1, FREQUENCIES)[:, None]
    waves = []
    for start, end in windows:
        inside = np.clip((edges - start) / (end - start), 0, 1)
        waves += [np.diff(inside)[None], np.sqrt(2) * np.diff(np.sin(frequency * inside) / frequency)]
    return np.concatenate(waves)


def _read(images: ImageSource) -> Iterator[Pixels]:
    """Pixels of one image after the other; the next ones are read meanwhile."""
    source = images if isinstance(images, LazyPixels) else read_images(images)
    for batch in batches(source, IMAGES_PER_BATCH):
        yield from batch
