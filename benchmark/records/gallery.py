"""Images that a record holds, packed in Parquet files, and how users rated in training.

``images.parquet`` of a generator holds the first images of the gallery's users, ``_task/images.parquet`` the items that
these users liked and disliked. Images are lossless WebP files in a column; only the first of several equal images has
bytes. Images of data that may not be republished are packed in the same way, in the work folder instead of the records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from benchmark.analysis.inputs import Rows
from benchmark.records.columns import read_columns
from benchmark.records.files import refuse_if
from benchmark.records.schema import RatedItem, ShownImage, ShownTaste, Taste
from rebeca.arrays import Bools, Floats, Ints, Pixels
from rebeca.data.catalogue import Catalogue
from rebeca.data.dataset import Dataset
from rebeca.data.interactions import Interactions
from rebeca.data.splits import Division
from rebeca.errors import DataError, RecordError
from rebeca.pixels import decode_image, pixels_digest
from rebeca.seeds import SeedScheme, digest_of

PACKED = "images.parquet"
ALL_IMAGES = "all-images.parquet"
"""Of a bundle: every image of its generator, packed in the same way."""
GALLERY_USERS = 24
GALLERY_IMAGES = 4
"""Images per user of the gallery."""
LIKED, DISLIKED = 6, 3
MOST_LEVELS = 11
"""More different ratings than this are counted in ranges."""
RANGES = 10
LONGEST_WEBP_SIDE = 16_383
"""The format has 14 bits for a side; longer images are packed as PNG."""
MOST_PACKED = 100_000
"""Images in a packed file that is shown."""
MOST_PACKED_BYTES = 1 << 30
"""A packed file that declares more is refused; 96 images of a million pixels take a tenth of it."""
MOST_PACKED_PIXELS = 4_000_000_000
"""Of all images of a packed file; 3,150 images of a million pixels take three quarters of it."""
ENCODED_AT_ONCE = 32
"""Decoded images held in memory."""

IMAGES = pa.schema([("user", pa.string()), ("replicate", pa.int32()), ("digest", pa.string()), ("image", pa.binary())])
ITEMS = pa.schema([("item", pa.int32()), ("digest", pa.string()), ("image", pa.binary())])


def gallery_users(seeds: SeedScheme, ids: Sequence[str]) -> frozenset[str]:
    """The users whose first images a record holds: drawn by the task's seed, the same for every generator."""
    chosen = np.random.default_rng(seeds.fit("gallery")).permutation(len(ids))[:GALLERY_USERS]
    return frozenset(ids[int(i)] for i in chosen)


def shown_images(rows: Rows, seeds: SeedScheme, ids: Sequence[str]) -> tuple[ShownImage, ...]:
    """The images that a generator's record holds, in order."""
    gallery = gallery_users(seeds, ids)
    return tuple(
        ShownImage(user=user, replicate=k, digest=str(rows.digest[u, k]))
        for u, user in enumerate(ids)
        if user in gallery
        for k in range(min(GALLERY_IMAGES, rows.per_user))
        if not rows.failed[u, k]
    )


def pack_images(folder: Path, shown: Sequence[ShownImage], pixels: Callable[[str], Pixels], name: str = PACKED) -> None:
    """Writes ``images.parquet`` of a generator, or all of its images; ``pixels`` returns those of a digest."""
    _pack(
        folder / name,
        IMAGES,
        ([image.user for image in shown], [image.replicate for image in shown]),
        [image.digest for image in shown],
        pixels,
    )


def pack_examples(folder: Path, taste: Taste, catalogue: Catalogue) -> None:
    """Writes ``images.parquet`` of a task: the items that its taste shows, each once."""
    items = example_items(taste)
    named = {digest: item for item, digest in reversed(items)}
    _pack(
        folder / PACKED,
        ITEMS,
        ([item for item, _ in items],),
        [digest for _, digest in items],
        lambda digest: catalogue.pixels(named[digest]),
    )


def example_items(taste: Taste) -> list[tuple[int, str]]:
    """Index and digest of every item that a taste shows, in the order of the data set."""
    return sorted({(example.item, example.digest) for shown in taste.shown for example in shown.examples})


def _pack(
    path: Path,
    schema: pa.Schema,
    columns: Sequence[Sequence[str] | Sequence[int]],
    digests: Sequence[str],
    pixels: Callable[[str], Pixels],
) -> None:
    different = list(dict.fromkeys(digests))
    encoded: dict[str, bytes] = {}
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(different), ENCODED_AT_ONCE):
            part = different[start : start + ENCODED_AT_ONCE]
            encoded |= zip(part, pool.map(encode_lossless, [pixels(digest) for digest in part]), strict=True)
    bytes_once = [encoded.pop(digest, b"") for digest in digests]
    path.parent.mkdir(parents=True, exist_ok=True)
    compressed = [name for name in schema.names if name != "image"]
    pq.write_table(
        pa.table([*columns, digests, bytes_once], schema=schema),
        path,
        use_dictionary=compressed,
        write_statistics=False,
        compression={name: "zstd" if name in compressed else "none" for name in schema.names},
    )


def encode_lossless(pixels: Pixels) -> bytes:
    """A file with exactly these pixels; the same pixels always give the same bytes."""
    buffer = BytesIO()
    image = Image.fromarray(pixels)
    if max(image.size) > LONGEST_WEBP_SIDE:
        image.save(buffer, "PNG")
    else:
        image.save(buffer, "WEBP", lossless=True, exact=True, method=4, quality=50)
    return buffer.getvalue()


