"""Export: what a generator outside of the benchmark needs, and nothing that it may not see, as plain files.

No file holds a held-out rating, a rating that only judges learn from, or anything of a judge. The same task gives the
same bytes.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydantic import JsonValue

from benchmark.disk import absent_beside, is_vacant
from benchmark.runner import croissant
from benchmark.runner.addresses import encoder_addresses
from benchmark.runner.croissant import ITEMS
from benchmark.runner.embed import Encoders, embed
from benchmark.runner.stages import Stages
from benchmark.runner.world import World, build_world, find_data
from benchmark.task.resolved import Task
from rebeca.arrays import Floats
from rebeca.data.cells import number_text
from rebeca.data.interactions import Interactions
from rebeca.errors import StoreError

FORMAT = 3
"""Of the exported files; raised with any change of their form."""


@dataclass(frozen=True, slots=True)
class Export:
    """What was written.

    Attributes:
        folder: Where.
        users: Users that images are asked for.
        requests: Images that are asked for.
        training_ratings: Ratings to learn from.
        items: Items of the data set.
    """

    folder: Path
    users: int
    requests: int
    training_ratings: int
    items: int


def export_task(task: Task, folder: Path, stages: Stages | None = None, device: str = "cpu") -> Export:
    """Writes the inputs of a generator into a new folder, which stays empty until all of them are written.

    Args:
        task: The task.
        folder: Where; absent or empty.
        stages: The store, where the items' embeddings are wanted as well. The caller holds its lock.
        device: Torch device that encodes the items.

    Raises:
        StoreError: If the folder holds something.
        RebecaError: If the data cannot be read.
    """
    if folder.is_symlink() or not is_vacant(folder):
        raise StoreError(f"{folder}: there is something already", hint="name a new folder, or remove this one")
    world = find_data(task, stages.store).read() if stages else build_world(task)
    embeddings = _embeddings(task, world, device, stages) if stages else None
    place = folder.resolve()
    temporary = absent_beside(place)
    temporary.mkdir(parents=True)
    _write(temporary, task, world, embeddings)
    place.mkdir(exist_ok=True)  # perhaps the current folder, which must stay the same one
    for path in sorted(temporary.iterdir()):
        path.rename(place / path.name)
    temporary.rmdir()
    return Export(
        folder,
        users=len(world.users),
        requests=len(world.users) * task.file.images,
        training_ratings=len(world.division.generators.train),
        items=len(world.dataset.catalogue),
    )


def _embeddings(task: Task, world: World, device: str, stages: Stages) -> Floats:
    """float32 [items, dim]; the items in the space of the task's encoder."""
    addresses = encoder_addresses(task, device, find_data(task, stages.store).addresses)
    encoders = Encoders(addresses, world.dataset.catalogue, world.division.training_items, device)
    return embed("task", encoders, addresses["task"], world.dataset.catalogue, stages)


def _write(folder: Path, task: Task, world: World, embeddings: Floats | None) -> None:
    dataset, division = world.dataset, world.division
    catalogue, candidates = dataset.catalogue, world.candidates
    decoder: Mapping[str, JsonValue] = task.file.decoder.params
    prompts = {name: decoder.get(name, "") for name in ("prompt", "negative_prompt")}
    if not any(prompts.values()):
        prompts = {}
    requests = (
        [user, k, k % task.file.fits, task.seeds.image(user, k), *prompts.values()]
        for user in world.user_ids
        for k in range(task.file.images)
    )
    _write_csv(folder / "requests.csv", ["user", "replicate", "fit", "seed", *prompts], requests)
    _write_ratings(folder / "training_ratings.csv", division.generators.train)
    _write_ratings(folder / "validation_ratings.csv", division.generators.validation)
    blocks = zip(dataset.ratings.user_ids, dataset.block_of_user.tolist(), strict=True)
    _write_csv(folder / "users.csv", ["user", "block"], blocks)
    captions = catalogue.captions or ("",) * len(catalogue)
    training, files = division.training_items.astype(int), [f"{ITEMS}/{i:06d}.png" for i in range(len(catalogue))]
    items = zip(catalogue.item_ids, files, catalogue.block.tolist(), training.tolist(), captions, strict=True)
    _write_csv(folder / "items.csv", ["item", "file", "block", "training", "caption"], items)
    (folder / ITEMS).mkdir()
    for index, file in enumerate(files):
        Image.fromarray(catalogue.pixels(index)).save(folder / file, "PNG")
    of_block = ((block, catalogue.item_ids[item]) for block, item in zip(*candidates.of_block.nonzero(), strict=True))
    _write_csv(folder / "candidates.csv", ["block", "item"], of_block)
    excluded = candidates.rated or ()
    rated = (
        (dataset.ratings.user_ids[user], catalogue.item_ids[item])
        for user in (world.users.tolist() if excluded else [])
        for item in excluded[user].tolist()
    )
    _write_csv(folder / "excluded.csv", ["user", "item"], rated)
    if embeddings is not None:
        np.save(folder / "embeddings.npy", embeddings)
    _write_json(folder / "task.json", _about(task, world, decoder))
    (folder / "README.md").write_text(_readme(task, world, embeddings is not None, bool(prompts)), encoding="utf-8")
    _write_json(folder / croissant.NAME, croissant.describe(folder, task, world))  # of all files above


