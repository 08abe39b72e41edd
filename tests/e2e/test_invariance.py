"""What may never change an image or a score: order, batch, unit, threads, and where a run was interrupted."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmark.dev.running import Running
from benchmark.runner import addresses
from benchmark.runner.world import build_world
from benchmark.task.registry import plugin_class
from benchmark.task.resolve import load_task
from tests.conftest import TINY, invoke
from tests.e2e.test_interruptions import same_records, start

GENERATORS = ("rebeca", "rebeca-no-user", "rebeca-shuffled-users", "catalogue-random", "catalogue-verifier")


def scores_of(workdir, generator):
    (records,) = (workdir / "records" / "tiny").iterdir()
    return pd.read_parquet(records / generator / "scores.parquet")


def assert_same(first, second):
    """Seeds and images exactly, scores to 1e-5."""
    for generator in GENERATORS:
        a, b = scores_of(first, generator), scores_of(second, generator)
        exact = ["user", "replicate", "seed", "failure", "scorer", "digest", "item"]
        pd.testing.assert_frame_equal(a[exact], b[exact])
        np.testing.assert_allclose(a.score, b.score, atol=1e-5, rtol=0, equal_nan=True)


def copy_of(done, tmp_path):
    shutil.copytree(done / "data", tmp_path / "data")
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path / "tiny.yaml"


def test_the_order_of_ratings(done, tmp_path):
    """Shuffled rows are another file of the same data: everything is computed anew, and gives the same records."""
    task = copy_of(done, tmp_path)
    path = tmp_path / "data" / "ratings.csv"
    pd.read_csv(path).sample(frac=1, random_state=0).to_csv(path, index=False)
    invoke("run", task, "--workdir", tmp_path / "w", "--quiet")
    same_records(*(root / "w" / "records" / "tiny" / "v1" for root in (done, tmp_path)))


@pytest.mark.parametrize("users", [1, 5])
def test_users_per_unit(done, tmp_path, monkeypatch, users):
    monkeypatch.setattr(addresses, "USERS_PER_UNIT", users)
    invoke("run", copy_of(done, tmp_path), "--workdir", tmp_path / "w", "--quiet")
    assert_same(done / "w", tmp_path / "w")


def test_embeddings_sampled_at_once(done, tmp_path):
    batch = ("--set", "generators.rebeca.params.sample_batch=5")
    invoke("run", copy_of(done, tmp_path), "--workdir", tmp_path / "w", "--quiet", *batch)
    assert_same(done / "w", tmp_path / "w")


def finished(process):
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors


@pytest.mark.slow
def test_processors(done, tmp_path):
    """One thread and two processes unless somebody asks for other numbers, however many processors there are."""
    task, unset = copy_of(done, tmp_path), {"OMP_NUM_THREADS": "", "REBECA_PROCESSES": ""}
    finished(start(task, tmp_path / "all", environment=unset))
    finished(start(task, tmp_path / "one", environment=unset, preexec_fn=lambda: os.sched_setaffinity(0, {0})))
    records = [tmp_path / name / "records" / "tiny" / "v1" for name in ("all", "one")]
    for folder in records:
        assert json.loads((folder / "_task" / "comparison.json").read_text())["provenance"]["threads"] == 1
    same_records(*records)
    assert_same(done / "w", tmp_path / "all")


@pytest.mark.parametrize("generator", range(len(GENERATORS)))
def test_the_order_of_users(done, tmp_path, generator):
    """Asked for users in another order, a generator gives everybody what it gave them before."""
    run = Running.of(load_task(copy_of(done, tmp_path)), done / "w")
    spec = run.task.generators[generator]
    users = run.world.user_ids
    in_order = {(r.user, r.replicate): p for r, p in answers(run, spec, users)}
    for user, image in answers(run, spec, users[::-1]):
        old = in_order[user.user, user.replicate]
        assert image.digest() == old.digest()
        if old.embedding is not None:
            np.testing.assert_allclose(image.embedding, old.embedding, atol=1e-5, rtol=0)


def answers(run, spec, users):
    requests = run.requests(spec, users)
    return list(zip(requests, run.fitted(spec).generate(requests), strict=True))


def test_the_order_in_which_a_data_set_gives_its_ratings(tiny, monkeypatch):
    """The division does not depend on it."""
    task = load_task(tiny)
    source = plugin_class("data set", task.file.data.kind)
    whole = source.read
    plain = build_world(task)

    def turned(self):
        data = whole(self)
        order = np.random.default_rng(5).permutation(len(data.ratings))
        return replace(data, ratings=data.ratings.where(order))

    monkeypatch.setattr(source, "read", turned)
    turned_world = build_world(task)
    assert plain.fingerprint == turned_world.fingerprint
    for part in ("generators", "verifier", "auditor"):
        for rows in ("train", "validation"):
            a, b = (getattr(getattr(world.division, part), rows) for world in (plain, turned_world))
            assert np.array_equal(a.user, b.user) and np.array_equal(a.item, b.item)
    assert np.array_equal(plain.division.test.item, turned_world.division.test.item)
