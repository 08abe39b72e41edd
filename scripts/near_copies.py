"""How many altered copies of training items are found, and how many images that copy nothing count as near-copies.

    python -m scripts.near_copies                          # tinyworld's worlds 2 to 4, and sprites
    python -m scripts.near_copies --oasis ../data/oasis    # the photographs as well
    python -m scripts.near_copies --work ../work           # the generators of a finished run of tinyworld as well

All items of a world of tinyworld are training items; those of the next world stand for held-out ones. OASIS has
training items and others. Of sprites, one half stands for training items. Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmark.runner.world import build_world
from benchmark.task.bundled import find_task
from benchmark.task.resolve import load_task
from benchmark.task.resolved import Task
from rebeca.arrays import Pixels
from rebeca.images import LazyPixels
from rebeca.scorers.copies import CopyIndex
from scripts.finished_run import finished_run

ALTERED = 500
"""Training items that are altered, at most; drawn at random."""
SEED = 1
Alteration = Callable[[Pixels, np.random.Generator], Pixels]


def plus(image: Pixels, change: object) -> Pixels:
    return np.clip(image.astype(int) + np.asarray(change), 0, 255).astype(np.uint8)


def as_array(image: Image.Image) -> Pixels:
    return np.asarray(image.convert("RGB"))


def resized(image: Pixels, width: int, height: int) -> Pixels:
    return as_array(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def cropped(share: float) -> Alteration:
    """A crop anywhere in the image, enlarged to its size."""

    def crop(image: Pixels, rng: np.random.Generator) -> Pixels:
        height, width, _ = image.shape
        rows, columns = round(share * height), round(share * width)
        top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
        return resized(image[top : top + rows, left : left + columns], width, height)

    return crop


def turned_hue(degrees: float) -> Alteration:
    def turn(image: Pixels, rng: np.random.Generator) -> Pixels:
        values = np.array(Image.fromarray(image).convert("HSV")).astype(int)
        values[..., 0] = (values[..., 0] + round(degrees / 360 * 256)) % 256
        return as_array(Image.fromarray(values.astype(np.uint8), "HSV"))

    return turn


def compressed(image: Pixels, rng: np.random.Generator) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=50)
    return as_array(Image.open(file))


def halved(image: Pixels, rng: np.random.Generator) -> Pixels:
    height, width, _ = image.shape
    return resized(resized(image, width // 2, height // 2), width, height)


def pattern(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Plus or minus 8 in large blotches, the worst case for low frequencies."""
    height, width, _ = image.shape
    blotches = Image.fromarray(rng.normal(size=(4, 4)).astype(np.float32))
    signs = np.sign(np.asarray(blotches.resize((width, height), Image.Resampling.BICUBIC)))
    return plus(image, 8 * signs[..., None])


def framed(image: Pixels, rng: np.random.Generator) -> Pixels:
    height, width, _ = image.shape
    out = np.zeros_like(image)
    rows, columns = height // 10, width // 10
    out[rows : height - rows, columns : width - columns] = resized(image, width - 2 * columns, height - 2 * rows)
    return out


ALTERATIONS: Mapping[str, Alteration] = {
    "noise up to 8 of 255": lambda image, rng: plus(image, rng.integers(-8, 9, image.shape)),
    "plus or minus 8 of 255": lambda image, rng: plus(image, rng.choice([-8, 8], image.shape)),
    "crop to 90 %": cropped(0.9),
    "mirrored": lambda image, rng: image[:, ::-1],
    "hue 10 degrees": turned_hue(10),
    "JPEG, quality 50": compressed,
    "half the size and back": halved,
}
"""What must be found."""
HARDER: Mapping[str, Alteration] = {
    "plus or minus 8 in blotches": pattern,
    "mirrored, crop to 90 %": lambda image, rng: cropped(0.9)(image[:, ::-1], rng),
    "crop to 80 %": cropped(0.8),
    "crop to 70 %": cropped(0.7),
    "hue 20 degrees": turned_hue(20),
    "10 % brighter": lambda image, rng: plus(image, 0.1 * image),
    "30 % brighter": lambda image, rng: plus(image, 0.3 * image),
    "without colour": lambda image, rng: as_array(Image.fromarray(image).convert("L")),
    "turned by 5 degrees": lambda image, rng: as_array(Image.fromarray(image).rotate(5, Image.Resampling.BICUBIC)),
    "upside down": lambda image, rng: image[::-1],
    "frame of 10 %": framed,
}
"""Not asked for: where the limits of the method lie."""


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """Items of a data set.

    Attributes:
        name: Heading of a column.
        training: Training items.
        held_out: Items that copy no training item.
    """

    name: str
    training: Sequence[Pixels]
    held_out: Sequence[Pixels]


