"""Images that are postcards all the same, and images that are none: what the support is fitted to and measured on.

Functions take uint8 images [n, 64, 64, 3] and a random generator, and give as many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from rebeca.arrays import Floats, Pixels
from rebeca.tinyworld.scenes import SIZE

Treat = Callable[[Pixels, np.random.Generator], Pixels]
FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BOX)


def as_pixels(values: Floats) -> Pixels:
    """Rounds to uint8."""
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def _each(images: Pixels, change: Callable[[Image.Image], Image.Image]) -> Pixels:
    return np.stack([np.asarray(change(Image.fromarray(image)).convert("RGB")) for image in images])


# ------------------------------------------------------------------------- postcards, as people and models leave them


def jpeg(images: Pixels, rng: np.random.Generator, low: int = 75, high: int = 95) -> Pixels:
    """Compressed, by a quality between ``low`` and ``high``."""

    def packed(image: Image.Image) -> Image.Image:
        file = BytesIO()
        image.save(file, "JPEG", quality=int(rng.integers(low, high, endpoint=True)))
        return Image.open(file)

    return _each(images, packed)


def noise(images: Pixels, rng: np.random.Generator) -> Pixels:
    """With normal noise of a standard deviation up to two grades."""
    spread = rng.uniform(0, 2, (len(images), 1, 1, 1))
    return as_pixels(images + spread * rng.normal(size=images.shape))


def blurred(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Gaussian blur of a radius up to two pixels."""
    return _each(images, lambda image: image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 2))))


def resized(images: Pixels, rng: np.random.Generator, low: int = 32, high: int = 256) -> Pixels:
    """Brought to another size and back."""

    def changed(image: Image.Image) -> Image.Image:
        side, how = int(rng.integers(low, high, endpoint=True)), rng.choice(np.array(FILTERS))
        return image.resize((side, side), how).resize((SIZE, SIZE), Image.Resampling.BICUBIC)

    return _each(images, changed)


def lit(images: Pixels, rng: np.random.Generator) -> Pixels:
    """A little darker or brighter, with less or more contrast."""
    contrast, light = rng.uniform(0.85, 1.15, (2, len(images), 1, 1, 1))
    mean = images.mean(axis=(1, 2), keepdims=True)
    return as_pixels((mean + contrast * (images - mean)) * light)


HONEST: Mapping[str, Treat] = {
    "JPEG of quality 75 to 95": jpeg,
    "noise, standard deviation up to 2 of 255": noise,
    "blurred, radius up to 2": blurred,
    "resized, 32 to 256 pixels": resized,
    "brighter, darker, other contrast": lit,
    "mirrored": lambda images, rng: images[:, :, ::-1],
}
"""Postcards all the same."""


CLEAN_SHARE = 0.4
"""Chance that a treatment is left out; there are two."""


def treated_honestly(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Some clean, the others treated in one or two of the ways of :data:`HONEST`."""
    out = images.copy()
    for _ in range(2):
        way = rng.integers(0, len(HONEST), len(images))
        treat = rng.random(len(images)) >= CLEAN_SHARE
        for i, make in enumerate(HONEST.values()):
            rows = np.flatnonzero(treat & (way == i))
            out[rows] = make(out[rows], rng)
    return out


# ------------------------------------------------------------------------------------------------------- no postcards


def gradients(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Of two colours in any direction, or of a colour per corner; some with noise."""
    n = len(images)
    y, x = (np.mgrid[0:SIZE, 0:SIZE] + 0.5) / SIZE
    corners = rng.uniform(0, 255, (4, n, 1, 1, 3))
    four = (1 - y)[..., None] * ((1 - x)[..., None] * corners[0] + x[..., None] * corners[1])
    four = four + y[..., None] * ((1 - x)[..., None] * corners[2] + x[..., None] * corners[3])
    angle = rng.uniform(0, 2 * np.pi, (n, 1, 1))
    share = np.clip(np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5) + 0.5, 0, 1)[..., None]
    two = corners[0] + (corners[1] - corners[0]) * share
    values = np.where(rng.random((n, 1, 1, 1)) < 0.5, two, four)
    grain = rng.uniform(0, 8, (n, 1, 1, 1)) * (rng.random((n, 1, 1, 1)) < 0.5)
    return as_pixels(values + grain * rng.normal(size=values.shape))


