"""How long a large site takes: building it, and sorting its leaderboard in a browser.

python scripts/perf/site.py                                   # 200 generators x 210 people
python scripts/perf/site.py --generators 50 --runs 3

The records are made up, of the shape and size of real ones: seven scorers, four pictures a person, 24 people with
pictures of 64 x 64. Only pairs with the reference are compared; all pairs of 200 generators would be 19,900.
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
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmark.analysis.analyse import Rows, analyse
from benchmark.records.files import TASK_FOLDER, read_comparison, read_record, write_comparison, write_record
from benchmark.records.rows import write_rows
from benchmark.runner.images import png
from benchmark.runner.write_records import GALLERY_PICTURES, gallery_people, plan_of, with_numbers
from benchmark.task.resolve import analysis_hash
from rebeca.interfaces import pixels_digest
from rebeca.seeds import SeedScheme, digest_of

TEMPLATE = Path(__file__).resolve().parent.parent.parent / "results" / "tinyworld-quick" / "v3"
PICTURES = 4
LIMITS = {"seconds": 60, "memory_mb": 1000, "page_kb": 500, "sort_ms": 50}


def make_records(folder: Path, generators: int, people: int, size: int = 64) -> Path:
    """Writes made-up records of a task called ``large``; gives their version folder."""
    rng = np.random.default_rng(0)
    comparison, record = read_comparison(TEMPLATE), read_record(TEMPLATE / "rebeca")
    users = [f"person-{u:03d}" for u in range(people)]
    names = [f"generator-{g:03d}" for g in range(generators)]
    spec = comparison["spec"] | {"id": "large", "title": "Large", "pictures": PICTURES}
    entry = next(one for one in spec["generators"] if one["id"] == "rebeca")
    spec["generators"] = [entry | {"id": name, "title": f"Generator {name}"} for name in names]
    spec["analysis"] = spec["analysis"] | {
        "reference": names[0],
        "family": "against-reference",
        "bootstrap": 499,
        "permutations": 499,
    }
    header = comparison["task"] | {"id": "large", "title": "Large", "hash": digest_of(spec)}
    plan = plan_of(spec, analysis_hash(spec), True)
    target = folder / "large" / f"v{header['version']}"
    drawn = gallery_people(SeedScheme("large", header["version"], spec["seed"]), users)
    taste = rng.normal(size=(people, 4))
    rows, shown = [], {}
    for name in names:
        rows.append(_rows(name, rng, taste, record, people))
        shown[name] = _pictures(target / name / "pictures", rows[-1], users, drawn, rng, size)
    found = analyse(plan, rows, np.zeros(people, np.int64), np.zeros(people, np.int64))
    scheme = SeedScheme("large", header["version"], spec["seed"], entry["offset"])
    seeds = np.array([scheme.image(u, k, entry["noise_group"]) for u in users for k in range(PICTURES)], np.uint64)
    for name, one in zip(names, rows, strict=True):
        write_rows(target / name, one, tuple(users), seeds, [""] * (people * PICTURES))
        made = [[u, k, str(one.digest[i, k])] for i, u in enumerate(users) for k in range(PICTURES)]
        pictures = record["pictures"] | {
            "requested": len(made), "valid": len(made), "different": len({m[2] for m in made}), "from_catalogue": 0,
            "failures": {}, "digest": digest_of(made), "set_digest": digest_of(sorted(m[2] for m in made)),
            "shown": shown[name],
        }  # fmt: skip
        generator = record["generator"] | {"id": name, "title": f"Generator {name}"}
        own = record | {"task": header, "generator": generator, "pictures": pictures}
        write_record(target / name, with_numbers(own, found["generators"][name]))
    (target / TASK_FOLDER).mkdir()
    shutil.copyfile(TEMPLATE / TASK_FOLDER / "verifier.parquet", target / TASK_FOLDER / "verifier.parquet")
    everybody = [*comparison["user_ids"], *users]
    task = comparison | {
        "task": header, "spec": spec, "analysis": {"hash": analysis_hash(spec), "frozen": True},
        "users": {"id": users, "block": [0] * people, "stratum": [0] * people}, "order": names, "user_ids": everybody,
        "results": {key: value for key, value in found.items() if key != "generators"},
        "taste": {"levels": list("12345"), "counts": rng.integers(1, 40, (people, 5)).tolist(), "shown": []},
    }  # fmt: skip
    write_comparison(target, task)
    return target


def _rows(name: str, rng: Any, taste: Any, record: dict[str, Any], people: int) -> Rows:
    level, personal = rng.uniform(-1, 2), rng.uniform(0, 1)
    made = personal * taste[:, None] + rng.normal(size=(people, PICTURES, taste.shape[1]))
    everyone = 1 / (1 + np.exp(-(level + np.einsum("jd,tkd->jtk", taste, made) / 2)))
    own = everyone[np.arange(people), np.arange(people)]
    measures = record["summary"]
    scores = {"ncf": own} | {m: own + rng.normal(0, 0.05, own.shape) for m in measures if m in ("hpsv2", "laion")}
    pairs = {"ncf": everyone.mean(axis=2)}
    for scorer in ("auditor", "ground-truth"):
        noisy = np.clip(everyone + rng.normal(0, 0.05, everyone.shape), 0, 1)
        scores[scorer], pairs[scorer] = noisy[np.arange(people), np.arange(people)], noisy.mean(axis=2)
    sets = {m: rng.uniform(size=people) for m in measures if m not in scores}
    digest = np.array([[digest_of([name, u, k]) for k in range(PICTURES)] for u in range(people)])
    return Rows(
        id=name, ranked=True, digest=digest, item=np.full((people, PICTURES), -1),
        failed=np.zeros((people, PICTURES), bool), scores=scores, lowest={m: np.zeros(people) for m in scores},
        higher=dict.fromkeys(scores, True), sets=sets, pairs=pairs, ground_truths=frozenset({"ground-truth"}),
    )  # fmt: skip


def _pictures(folder: Path, rows: Rows, users: list[str], drawn: set[str], rng: Any, size: int) -> list[dict[str, Any]]:
    folder.mkdir(parents=True)
    shown = []
    ramp = np.linspace(0, 200, size, dtype=np.uint8)
    for u, user in enumerate(users):
        for k in range(GALLERY_PICTURES if user in drawn else 0):
            pixels = (
                np.zeros((size, size, 3), np.uint8) + rng.integers(0, 50, (size, 1, 3)).astype(np.uint8) + ramp[:, None]
            )
            rows.digest[u, k] = pixels_digest(pixels)
            (folder / f"{rows.digest[u, k]}.png").write_bytes(png(pixels))
            shown.append({"user": user, "replicate": k, "digest": str(rows.digest[u, k])})
    return shown


def sort_milliseconds(page: Path, runs: int) -> list[float]:
    """How long a click on a heading takes in Chromium, layout included; a number a click."""
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
@click.option("--people", default=210, show_default=True)
@click.option("--runs", default=3, show_default=True, help="Builds; the median counts.")
def main(generators: int, people: int, runs: int) -> None:
    """Makes records, builds the site in processes of their own, and measures."""
    with tempfile.TemporaryDirectory() as folder:
        root, site = Path(folder) / "records", Path(folder) / "site"
        make_records(root, generators, people)
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
        found = {
            "seconds": round(statistics.median(seconds), 1),
            "memory_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
            "page_kb": round(page.stat().st_size / 1000),
            "sort_ms": round(statistics.median(clicks), 1),
        }
    for name, value in found.items():
        click.echo(f"{name:10s} {value:8} (limit {LIMITS[name]})")
    click.echo(json.dumps({"generators": generators, "people": people, "builds": [round(s, 1) for s in seconds]}))


if __name__ == "__main__":
    main()
