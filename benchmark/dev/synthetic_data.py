"""Synthetic images and ratings in FLICKR-AES's layout, so that its tasks run without the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmark.disk import is_vacant
from rebeca.data.flickr_aes import IMAGES, INDEX, TABLE
from rebeca.errors import StoreError

MARK = "synthetic.txt"
SIZES = ((160, 120), (120, 160), (144, 144), (192, 108))
NOISE = 0.8
"""Standard deviation of a rating around the user's taste, in points."""


def write_synthetic(root: Path, users: int, items: int, ratings: int, seed: int = 0) -> None:
    """Writes JPEG images of coloured shapes, and ratings of users who like one hue more than others.

    Args:
        root: An empty folder, or one that this function wrote before.
        users: Number of users.
        items: Number of items.
        ratings: Ratings per user.
        seed: Of items, tastes and noise.

    Raises:
        StoreError: If ``root`` holds anything else.
    """
    if not is_vacant(root) and not (root / MARK).is_file():
        raise StoreError(f"{root} holds something else", hint="name an empty folder")
    (root / IMAGES).mkdir(parents=True, exist_ok=True)
    (root / INDEX).unlink(missing_ok=True)
    (root / MARK).write_text(
        "Synthetic data in the layout of FLICKR-AES; no photograph, no person.\n", encoding="utf-8"
    )
    rng = np.random.default_rng(seed)
    hue = rng.uniform(0, 1, items)
    names = [f"farm{1 + i % 9}_{i:05d}_made_up_b.jpg" for i in range(items)]
    for i, name in enumerate(names):
        _draw(rng, float(hue[i]), SIZES[i % len(SIZES)]).save(root / IMAGES / name, quality=90)
    lines = [" worker, imagePair, score"]
    for user, liked in enumerate(rng.uniform(0, 1, users)):
        chosen = np.sort(rng.choice(items, min(ratings, items), replace=False), kind="stable")
        taste = 3 + 2 * np.cos(2 * np.pi * (hue[chosen] - liked)) + rng.normal(0, NOISE, len(chosen))
        for i, rating in zip(chosen, np.clip(taste, 1, 5), strict=True):
            lines.append(f" A{user:03d}, {names[i]}, {round(float(rating))}")
    (root / TABLE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _draw(rng: np.random.Generator, hue: float, size: tuple[int, int]) -> Image.Image:
    width, height = size
    ground = np.linspace(60, 200, height)[:, None] + rng.normal(0, 6, (height, width))
    h = np.full((height, width), hue * 255)
    image = Image.fromarray(np.stack([h, np.full_like(h, 150), ground], 2).clip(0, 255).astype(np.uint8), "HSV")
    image = image.convert("RGB")
    draw = ImageDraw.Draw(image)
    for _ in range(3):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(8, 30)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
    return image
