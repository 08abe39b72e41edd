"""How long large sites take: building them, and sorting a leaderboard in a browser; and how large their files are.

python scripts/perf/site.py                                   # 200 generators x 210 users, and 10 x 2,000
python scripts/perf/site.py --generators 50 --runs 3 --many 0 # one site alone
python scripts/perf/site.py --json                            # the same figures, to be read by a program

The records are synthetic, of the shape and size of real ones: seven scorers, four images per user (ten where users are
many), 24 users with images of 64 x 64. Only pairs with the reference are compared; all pairs of 200 generators would
be 19,900.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from benchmark.analysis.analyse import analyse
from benchmark.analysis.inputs import Rows
from benchmark.records.files import TASK_FOLDER, read_comparison, read_record, write_comparison, write_record
from benchmark.records.gallery import pack_images, shown_images
from benchmark.records.rows import HELD_OUT, image_digests, write_rows
from benchmark.records.schema import AnalysisRecord, GeneratorRecord, ShownImage, Taste, Users, plan_of
from benchmark.site.parts import LOADED
from benchmark.stats.groups import Groups
from benchmark.task.spec import Spec
from rebeca.arrays import Floats, Ints
from rebeca.pixels import pixels_digest
from rebeca.seeds import digest_of

TEMPLATE = Path(__file__).resolve().parent.parent.parent / "results" / "tinyworld-quick" / "v4"
IMAGES, IMAGES_OF_MANY = 4, 10
GENERATORS_OF_MANY = 10
GROUPED_FROM, MOST_COMPARED = 1_000, 200
"""More users are compared in groups of so many."""
LOADED_KINDS = {".html", ".js", ".svg", ".png", ".webp", ".csv"}
LIMITS: dict[str, float | None] = {
    "seconds": 60,
    "memory_mb": 1000,
    "file_kb": None,
    "file_kb_of_many": LOADED / 1000,
    "sort_ms": 50,
}
"""Files are limited where users are many, not where generators are."""


def make_records(folder: Path, generators: int, num_users: int, images: int = IMAGES, size: int = 64) -> Path:
    """Writes synthetic records of a task called ``large``; gives their version folder."""
    rng = np.random.default_rng(0)
    task, record = read_comparison(TEMPLATE), read_record(TEMPLATE / "rebeca")
    users = tuple(f"user-{u:03d}" for u in range(num_users))
    names = [f"generator-{g:03d}" for g in range(generators)]
    spec = _spec(task.spec, names, images, MOST_COMPARED if num_users > GROUPED_FROM else None)
    target = folder / "large" / f"v{spec.version}"
    header = task.task.model_copy(update={"id": spec.id, "title": spec.title, "hash": spec.hash()})
    taste, none = rng.normal(size=(num_users, 4)), np.zeros(num_users, np.int64)
    plan = plan_of(spec, True)
    rows = [_rows(name, rng, taste, plan.groups(none), record, images) for name in names]
    shown = [_images(target / row.id, row, spec, users, rng, size) for row in rows]
    analysis = analyse(plan, rows, none, none)
    for row, packed in zip(rows, shown, strict=True):
        entry = spec.generator(row.id)
        assert entry is not None
        seeds = [spec.seeds.image(user, k, entry.noise_group) for user in users for k in range(images)]
        write_rows(target / row.id, row, users, np.array(seeds, np.uint64), [""] * len(seeds))
        digest, set_digest = image_digests(users, row.digest)
        own = {
            "requested": len(seeds),
            "valid": len(seeds),
            "different": len(np.unique(row.digest)),
            "from_catalogue": 0,
            "copies": 0,
            "failures": {},
            "digest": digest,
            "set_digest": set_digest,
            "shown": packed,
        }
        update = {
            "task": header,
            "generator": record.generator.model_copy(update={"id": row.id, "title": entry.title}),
            "images": record.images.model_copy(update=own),
            "fits": record.fits[:1],
            **{key: getattr(analysis.generators[row.id], key) for key in ("summary", "personal", "gap")},
        }
        write_record(target / row.id, record.model_copy(update=update))
    (target / TASK_FOLDER).mkdir()
    shutil.copyfile(TEMPLATE / TASK_FOLDER / HELD_OUT, target / TASK_FOLDER / HELD_OUT)
    counts = tuple(tuple(row) for row in rng.integers(1, 40, (num_users, 5)).tolist())
    changes = {
        "task": header,
        "spec": spec,
        "analysis": AnalysisRecord(hash=spec.analysis_hash(), frozen=True),
        "users": Users(id=users, block=(0,) * num_users, stratum=(0,) * num_users),
        "order": tuple(names),
        "user_ids": (*task.user_ids, *users),
        "results": analysis.task,
        "taste": Taste(levels=tuple("12345"), counts=counts, shown=()),
    }
    write_comparison(target, task.model_copy(update=changes))
    return target


def _spec(template: Spec, names: list[str], images: int, most_compared: int | None) -> Spec:
    entry = template.generator("rebeca")
    assert entry is not None
    changes = {"reference": names[0], "family": "against-reference", "bootstrap": 499, "permutations": 499}
    changes["most_compared"] = most_compared
    return template.model_copy(
        update={
            "id": "large",
            "title": "Large",
            "images": images,
            "fits": 1,
            "generators": [
                entry.model_copy(update={"id": n, "title": f"Generator {n}", "images": None}) for n in names
            ],
            "analysis": template.analysis.model_copy(update=changes),
        }
    )


def _rows(
    name: str, rng: np.random.Generator, taste: Floats, group: Ints, record: GeneratorRecord, images: int
) -> Rows:
    num_users, level, personal, groups = len(taste), rng.uniform(-1, 2), rng.uniform(0, 1), Groups.of(group)
    vectors = personal * taste[:, None] + rng.normal(size=(num_users, images, taste.shape[1]))
    everyone = 1 / (1 + np.exp(-(level + np.einsum("jd,jtkd->jtk", taste, vectors[groups.targets]) / 2)))
    everyone[groups.targets < 0] = np.nan
    own = everyone[np.arange(num_users), groups.place]
    scores, pairs = {}, {}
    for scorer, info in record.measures.items():
        if info.of_images and info.everyone:
            noisy = np.clip(everyone + rng.normal(0, 0.05, everyone.shape), 0, 1)
            scores[scorer], pairs[scorer] = noisy[np.arange(num_users), groups.place], noisy.mean(axis=2)[None]
        elif info.of_images:
            scores[scorer] = np.clip(own + rng.normal(0, 0.05, own.shape), 0, 1)
    return Rows(
        id=name,
        ranked=True,
        digest=np.array([[digest_of([name, u, k]) for k in range(images)] for u in range(num_users)]),
        item=np.full((num_users, images), -1),
        failed=np.zeros((num_users, images), bool),
        scores=scores,
        lowest={scorer: np.zeros(num_users) for scorer in scores},
        cards={scorer: record.measures[scorer].card for scorer in scores},
        ranges={},
        sets={measure: rng.uniform(size=(1, num_users)) for measure in record.measures if measure not in scores},
        pairs=pairs,
        group=group,
    )


def _images(
    folder: Path, rows: Rows, spec: Spec, users: Sequence[str], rng: np.random.Generator, size: int
) -> tuple[ShownImage, ...]:
    """Draws the images that the record carries, puts their digests into the rows, and packs them."""
    ramp = np.linspace(0, 200, size, dtype=np.uint8)
    index = {user: u for u, user in enumerate(users)}
    drawn = {}
    for image in shown_images(rows, spec.seeds, users):
        noise = rng.integers(0, 50, (size, 1, 3)).astype(np.uint8)
        pixels = np.zeros((size, size, 3), np.uint8) + noise + ramp[:, None]
        rows.digest[index[image.user], image.replicate] = pixels_digest(pixels)
        drawn[pixels_digest(pixels)] = pixels
    shown = shown_images(rows, spec.seeds, users)
    pack_images(folder, shown, drawn.__getitem__)
    return shown


def sort_milliseconds(page: Path, runs: int) -> list[float]:
    """How long a click on a heading takes in Chromium, layout included; one value per click."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        opened = browser.new_page(viewport={"width": 1440, "height": 900})
        opened.goto(f"file://{page}")
        opened.wait_for_selector("#controls:not([hidden])")
        opened.wait_for_timeout(500)
        script = """() => { const start = performance.now(); document.querySelector('th[data-key=ncf] button').click();
                           document.body.offsetHeight; return performance.now() - start; }"""
        return [float(opened.evaluate(script)) for _ in range(runs)]


