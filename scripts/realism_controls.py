"""The second table of docs/reports/realism.md: the distance of known images to postcards, by encoder.

    python -m scripts.realism_controls --encoder efficientnet-lite0

The reference are 789 postcards, as many as tinyworld holds out. The images come from other postcards, three for each of
100 users, who do not differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageFilter

from benchmark.runner.plugins import build_encoder
from benchmark.stats.intervals import mean_interval, resampling_weights
from benchmark.stats.random import stream
from benchmark.task.encoders import named_encoder
from rebeca.arrays import Pixels, unit_rows
from rebeca.scorers.realism import cmmd, kid
from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import draw_scenes
from scripts.tinyworld.treated import Treat, drawings, gradients, jpeg, mosaics, random_phases

REFERENCE, USERS, IMAGES = 789, 100, 3


def softened(radius: float) -> Treat:
    """A Gaussian blur of one radius, in pixels."""

    def soften(images: Pixels, rng: np.random.Generator) -> Pixels:
        blurs = (Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)) for image in images)
        return np.stack([np.asarray(blur) for blur in blurs])

    return soften


def repeated(postcards: int) -> Treat:
    """The same few postcards again and again."""
    return lambda images, rng: images[np.arange(len(images)) % postcards]


KINDS: Mapping[str, Treat] = {
    "new postcards": lambda images, rng: images,
    "new postcards, JPEG of quality 75 to 95": jpeg,
    "new postcards, blurred by 0.5 pixels": softened(0.5),
    "new postcards, blurred by 1 pixel": softened(1),
    "new postcards, blurred by 2 pixels": softened(2),
    "30 postcards, each shown to ten users": repeated(30),
    "one postcard shown to all": repeated(1),
    "blocks of different postcards": mosaics,
    "gradients": gradients,
    "discs, rectangles, triangles, lines": drawings,
    "random phases": random_phases,
}


@click.command()
@click.option("--encoder", default="efficientnet-lite0", show_default=True)
def main(encoder: str) -> None:
    """Prints the table."""
    built = build_encoder(named_encoder(encoder, Path()), "cpu")
    reference = built.encode(list(render(draw_scenes(REFERENCE, 2, "catalogue"))))
    postcards = render(draw_scenes(USERS * IMAGES, 3, "catalogue"))
    distances, weights = (kid(reference), cmmd(reference)), resampling_weights(USERS, 9999, stream("controls"))
    click.echo("| images | KID | CMMD |\n|---|---|---|")
    for name, treat in KINDS.items():
        vectors = built.encode(list(treat(postcards, stream("controls", name))))
        cells = []
        for distance, points in zip(distances, (vectors, unit_rows(vectors)), strict=True):
            interval = mean_interval(distance.by_user(points, np.arange(len(points)) // IMAGES, USERS), weights)
            ends = "no interval" if np.isnan(interval.low) else f"{interval.low:.4f} to {interval.high:.4f}"
            cells.append(f"{interval.estimate:.4f} ({ends})")
        click.echo(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