def _about(task: Task, world: World, decoder: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """What ``task.json`` holds."""
    return {
        "format": FORMAT,
        "task": task.file.id,
        "version": task.file.version,
        "title": task.file.title,
        "hash": task.hash(),
        "modified": task.modified,
        "images_per_user": task.file.images,
        "fits": task.file.fits,
        "image_size": decoder.get("size"),
        "decoder": {"use": task.file.decoder.use, "params": dict(decoder)},
        "encoder": task.encoder.text,
        "like_at": task.file.data.like_at,
        "scale": list(world.dataset.scale),
        "data": world.dataset.title,
        "licence": world.dataset.licence,
        "redistribute": world.dataset.redistribute,
    }


def _write_json(path: Path, content: Mapping[str, JsonValue]) -> None:
    described = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(f"{described}\n", encoding="utf-8")


def _write_ratings(path: Path, rows: Interactions) -> None:
    users, items = ([ids[i] for i in index] for ids, index in ((rows.user_ids, rows.user), (rows.item_ids, rows.item)))
    likes = rows.liked.astype(int).tolist()
    table = zip(users, items, map(number_text, rows.rating), likes, strict=True)
    _write_csv(path, ["user", "item", "rating", "like"], table)


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _readme(task: Task, world: World, embeddings: bool, prompts: bool) -> str:
    spread = (
        "The items were drawn apart: candidates are items that no training rating concerns."
        if world.candidates.rated is None
        else "`excluded.csv` lists the items that each user rated already."
    )
    return README.format(
        title=task.file.title,
        id=task.file.id,
        version=task.file.version,
        users=len(world.users),
        images=task.file.images,
        fits=FITS.format(fits=task.file.fits) if task.file.fits > 1 else "",
        spread=spread,
        prompts=PROMPTS if prompts else "",
        embeddings=EMBEDDINGS if embeddings else "",
        sharing="may be passed on" if world.dataset.redistribute else "may not be passed on",
        licence=world.dataset.licence,
        failures=task.file.failures,
        most=100 * task.file.analysis.most_failures,
    )


FITS = """## Fits

The benchmark fits each generator {fits} times, because two fits of one generator differ. Do the same: fit yours {fits}
times with different random seeds, and make each image with the fit whose number is in the column `fit`. Give the table
below a column `fit` with a name per fit, and set `names_fits: true` in `params`. The names are yours, such as that of a
checkpoint. Otherwise all images count as those of one fitted model, and results are about that model only.

"""
PROMPTS = "Every request names the task's `prompt` and `negative_prompt` as well.\n"
EMBEDDINGS = (
    "| `embeddings.npy` | float32 [items, dim]: the items in the space of the task's encoder, in the order of"
    " `items.csv` |\n"
)
README = """# {title}

These are the inputs of a generator for the task `{id}`, version {version}. Make {images} images for each of {users}
users, and hand them in as files. No file here holds a held-out rating or anything of a judge.

## Files

All tables are UTF-8, with commas between cells and quotes where a cell needs them.

| file | holds |
|---|---|
| `requests.csv` | one row per image that is asked for: `user`, `replicate` (counted from 0), `fit`, `seed` |
| `training_ratings.csv` | what to learn from: `user`, `item`, `rating`, `like` (1 or 0) |
| `validation_ratings.csv` | the same, for early stopping and other choices |
| `users.csv` | `user`, `block`: users rate and see only items of their block |
| `items.csv` | `item`, `file`, `block`, `training` (1 where a model may look at the item while it learns), `caption` |
| `items/` | the items' images, with the pixels that generators of the benchmark get |
| `candidates.csv` | `block`, `item`: the items that may be shown to users of a block |
| `excluded.csv` | `user`, `item`: items that may not be shown to this user |
{embeddings}| `task.json` | the task: its hash, images per user, image size, scale, where likes begin |
| `croissant.json` | all of these files as Croissant 1.0, for programs that read data sets |

The candidates of a user are the items of the user's block in `candidates.csv`, less those in `excluded.csv`.
{spread}

Retrieval may return copies of candidates only. Images that you generate may have any size, unless `image_size` in
`task.json` says more. The data {sharing}; their licence: {licence}.

{fits}## Seeds

Take the randomness of an image from its seed, an unsigned 64-bit number. Two generators that use the same seeds see
the same noise, and their comparison is more precise. {prompts}Read the seed as a whole number: many programs round it.

Generators of the benchmark derive a random stream from a seed and a name. The seed of the stream is the first 8 bytes
of SHA-256 over the text `[seed,"name"]`, as a big-endian number. In Python:

    digest = hashlib.sha256(f'[{{seed}},"catalogue-random"]'.encode()).digest()
    stream = numpy.random.default_rng(int.from_bytes(digest[:8], "big"))

## Hand in the images

Use one folder per user, named by the user's id, and one file per image, named by its replicate:

    mine/u17/0.png
    mine/u17/1.png

The suffix is `.png`, `.webp`, `.jpg` or `.jpeg`, in small letters. If a user's id cannot be the name of a folder, or if
your files have other names, write a table `mine/images.csv`. Only the images that it names then count. Files are
relative to `mine/`, and lie inside it:

    user,replicate,file
    u17,0,some/name.png

To get a row onto a published leaderboard, describe your generator and yourself in a file, and make a bundle with
`rebeca-bench submit {id} FILE`; docs/submit.md shows a whole file. For a leaderboard of your own, add the generator to
the file of this task. Change neither `id`, `version` nor `seed`: the seeds depend on them. Either way it is written as

    - {{id: mine, title: My generator, use: folder, params: {{path: mine}}}}

Add `retrieval: true` to `params` if your images are copies of items. A missing image counts as
a failure; the task says `failures: {failures}`. If more than {most:g} % of the images fail, the generator has no rank.
"""
