"""How long a large site takes: building it, and sorting its leaderboard in a browser.

python scripts/perf/site.py                                   # 200 generators x 210 users
python scripts/perf/site.py --generators 50 --runs 3

The records are synthetic, of the shape and size of real ones: seven scorers, four images per user, 24 users with
images of 64 x 64. Only pairs with the reference are compared; all pairs of 200 generators would be 19,900.
"""

from __future__ import annotations

import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from benchmark.analysis.analyse import analyse
from benchmark.analysis.inputs import Rows
from benchmark.records.files import TASK_FOLDER, read_comparison, read_record, write_comparison, write_record
from benchmark.records.gallery import pack_images, shown_images
from benchmark.records.rows import HELD_OUT, image_digests, write_rows
from benchmark.records.schema import AnalysisRecord, GeneratorRecord, ShownImage, Taste, Users, plan_of
from benchmark.task.spec import Spec
from rebeca.arrays import Floats
from rebeca.pixels import pixels_digest
from rebeca.seeds import digest_of

TEMPLATE = Path(__file__).resolve().parent.parent.parent / "results" / "tinyworld-quick" / "v4"
IMAGES = 4
LIMITS = {"seconds": 60, "memory_mb": 1000, "page_kb": 500, "sort_ms": 50}


def make_records(folder: Path, generators: int, num_users: int, size: int = 64) -> Path:
    """Writes synthetic records of a task called ``large``; gives their version folder."""
    rng = np.random.default_rng(0)
    task, record = read_comparison(TEMPLATE), read_record(TEMPLATE / "rebeca")
    users = tuple(f"user-{u:03d}" for u in range(num_users))
    names = [f"generator-{g:03d}" for g in range(generators)]
    spec = _spec(task.spec, names)
    target = folder / "large" / f"v{spec.version}"
    header = task.task.model_copy(update={"id": spec.id, "title": spec.title, "hash": spec.hash()})
    taste = rng.normal(size=(num_users, 4))
    rows = [_rows(name, rng, taste, record, num_users) for name in names]
    shown = [_images(target / row.id, row, spec, users, rng, size) for row in rows]
    none = np.zeros(num_users, np.int64)
    analysis = analyse(plan_of(spec, True), rows, none, none)
    for row, images in zip(rows, shown, strict=True):
        entry = spec.generator(row.id)
        assert entry is not None
        seeds = [spec.seeds.image(user, k, entry.noise_group) for user in users for k in range(IMAGES)]
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
            "shown": images,
        }
        update = {
            "task": header,
            "generator": record.generator.model_copy(update={"id": row.id, "title": entry.title}),
            "images": record.images.model_copy(update=own),
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


def _spec(template: Spec, names: list[str]) -> Spec:
    entry = template.generator("rebeca")
    assert entry is not None
    changes = {"reference": names[0], "family": "against-reference", "bootstrap": 499, "permutations": 499}
    return template.model_copy(
        update={
            "id": "large",
            "title": "Large",
            "images": IMAGES,
            "generators": [
                entry.model_copy(update={"id": n, "title": f"Generator {n}", "images": None}) for n in names
            ],
            "analysis": template.analysis.model_copy(update=changes),
        }
    )


def _rows(name: str, rng: np.random.Generator, taste: Floats, record: GeneratorRecord, num_users: int) -> Rows:
    level, personal = rng.uniform(-1, 2), rng.uniform(0, 1)
    vectors = personal * taste[:, None] + rng.normal(size=(num_users, IMAGES, taste.shape[1]))
    everyone = 1 / (1 + np.exp(-(level + np.einsum("jd,tkd->jtk", taste, vectors) / 2)))
    own = everyone[np.arange(num_users), np.arange(num_users)]
    scores, pairs = {}, {}
    for scorer, info in record.measures.items():
        if info.of_images and info.everyone:
            noisy = np.clip(everyone + rng.normal(0, 0.05, everyone.shape), 0, 1)
            scores[scorer], pairs[scorer] = noisy[np.arange(num_users), np.arange(num_users)], noisy.mean(axis=2)[None]
        elif info.of_images:
            scores[scorer] = own + rng.normal(0, 0.05, own.shape)
    return Rows(
        id=name,
        ranked=True,
        digest=np.array([[digest_of([name, u, k]) for k in range(IMAGES)] for u in range(num_users)]),
        item=np.full((num_users, IMAGES), -1),
        failed=np.zeros((num_users, IMAGES), bool),
        scores=scores,
        lowest={scorer: np.zeros(num_users) for scorer in scores},
        cards={scorer: record.measures[scorer].card for scorer in scores},
        ranges={},
        sets={measure: rng.uniform(size=(1, num_users)) for measure in record.measures if measure not in scores},
        pairs=pairs,
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


@click.command()
@click.option("--generators", default=200, show_default=True)
@click.option("--users", default=210, show_default=True)
@click.option("--runs", default=3, show_default=True, help="Builds; the median counts.")
def main(generators: int, users: int, runs: int) -> None:
    """Makes records, builds the site in processes of their own, and measures."""
    with tempfile.TemporaryDirectory() as folder:
        root, site = Path(folder) / "records", Path(folder) / "site"
        make_records(root, generators, users)
        seconds = []
        for _ in range(runs):
            shutil.rmtree(site, ignore_errors=True)
            started = time.perf_counter()
            subprocess.run(
                [str(Path(sys.executable).with_name("rebeca-bench")), "site", "build", str(root), "--out", str(site)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            seconds.append(time.perf_counter() - started)
        page = site / "tasks" / "large" / "index.html"
        clicks = sort_milliseconds(page, 15)
        figures = {
            "seconds": round(statistics.median(seconds), 1),
            "memory_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
            "page_kb": round(page.stat().st_size / 1000),
            "sort_ms": round(statistics.median(clicks), 1),
        }
    for name, value in figures.items():
        click.echo(f"{name:10s} {value:8} (limit {LIMITS[name]})")
    click.echo(json.dumps({"generators": generators, "users": users, "builds": [round(s, 1) for s in seconds]}))


if __name__ == "__main__":
    main()