def worlds(seeds: Sequence[int]) -> list[Items]:
    """Worlds of tinyworld, each with the items of the next one as held out."""
    pixels = {}
    for seed in seeds:
        catalogue = build_world(load_task(find_task("tinyworld"), (f"data.params.seed={seed}",))).dataset.catalogue
        pixels[seed] = [catalogue.pixels(i) for i in range(len(catalogue))]
    following = {seed: seeds[(place + 1) % len(seeds)] for place, seed in enumerate(seeds)}
    return [Items(f"tinyworld, world {seed}", pixels[seed], pixels[following[seed]]) for seed in seeds]


def oasis(folder: Path) -> Items:
    world = build_world(load_task(find_task("oasis"), (f"data.path={folder.resolve()}",)))
    training, catalogue = world.division.training_items, world.dataset.catalogue
    parts = [[catalogue.pixels(int(i)) for i in np.flatnonzero(which)] for which in (training, ~training)]
    return Items("OASIS", *parts)


def sprites() -> Items:
    """A random half of the sprites stands for held-out ones."""
    catalogue = build_world(load_task(find_task("sprites"))).dataset.catalogue
    order = np.random.default_rng(SEED).permutation(len(catalogue))
    training, held_out = ([catalogue.pixels(i) for i in sorted(half.tolist())] for half in np.array_split(order, 2))
    return Items("sprites", training, held_out)


def column(items: Items) -> dict[str, str]:
    """The figures of one data set by row of the table."""
    started = time.perf_counter()
    index = CopyIndex(items.training)
    built = time.perf_counter()
    held_out = index.near_copies(items.held_out)
    asked = time.perf_counter()
    rng = np.random.default_rng(SEED)
    chosen = rng.choice(len(items.training), min(ALTERED, len(items.training)), replace=False)
    figures = {"training items": f"{len(items.training):,}", "altered": f"{len(chosen)}"}
    for name, alter in {**ALTERATIONS, **HARDER}.items():
        copies = index.near_copies([alter(items.training[i], rng) for i in chosen.tolist()])
        figures[name] = f"{100 * copies.mean():.1f} %"
    return figures | {
        "**held-out items**": f"{100 * held_out.mean():.2f} % of {len(held_out):,}",
        "limit of the ratio": f"{index.limits.ratio:.3f}",
        "limit in grey levels": f"{index.limits.levels:.2f}",
        "seconds to build the index": f"{built - started:.1f}",
        "seconds per 1,000 images": f"{1000 * (asked - built) / len(held_out):.2f}",
    }


def table(columns: Mapping[str, Mapping[str, str]]) -> str:
    """Markdown; a column per data set."""
    rows = [["", *columns], ["---"] * (len(columns) + 1)]
    rows += [[name, *(figures[name] for figures in columns.values())] for name in next(iter(columns.values()))]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def generators(task: Task, work: Path) -> dict[str, dict[str, str]]:
    """Share of near-copies among each generator's images in the work folder of a finished run."""
    materials, images = finished_run(task, work)
    world, rows = materials.world, {}
    catalogue, training = world.dataset.catalogue, world.division.training_items
    index = CopyIndex(LazyPixels(catalogue.pixels, np.flatnonzero(training).tolist()))
    for name, scored in images.items():
        first, position = np.unique(scored.unique, return_inverse=True)
        copies = index.near_copies(LazyPixels(scored.pixels_of, first.tolist()))[position]
        rows[name] = {
            "images": f"{len(scored):,}",
            "`near-copies`": f"{100 * (copies & (scored.item < 0)).mean():.1f} %",
            "if no item were declared": f"{100 * copies.mean():.1f} %",
        }
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, nargs="+", default=[2, 3, 4], metavar="SEED")
    parser.add_argument("--oasis", type=Path, metavar="FOLDER")
    parser.add_argument("--work", type=Path, metavar="FOLDER")
    given = parser.parse_args(arguments)
    sets = [*worlds(given.worlds), *([] if given.oasis is None else [oasis(given.oasis)]), sprites()]
    sys.stdout.write(table({items.name: column(items) for items in sets}))
    if given.work is not None:
        rows = generators(load_task(find_task("tinyworld")), given.work)
        columns = {head: {f"`{name}`": row[head] for name, row in rows.items()} for head in next(iter(rows.values()))}
        sys.stdout.write("\n" + table(columns))


if __name__ == "__main__":
    main()