def drawings(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Discs, rectangles, triangles and lines anywhere, on a gradient or on two bands; some softened."""
    out = gradients(images, rng)
    for i in np.flatnonzero(rng.random(len(out)) < 0.5):
        edge = int(rng.integers(16, 48))
        out[i, :edge], out[i, edge:] = rng.integers(0, 256, (2, 3))
    return np.stack([_drawn(Image.fromarray(image), rng) for image in out])


def _drawn(image: Image.Image, rng: np.random.Generator) -> Pixels:
    large = image.resize((4 * SIZE, 4 * SIZE), Image.Resampling.BICUBIC)
    brush = ImageDraw.Draw(large)
    for _ in range(int(rng.integers(2, 24))):
        (x, y), size = rng.integers(0, 4 * SIZE, 2), rng.uniform(4, 80)
        half, colour = size * rng.uniform(0.3, 1, 2), tuple(rng.integers(0, 256, 3).tolist())
        box = (x - half[0], y - half[1], x + half[0], y + half[1])
        kind = rng.integers(4)
        if kind == 0:
            brush.ellipse(box, fill=colour)
        elif kind == 1:
            brush.rectangle(box, fill=colour)
        elif kind == 2:
            brush.polygon([(box[0], box[3]), (box[2], box[3]), (x, box[1])], fill=colour)
        else:
            brush.line(
                [tuple(p) for p in rng.integers(0, 4 * SIZE, (2, 2)).tolist()], fill=colour, width=int(size / 8) + 1
            )
    small = large.resize((SIZE, SIZE), Image.Resampling.BOX)
    return np.asarray(small.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.5))))


def averages(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Means of 3 to 20 postcards."""
    return as_pixels(np.stack([images[rng.integers(0, len(images), rng.integers(3, 21))].mean(axis=0) for _ in images]))


def half_gradients(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Mixed with a gradient, which has a weight of .3 to .7."""
    weight = rng.uniform(0.3, 0.7, (len(images), 1, 1, 1))
    return as_pixels(weight * gradients(images, rng) + (1 - weight) * images)


def blocks(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Cut into square blocks that are shuffled."""
    return np.stack([_blocks(image, int(rng.choice((4, 8, 16, 32))), rng.permutation) for image in images])


def blocks_in_rows(images: Pixels, rng: np.random.Generator) -> Pixels:
    """As :func:`blocks`, each within its row."""

    def order(count: int) -> np.ndarray:
        across = int(np.sqrt(count))
        return np.concatenate([row * across + rng.permutation(across) for row in range(across)])

    return np.stack([_blocks(image, int(rng.choice((4, 8, 16))), order) for image in images])


def _blocks(image: Pixels, side: int, order: Callable[[int], np.ndarray]) -> Pixels:
    across = SIZE // side
    tiles = image.reshape(across, side, across, side, 3).transpose(0, 2, 1, 3, 4).reshape(-1, side, side, 3)
    tiles = tiles[order(across**2)]
    return tiles.reshape(across, across, side, side, 3).transpose(0, 2, 1, 3, 4).reshape(SIZE, SIZE, 3)


def rolled(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Every row, or every column, moved by a random number of pixels."""
    steps = rng.integers(0, SIZE, (len(images), SIZE))
    places = (np.arange(SIZE) + steps[..., None]) % SIZE
    by_row = np.take_along_axis(images, places[..., None], axis=2)
    by_column = np.take_along_axis(images, places.transpose(0, 2, 1)[..., None], axis=1)
    return np.where(rng.random((len(images), 1, 1, 1)) < 0.7, by_row, by_column)


def turned(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Upside down, or on a side."""
    left, over, right = (np.rot90(images, k, axes=(1, 2)) for k in (1, 2, 3))
    # A half upside down and a quarter on each side: the shipped detector was trained with this mix, and the card's
    # shares are of it.
    which = rng.integers(0, 4, (len(images), 1, 1, 1))
    return np.select([which == 0, which == 1], [left, right], over)


def coarse(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Thumbnails of 4 to 12 pixels, made large again."""
    return resized(images, rng, 4, 12)


def fields(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Random fields with a power law, in the colours of a postcard: of all of it, or row by row."""
    n = len(images)
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(SIZE), np.fft.fftfreq(SIZE)))
    f[0, 0] = 1 / SIZE
    power = f ** -rng.uniform(0, 2.5, (n, 1, 1))
    waves = np.fft.fft2(rng.normal(size=(n, 3, SIZE, SIZE)))
    grain = np.fft.ifft2(waves * power[:, None]).real.transpose(0, 2, 3, 1)
    grain = (grain - grain.mean(axis=(1, 2), keepdims=True)) / grain.std(axis=(1, 2), keepdims=True)
    mean, spread = images.mean(axis=(1, 2), keepdims=True), images.std(axis=(1, 2), keepdims=True)
    rows, within = images.mean(axis=2, keepdims=True), images.std(axis=2, keepdims=True)
    by_row = rng.random((n, 1, 1, 1)) < 0.6
    strength = rng.uniform(0.1, 1.2, (n, 1, 1, 1))
    return as_pixels(np.where(by_row, rows + strength * within * grain, mean + strength * spread * grain))


def random_phases(images: Pixels, rng: np.random.Generator) -> Pixels:
    """With the spectrum of a postcard and random phases."""
    phases = np.exp(1j * np.angle(np.fft.fft2(rng.normal(size=(len(images), SIZE, SIZE)))))[..., None]
    waves = np.fft.fft2(images, axes=(1, 2))
    changed = waves * phases
    changed[:, 0, 0] = waves[:, 0, 0]
    return as_pixels(np.fft.ifft2(changed, axes=(1, 2)).real)


def mosaics(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Every block from another postcard, at its place there."""
    out = np.empty_like(images)
    for i in range(len(images)):
        side = int(rng.choice((8, 16, 32)))
        across = SIZE // side
        chosen = images[rng.integers(0, len(images), across**2)].reshape(across, across, SIZE, SIZE, 3)
        for row, column in np.ndindex(across, across):
            place = np.s_[row * side : (row + 1) * side, column * side : (column + 1) * side]
            out[i][place] = chosen[row, column][place]
    return out


OUTLIERS: Mapping[str, Treat] = {
    "gradients": gradients,
    "discs, rectangles, triangles, lines": drawings,
    "means of 3 to 20 postcards": averages,
    "mixed with gradients": half_gradients,
    "blocks shuffled": blocks,
    "blocks shuffled in their row": blocks_in_rows,
    "rows or columns rolled": rolled,
    "upside down or on a side": turned,
    "thumbnails of 4 to 12 pixels": coarse,
    "random fields": fields,
    "random phases": random_phases,
    "blocks of different postcards": mosaics,
}
"""No postcards: what the detector is trained on, on other postcards."""


# ------------------------------------------------------------------------------ no postcards of kinds never trained on


def sorted_rows(images: Pixels, rng: np.random.Generator) -> Pixels:
    """The pixels of every row sorted by light."""
    light = images.astype(np.int64).sum(axis=3)
    order = np.argsort(light, axis=2, kind="stable")
    return np.take_along_axis(images, order[..., None], axis=2)


def cells(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Flat cells around 20 to 200 random places, each in a postcard's colour there (Voronoi)."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    out = np.empty_like(images)
    for i, image in enumerate(images):
        places = rng.integers(0, SIZE, (int(rng.integers(20, 201)), 2))
        nearest = ((y[..., None] - places[:, 0]) ** 2 + (x[..., None] - places[:, 1]) ** 2).argmin(axis=2)
        out[i] = image[places[:, 0], places[:, 1]][nearest]
    return out


def stripes(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Bands in colours of a postcard."""
    out = np.empty_like(images)
    for i, image in enumerate(images):
        edges = np.sort(rng.integers(0, SIZE, rng.integers(2, 12)), kind="stable")
        colours = image[rng.integers(0, SIZE, len(edges) + 1), rng.integers(0, SIZE, len(edges) + 1)]
        out[i] = colours[np.searchsorted(edges, np.arange(SIZE))][:, None]
    return out


def swirled(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Turned around the middle, most at the middle."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] - (SIZE - 1) / 2
    distance, angle = np.hypot(y, x), np.arctan2(y, x)
    out = np.empty_like(images)
    for i, image in enumerate(images):
        turn = angle + rng.uniform(2, 5) * np.exp(-distance / rng.uniform(12, 30))
        rows, columns = (
            np.clip(np.rint((SIZE - 1) / 2 + distance * part(turn)), 0, SIZE - 1).astype(int)
            for part in (np.sin, np.cos)
        )
        out[i] = image[rows, columns]
    return out


UNSEEN: Mapping[str, Treat] = {
    "rows sorted": sorted_rows,
    "flat cells in a postcard's colours": cells,
    "bands in a postcard's colours": stripes,
    "swirled": swirled,
}
"""No postcards either, and not trained on: how far the detector carries."""