@dataclass(frozen=True, slots=True)
class Built:
    """A built site.

    Attributes:
        pages: Folder of its only task.
        seconds: Median over the builds.
        memory_mb: Largest over the builds.
    """

    pages: Path
    seconds: float
    memory_mb: int


def build(folder: Path, generators: int, users: int, images: int, runs: int) -> Built:
    """Makes records and builds their site, in a process of its own each time."""
    make_records(folder / "records", generators, users, images)
    command = [str(Path(sys.executable).with_name("rebeca-bench")), "site", "build"]
    seconds, memory = [], []
    for _ in range(runs):
        shutil.rmtree(folder / "site", ignore_errors=True)
        started = time.perf_counter()
        process = subprocess.Popen(
            [*command, str(folder / "records"), "--out", str(folder / "site")], stdout=subprocess.DEVNULL
        )
        _, status, used = os.wait4(process.pid, 0)
        if status:
            raise click.ClickException("the site was not built")
        seconds.append(time.perf_counter() - started)
        memory.append(used.ru_maxrss // 1024)
    return Built(folder / "site" / "tasks" / "large", statistics.median(seconds), max(memory))


def largest(pages: Path) -> Path:
    """The largest file that a page loads or that holds a figure's data; the leaderboard's downloads are set aside."""
    files = [path for path in pages.rglob("*") if path.suffix in LOADED_KINDS and path.stem != "leaderboard"]
    return max(files, key=lambda path: path.stat().st_size)


def met(value: float, limit: float | None) -> bool | None:
    """Whether a limit is met; None where there is none."""
    return None if limit is None else value <= limit


@click.command()
@click.option("--generators", default=200, show_default=True)
@click.option("--users", default=210, show_default=True)
@click.option("--runs", default=3, show_default=True, help="Builds; the median counts.")
@click.option("--many", default=2000, show_default=True, help="Users of a second site; 0 leaves it out.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of figures with their limits.")
def main(generators: int, users: int, runs: int, many: int, as_json: bool) -> None:
    """Makes records, builds the sites in processes of their own, and measures."""
    figures: list[tuple[str, str, float]] = []
    sizes = [(generators, users, IMAGES)] + ([(GENERATORS_OF_MANY, many, IMAGES_OF_MANY)] if many else [])
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            built = build(Path(folder), *size, runs)
            what = f"{size[0]} generators x {size[1]:,} users"
            file, of_many = largest(built.pages), "" if size == sizes[0] else "_of_many"
            figures += [
                (f"{what}: seconds", "seconds", round(built.seconds, 1)),
                (f"{what}: memory, MB", "memory_mb", built.memory_mb),
                (
                    f"{what}: largest file, kB ({file.relative_to(built.pages)})",
                    f"file_kb{of_many}",
                    file.stat().st_size / 1000,
                ),
            ]
            if size == sizes[0]:
                clicks = sort_milliseconds(built.pages / "index.html", 15)
                figures.append((f"{what}: sorting, ms", "sort_ms", round(statistics.median(clicks), 1)))
    lines = [
        {"what": what, "value": value, "limit": LIMITS[kind], "met": met(value, LIMITS[kind])}
        for what, kind, value in figures
    ]
    if as_json:
        click.echo(json.dumps(lines, indent=1))
        return
    for line in lines:
        limit = "" if line["limit"] is None else f" (limit {line['limit']:g}{'' if line['met'] else ', exceeded'})"
        click.echo(f"{line['what']:75s} {line['value']:8}{limit}")


if __name__ == "__main__":
    main()
