"""Made-up photographs and ratings in FLICKR-AES's layout, so that its tasks run where the data are not to be had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from rebeca.data.flickr_aes import IMAGES, INDEX, TABLE
from rebeca.errors import StoreError

MARK = "made-up.txt"
SIZES = ((160, 120), (120, 160), (144, 144), (192, 108))
NOISE = 0.8
"""Standard deviation of a rating around the person's taste, in points."""


def write_made_up(root: Path, people: int, pictures: int, ratings: int, seed: int = 0) -> None:
    """Writes JPEG pictures of coloured shapes, and people who like one hue more than others.

    Args:
        root: An empty folder, or one that was written by this function before.
        people: How many people.
        pictures: How many pictures.
        ratings: Ratings a person.
        seed: Of everything.

    Raises:
        StoreError: If something else lies there.
    """
    if root.is_dir() and any(root.iterdir()) and not (root / MARK).is_file():
        raise StoreError(f"{root} holds something else", hint="name an empty folder")
    (root / IMAGES).mkdir(parents=True, exist_ok=True)
    (root / INDEX).unlink(missing_ok=True)
    (root / MARK).write_text("Made-up data in the layout of FLICKR-AES; no photograph, no person.\n", encoding="utf-8")
    rng = np.random.default_rng(seed)
    hue = rng.uniform(0, 1, pictures)
    names = [f"farm{1 + i % 9}_{i:05d}_made_up_b.jpg" for i in range(pictures)]
    for i, name in enumerate(names):
        _picture(rng, float(hue[i]), SIZES[i % len(SIZES)]).save(root / IMAGES / name, quality=90)
    rows = [" worker, imagePair, score"]
    liked = rng.uniform(0, 1, people)
    for person in range(people):
        chosen = np.sort(rng.choice(pictures, min(ratings, pictures), replace=False), kind="stable")
        taste = 3 + 2 * np.cos(2 * np.pi * (hue[chosen] - liked[person])) + rng.normal(0, NOISE, len(chosen))
        rows += [
            f" A{person:03d}, {names[i]}, {round(float(t))}" for i, t in zip(chosen, np.clip(taste, 1, 5), strict=True)
        ]
    (root / TABLE).write_text("\n".join(rows) + "\n", encoding="utf-8")


def _picture(rng: np.random.Generator, hue: float, size: tuple[int, int]) -> Image.Image:
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
