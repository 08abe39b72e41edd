"""A whole tinyworld run with the shipped models: words and embeddings in, generated images out, without a network."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmark.dev.running import Running
from benchmark.runner import addresses
from benchmark.runner.decode import fit_and_decode
from benchmark.runner.freeze import Freezer
from benchmark.task.bundled import find_task
from benchmark.task.resolve import load_task
from tests.conftest import invoke


@pytest.fixture(scope="module")
def run(miniature):
    return miniature


def record(folder, name):
    return json.loads((folder / "work/records/miniature/v1" / name / "record.json").read_text())


def rows(folder, name):
    return pd.read_parquet(folder / "work/records/miniature/v1" / name / "scores.parquet")


def test_a_whole_run_without_a_network(run):
    folder, out = run
    assert "rebeca" in out
    assert "all agree" in invoke("verify", folder / "work/records/miniature/v1")


def test_every_scorer_judges_generated_images(run):
    folder, _ = run
    scorers = {"ncf", "auditor", "ground-truth", "in-world", "hpsv2", "laion", "ncf-prior"}
    for name in ("rebeca", "persona", "published"):
        table = rows(folder, name)
        assert set(table["scorer"]) == scorers and len(table) == len(scorers) * 14
        of_image = table[table["scorer"] != "ncf-prior"]  # what was not decoded from a vector has no score by this one
        assert np.isfinite(of_image["score"]).all()
        known, inside = (table[table["scorer"] == name]["score"].to_numpy() for name in ("ground-truth", "in-world"))
        assert ((known >= 0) & (known <= 1)).all() and set(inside) <= {0.0, 1.0}
        assert not known[inside == 0].any()
    assert record(folder, "rebeca")["measures"]["hpsv2"]["card"]["name"] == "HPSv2 stand-in"


def test_generators_of_one_fit_share_it_and_the_others_do_not(run):
    folder, _ = run
    keys = {name: [fit["key"] for fit in record(folder, name)["fits"]] for name in ("rebeca", "best", "half", "guided")}
    assert keys["rebeca"] == keys["best"] == keys["guided"] != keys["half"]


def test_a_generator_may_make_fewer_images(run):
    folder, _ = run
    assert record(folder, "best")["images"]["requested"] == 7
    assert (
        record(folder, "best")["generator"]["needs"] == ["judge"] and not record(folder, "best")["generator"]["ranked"]
    )


def test_the_best_of_eight_pleases_the_verifier_at_least_as_much(run):
    folder, _ = run
    first, best = (
        rows(folder, name).query("scorer == 'ncf' and replicate == 0").set_index("user")["score"]
        for name in ("rebeca", "best")
    )
    assert (best >= first - 1e-6).all() and (best > first + 1e-6).any()


@pytest.mark.slow
def test_the_best_of_eight_pleases_the_verifier_more_than_the_auditor_and_the_truth(tmp_path):
    """On the users and the prior of tinyworld-quick: with a handful of users the gains are mostly chance."""
    task = yaml.safe_load(find_task("tinyworld-quick").read_text())
    prior = task["generators"][0]
    task["generators"] = [prior, {"id": "best", "extends": prior["id"], "params": {"best_of": 8}}]
    task |= {"id": "best-of", "images": 2, "fits": 1, "scorers": ["ncf", "auditor", "ground-truth"]}
    defences = ("confirmation", "most_copies", "most_outside")
    task["analysis"] = {key: value for key, value in task["analysis"].items() if key not in defences}
    task["analysis"] |= {"permutations": 199, "bootstrap": 199}
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(task))
    invoke("run", tmp_path / "task.yaml", "--workdir", tmp_path / "work")
    records = tmp_path / "work/records/best-of" / f"v{task['version']}"
    images = pd.concat(
        [pd.read_parquet(records / arm / "scores.parquet").assign(arm=arm) for arm in (prior["id"], "best")]
    )
    means = images.groupby(["scorer", "arm", "user"])["score"].mean().unstack("arm")
    spread = images.groupby("scorer")["score"].std()
    gains = (means["best"] - means[prior["id"]]).groupby("scorer").mean() / spread
    assert gains["ncf"] > max(gains["auditor"], gains["ground-truth"]) + 0.05, gains


def test_parameters_that_change_nothing_are_flagged(run):
    folder, _ = run
    shown = json.loads(invoke("show", folder / "work/records/miniature/v1", "--json"))
    flags = {row["id"]: row["flags"] for row in shown["generators"]}
    assert "identical to rebeca" in " ".join(flags["same-prompt"])
    assert not any("identical" in flag for flag in flags["guided"])
    digests = {name: record(folder, name)["images"]["digest"] for name in ("rebeca", "guided", "same-prompt")}
    assert digests["rebeca"] == digests["same-prompt"] != digests["guided"]


def test_units_and_batches_do_not_change_an_image(run, monkeypatch):
    """Prior and decoder fill short batches up, since a matrix product rounds by its number of rows."""
    folder, _ = run
    first = images_of(folder)
    monkeypatch.setattr(addresses, "USERS_PER_UNIT", 3)
    second = images_of(folder)
    assert len(first.folders) == 1 and len(second.folders) == 3
    assert [row.seed for row in first.rows] == [row.seed for row in second.rows]
    assert np.array_equal(embeddings_of(second), embeddings_of(first))
    assert [row.digest for row in second.rows] == [row.digest for row in first.rows]


def images_of(folder):
    running = Running.of(load_task(folder / "task.yaml"), folder / "work")
    spec, freezer = running.task.generators[0], Freezer(folder / "work", running.task)
    return fit_and_decode(running.task, spec, running.addresses, running.materials, running.stages, freezer)


def embeddings_of(images):
    return np.concatenate([np.load(unit / "embeddings.npy") for unit in images.folders])