def unpack(folder: Path, schema: pa.Schema, name: str = PACKED) -> dict[str, bytes]:
    """Image files by digest, not decoded; nothing where the folder has no such file.

    Raises:
        RecordError: If the file cannot be read, or is too large.
    """
    path = folder / name
    if not path.exists():
        return {}
    columns = read_columns(path, schema, MOST_PACKED, MOST_PACKED_BYTES)
    return {str(digest): data for digest, data in zip(columns["digest"], columns["image"], strict=True) if len(data)}


def decode_packed(folder: Path, digest: str, data: bytes, name: str = PACKED) -> Pixels:
    """Decodes one image of a packed file and checks it against its digest.

    Raises:
        RecordError: If it is no image, is too large, or is another image.
    """
    where = f"{folder / name}: {digest[:16]}"
    hint = "run: rebeca-bench verify, on these records"
    try:
        pixels = decode_image(data, where)
    except DataError as error:
        raise RecordError(error.message, hint=hint) from error
    if pixels_digest(pixels) != digest:
        raise RecordError(f"{where}: is another image", hint=hint)
    return pixels


def check_packed(
    folder: Path, schema: pa.Schema, expected: Sequence[tuple[str | int, ...]], name: str = PACKED
) -> None:
    """Checks that a packed file holds exactly these images, each a row of ``schema`` without its bytes.

    Raises:
        RecordError: If it does not.
    """
    path = folder / name
    columns = read_columns(path, schema, max(MOST_PACKED, len(expected)), MOST_PACKED_BYTES)
    keys = [columns[key].tolist() for key in schema.names if key != "image"]
    refuse_if(
        list(zip(*keys, strict=True)) != list(expected),
        f"{path}: does not hold exactly the images that {'are shown' if name == PACKED else 'were scored'}",
    )
    seen: set[str] = set()
    pixels = sum(size_of(data, f"{path}") for data in columns["image"].tolist() if data)
    refuse_if(pixels > MOST_PACKED_PIXELS, f"{path}: {pixels:,} pixels are too many, at most {MOST_PACKED_PIXELS:,}")
    for digest, data in zip(columns["digest"].tolist(), columns["image"].tolist(), strict=True):
        refuse_if(bool(data) == (digest in seen), f"{path}: {digest[:16]} has its bytes twice, or none")
        if data:
            decode_packed(folder, digest, data, name)
            refuse_if(not _is_whole(data), f"{path}: {digest[:16]} holds more than an image")
        seen.add(digest)


def size_of(data: bytes, where: str) -> int:
    """Pixels of an image file, as its header says.

    Raises:
        RecordError: If it is no image.
    """
    try:
        with Image.open(BytesIO(data)) as image:
            return int(image.width * image.height)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RecordError(f"{where}: not a readable image, or too many pixels ({error})") from error


def _is_whole(data: bytes) -> bool:
    """Whether nothing follows the image in a file that :func:`encode_lossless` could have written."""
    if data.startswith(b"RIFF"):
        return data[8:16] == b"WEBPVP8L" and int.from_bytes(data[4:8], "little") + 8 == len(data)
    return data.startswith(b"\x89PNG") and data.find(b"IEND") == len(data) - 8


def taste_of(dataset: Dataset, division: Division, users: Ints, shown: frozenset[str]) -> Taste:
    """The taste of a task's users, from training ratings alone.

    Args:
        dataset: Ratings and items.
        division: Which ratings are for training.
        users: int [m]; users that images are made for.
        shown: Ids of the users whose images are shown.
    """
    rows = training_ratings(dataset.ratings, division)
    labels, level = _levels(rows.rating, dataset.scale)
    counts = np.zeros((rows.num_users, len(labels)), np.int64)
    np.add.at(counts, (rows.user, level), 1)
    return Taste(
        levels=tuple(labels),
        counts=tuple(tuple(row) for row in counts[users].tolist()),
        shown=tuple(
            examples_of(rows, dataset.catalogue, user) for user in users.tolist() if rows.user_ids[user] in shown
        ),
    )


def training_ratings(ratings: Interactions, division: Division) -> Interactions:
    """Every rating that a generator or judge is fitted on, each once; without validation and test ratings."""
    rated = np.zeros((ratings.num_users, ratings.num_items), np.int8)
    for party in (division.generators, division.verifier, division.auditor):
        rated[party.train.user, party.train.item] = 1 + party.train.liked
    label = rated[ratings.user, ratings.item]
    return replace(ratings, liked=label == 2).where(label > 0)


def _levels(rating: Floats, scale: tuple[float, float]) -> tuple[list[str], Ints]:
    values, level = np.unique(rating, return_inverse=True)
    if len(values) <= MOST_LEVELS:
        return [f"{value:g}" for value in values], level
    edges = np.linspace(*scale, RANGES + 1)
    level = np.clip(np.searchsorted(edges, rating, side="right") - 1, 0, RANGES - 1)
    return [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)], level


def examples_of(rows: Interactions, catalogue: Catalogue, user: int) -> ShownTaste:
    """A user's highest and lowest rated training items.

    Equal ratings are ordered by a hash, since items are often sorted by kind.
    """
    own = rows.where(rows.user == user)
    mixed = np.array([digest_of(rows.item_ids[item]) for item in own.item.tolist()])

    def chosen(order: Ints, among: Bools, most: int) -> tuple[RatedItem, ...]:
        return tuple(
            RatedItem(item=int(own.item[i]), digest=catalogue.digest(int(own.item[i])), rating=float(own.rating[i]))
            for i in order[among[order]][:most]
        )

    return ShownTaste(
        user=rows.user_ids[user],
        liked=chosen(np.lexsort((mixed, -own.rating)), own.liked, LIKED),
        disliked=chosen(np.lexsort((mixed, own.rating)), ~own.liked, DISLIKED),
    )
