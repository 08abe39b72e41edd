"""A generator that was given held-out ratings is caught by another division of the ratings; honest ones hold."""

import json
import shutil

import pytest

from benchmark.task.bundled import find_task
from benchmark.task.resolve import load_task
from scripts.leaking.leaking_package import TABLE
from scripts.leaking.write import PACKAGE, held_out_items, installed
from tests.conftest import ROOT, invoke, make_folder

HONEST = "centroid"
TASK = """
schema: 1
id: leaking
version: 1
title: With a leak
data:
  kind: folder
  path: data
  params: {scale: [1, 7], redistribute: true}
  like_at: 4
  split: {kind: per-user, test: 10, validation: 6}
judges:
  verifier: {use: ncf, encoder: "fourier:8", params: {nets: 1, dims: 4, epochs: 2}}
images: 3
encoder: {use: "pca:4", of: "fourier:8"}
decoder: {use: nearest-picture}
generators:
  - {id: centroid, use: catalogue, params: {rank_by: centroid}}
"""
LEAK = "  - {id: leaking, use: leaking}\n"
REST = """
scorers: [observed, ncf]
analysis: {primary: {scorer: observed}, reference: centroid, family: all-pairs, permutations: 199, bootstrap: 199}
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Records of a small task with an honest generator and one that leaks, and the folder of the data."""
    folder = tmp_path_factory.mktemp("leaking")
    make_folder(folder / "data", users=16, items=60)
    honest, task = folder / "honest.yaml", folder / "task.yaml"
    honest.write_text(TASK + REST)
    task.write_text(TASK + LEAK + REST)
    with installed(load_task(honest), folder / "packages"):
        invoke("run", task, "--workdir", folder / "w", "--quiet")
        yield folder


@pytest.fixture
def records(published, tmp_path):
    return shutil.copytree(published / "w" / "records" / "leaking" / "v1", tmp_path / "v1")


def reproduce(records, folder, *options, code=0):
    data = f"data.path={folder / 'data'}"
    output = invoke("reproduce", records, "--set", data, "--workdir", folder / "w", "--json", *options, code=code)
    result = json.loads(output)
    return result, {row["generator"]: row["fell"] for row in result["rows"]}


def status(records):
    statements = (records / "attestations").glob("*.json")
    return {path.stem: json.loads(path.read_text())["predicate"]["status"] for path in statements}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_another_division_catches_the_leak_and_passes_the_honest_generator(published, records, seed):
    result, fell = reproduce(records, published, "--split-seed", seed, "--attest", code=1)
    assert fell == {HONEST: [], "leaking": ["preference"]}
    leak = result["rows"][1]["measures"]["preference"]
    assert leak["high"] < 0 and leak["p"] < 0.01
    assert leak["here"] < leak["published"] - 0.5
    assert status(records) == {HONEST: "reproduced"}


def test_other_images_alone_do_not_catch_it(published, records):
    """It knows the same users' held-out ratings still: only another division makes them useless."""
    _, fell = reproduce(records, published, "--offset", 1, "--attest")
    assert fell == {HONEST: [], "leaking": []}
    assert status(records) == {HONEST: "reproduced", "leaking": "reproduced"}


def test_what_leaks_is_what_the_published_division_holds_out(published):
    shipped = json.loads((published / "packages" / PACKAGE / TABLE).read_text())
    assert shipped == held_out_items(load_task(published / "honest.yaml"))
    assert {len(items) for items in shipped.values()} == {10}


@pytest.mark.slow
def test_rebeca_holds_on_three_divisions_of_tinyworld_and_the_leak_on_none(tmp_path):
    with installed(load_task(find_task("tinyworld-quick")), tmp_path / "packages"):
        task = ROOT / "scripts" / "leaking" / "task.yaml"
        invoke("run", task, "--only", "leaking", "--workdir", tmp_path / "w", "--quiet")
        (records,) = (tmp_path / "w" / "records" / "tinyworld-leaking").iterdir()
        for seed in (1, 2, 3):
            options = ("--split-seed", seed, "--workdir", tmp_path / "w", "--json")
            result = json.loads(invoke("reproduce", records, *options, code=1))
            fell = {row["generator"]: row["fell"] for row in result["rows"]}
            assert fell["rebeca"] == [] and "preference" in fell["leaking"], seed
