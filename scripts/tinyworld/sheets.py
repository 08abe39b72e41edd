"""Contact sheets of the docs: images of the miniature models, and images of every generator for the same users.

``python -m scripts.tinyworld.sheets`` draws the models' sheet; ``python -m scripts.docs_numbers --write`` those of
published records. Pixels are doubled where there are few generators, never smoothed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmark.records import gallery
from benchmark.records.files import read_comparison, read_record

IMAGES = Path(__file__).resolve().parent.parent.parent / "docs" / "images" / "tinyworld"
ZOOM = 2
MANY = 12
"""From so many generators on, a sheet shows fewer users at the original size."""
SIDE = 64
EACH = 4
HEADING = 16
GAP = 12
SHOWN = 12


def main() -> None:
    """Writes the sheet of the models."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    file = IMAGES / "models.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    models().save(file, optimize=True)
    sys.stdout.write(f"{file}\n")


def models() -> Image.Image:
    """Test postcards; images from their embeddings; images from their captions."""
    from rebeca.tinyworld.models import load_clip
    from scripts.tinyworld import evaluate
    from scripts.tinyworld.data import postcards

    data = postcards("test", SHOWN)
    originals = data.pixels.permute(0, 2, 3, 1).numpy()
    empty = [""] * SHOWN
    requests = evaluate._requests(SHOWN)
    wanted = evaluate._images(load_clip("prior-encoder"), data.pixels).numpy()
    by_embedding = list(evaluate._decoder(evaluate.EMBEDDING_GUIDANCE).generate_pixels(requests, empty, empty, wanted))
    by_caption = list(
        evaluate._decoder(evaluate.TEXT_GUIDANCE).generate_pixels(requests, list(data.captions), empty, None)
    )
    if any(image is None for image in (*by_embedding, *by_caption)):
        sys.exit("an image holds numbers that are not finite")
    half = SHOWN // 2
    rows = [part[s] for s in (slice(0, half), slice(half, None)) for part in (originals, by_embedding, by_caption)]
    return grid(np.array(rows))


def generators(records: Path) -> Image.Image:
    """One block per generator: the same users, four images each."""
    order = read_comparison(records).order
    users, columns, zoom = (3, 4, 1) if len(order) > MANY else (6, 3, ZOOM)
    blocks = [block(records / name, users, zoom) for name in order]
    width, height = blocks[0].size
    across = min(columns, len(blocks))
    down = -(-len(blocks) // across)
    sheet = Image.new("RGB", (across * (width + GAP) - GAP, down * (height + GAP) - GAP), "white")
    for i, image in enumerate(blocks):
        sheet.paste(image, (i % across * (width + GAP), i // across * (height + GAP)))
    return sheet


def block(folder: Path, users: int, zoom: int) -> Image.Image:
    """The title and the images of one generator; one row per user."""
    record, packed = read_record(folder), gallery.unpack(folder, gallery.IMAGES)
    shown: dict[str, dict[int, str]] = {}
    for image in record.images.shown:
        shown.setdefault(image.user, {})[image.replicate] = image.digest
    pixels = np.full((users, EACH, SIDE, SIDE, 3), 255, np.uint8)
    for row, user in enumerate(sorted(shown)[:users]):
        for replicate, digest in shown[user].items():
            if replicate < EACH:
                pixels[row, replicate] = gallery.decode_packed(folder, digest, packed[digest])
    images = grid(pixels, zoom)
    out = Image.new("RGB", (images.width, images.height + HEADING), "white")
    ImageDraw.Draw(out).text((0, 2), record.generator.title, fill="black")
    out.paste(images, (0, HEADING))
    return out


def grid(pixels: np.ndarray, zoom: int = ZOOM) -> Image.Image:
    """[rows, columns, height, width, 3] as one image."""
    rows, columns, height, width, _ = pixels.shape
    flat = pixels.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)
    return Image.fromarray(flat).resize((columns * width * zoom, rows * height * zoom), Image.Resampling.NEAREST)


if __name__ == "__main__":
    main()
