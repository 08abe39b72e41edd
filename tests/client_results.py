"""A script of somebody who runs a task and reads its records from Python; see `tests/client.py`."""
# ruff: noqa: T201

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import assert_type

import pandas as pd

from benchmark import Results, load, run

TASK = """
schema: 1
id: two
version: 1
title: Two generators
data:
  {kind: sprites, params: {sprites: 60, users_per_taste: 3}, like_at: user-median,
   split: {kind: held-out-items, test: 0.3, validation: 0.2}}
judges: {verifier: {use: ncf, encoder: "fourier:2"}, ratings: shared}
images: 2
encoder: "fourier:2"
decoder: {use: nearest-picture}
generators:
  - {id: random, use: catalogue, params: {rank_by: random}}
  - {id: nearest, use: catalogue, params: {rank_by: centroid}}
scorers: [ncf, ground-truth]
analysis: {reference: random, permutations: 99, bootstrap: 99}
"""


def looked_at(results: Results) -> None:
    assert_type(results.table(), pd.DataFrame)
    assert_type(results.users(), pd.DataFrame)
    print("typeset:", results.latex().isascii(), len(results.markdown()) > 0)
    print("rows:", len(results.table()), len(results.users()), len(results.pairs()))
    a, b = results.generators[:2]
    print("compared:", list(results.compare(a, b)["measure"])[:1])
    figure = results.figure(results.figures[0])
    print("drawn:", len(figure.to_json()) > 0)


def main() -> None:
    with TemporaryDirectory() as name:
        task = Path(name) / "two.yaml"
        task.write_text(TASK)
        results = run(task, workdir=Path(name) / "work", set={"images": 2}, limit_users=None, only=(), quiet=True)
        looked_at(results)
        print("loaded:", load(results.path).generators == results.generators)


if __name__ == "__main__":
    main()
