"""Many users, from the task to the page, with a generator that only looks up the nearest item.

    python -m scripts.scale.users --users 20000 --workdir /tmp/many

Writes a folder data set of small pictures and a task, runs it, and prints time and memory by stage. The cost that is
left is that of the benchmark itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
from PIL import Image

RUN = "from benchmark.commands.main import main; main()"
TASK = """
schema: 1
id: many-users
version: 1
title: Many users
seed: 1
data:
  kind: folder
  path: data
  params: {scale: [1, 5], redistribute: true}
  like_at: 4
  split: {kind: held-out-items, test: 0.2, validation: 0.1}
judges:
  verifier: {use: ncf, encoder: "fourier:8"}
  auditor: {use: ncf, encoder: {use: "pca:32", of: "fourier:12"}}
  ratings: disjoint
images: 2
encoder: {use: "pca:16", of: "fourier:8"}
decoder: {use: nearest-picture}
generators:
  - id: rebeca
    use: rebeca
    params:
      normalize: pca
      dims: 16
      network: mlp
      hidden: 128
      layers: 2
      user_rows: taste
      freeze_user_rows: true
      max_steps: 500
      patience: null
      batch: 256
      lr: 0.001
      sampler: DPMSolverMultistepScheduler
      steps: 8
      prior_guidance: 4.0
  - {id: rebeca-shuffled-users, extends: rebeca, params: {users: shuffled}}
  - {id: catalogue-random, use: catalogue, params: {rank_by: random}}
scorers: [ncf, auditor]
analysis:
  primary: {scorer: ncf, statistic: mean}
  reference: rebeca
  most_compared: 500
"""


def write_data(folder: Path, users: int, items: int, ratings: int, seed: int) -> None:
    """A folder data set: every user likes one of six hues; ``ratings`` per user of random items."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    hue = rng.integers(0, 6, items)
    for i in range(items):
        pixels = rng.integers(0, 60, (32, 32, 3)).astype(np.uint8)
        pixels[..., hue[i] % 3] += 150
        if hue[i] >= 3:
            pixels[::2] //= 2
        Image.fromarray(pixels).save(folder / "images" / f"{i}.png")
    (folder / "items.csv").write_text("item,file\n" + "".join(f"i{i},{i}.png\n" for i in range(items)))
    with (folder / "ratings.csv").open("w") as stream:
        stream.write("user,item,rating\n")
        for user in range(users):
            rated = rng.choice(items, ratings, replace=False)
            mean = np.where(hue[rated] == user % 6, 4.4, 2.6)
            stars = np.clip(np.rint(mean + rng.normal(0, 0.9, ratings)), 1, 5).astype(int)
            stream.writelines(f"u{user},i{i},{s}\n" for i, s in zip(rated.tolist(), stars.tolist(), strict=True))


@click.command()
@click.option("--users", default=20_000, show_default=True)
@click.option("--items", default=600, show_default=True)
@click.option("--ratings", default=30, show_default=True, help="Per user.")
@click.option("--workdir", type=click.Path(path_type=Path), required=True, help="An empty folder.")
def main(users: int, items: int, ratings: int, workdir: Path) -> None:
    """Run a task of many users and print its stages."""
    write_data(workdir / "data", users, items, ratings, seed=1)
    (workdir / "task.yaml").write_text(TASK)
    profile = workdir / "profile"
    command = [sys.executable, "-c", RUN, "run", str(workdir / "task.yaml"), "--workdir", str(workdir / "w")]
    subprocess.run([*command, "--profile", str(profile), "--quiet"], check=True, stdout=subprocess.DEVNULL)
    sys.stdout.write((profile / "stages.txt").read_text(encoding="utf-8"))
    sizes = {
        path.name: sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 2**20
        for path in (workdir / "w").iterdir()
        if path.is_dir()
    }
    sys.stdout.write(json.dumps({name: round(size, 1) for name, size in sizes.items() if size >= 0.1}) + "\n")


if __name__ == "__main__":
    main()
