"""Scripts in other Pythons as scorers of a task, up to the record of a whole run."""

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.scorers.script import ScriptParams, ScriptScorer
from benchmark.task.resolve import load_task
from rebeca.errors import PluginError
from rebeca.interfaces import ScorerContext
from rebeca.testing import ScorerContract, run_contract
from tests.benchmark.scorers.handmade import scored
from tests.builders import noise_images
from tests.conftest import TINY, invoke
from tests.rebeca.scorers.test_script import MEANS, with_old_pydantic
from tests.running import find

IMAGES = noise_images(4)
COUNTED = """
with open(Path(__file__).with_name("calls"), "a") as calls:
    print(len(rows), file=calls)
"""
ENTRY = """
  - {id: old, use: script, params: {script: mine.py, python: old-env/bin/python, title: Old score, unit: levels}}
"""
LISTED = """
import csv, os, sys, zlib
import pydantic
assert pydantic.VERSION < '2', pydantic.VERSION
os.chdir(sys.argv[1])
with open("images.csv") as images, open("scores.csv", "w") as scores:
    print("number,score", file=scores)
    for row in csv.DictReader(images):
        print(row["number"], zlib.crc32(open(row["file"], "rb").read()) % 1000, sep=",", file=scores)
"""


@pytest.fixture
def params(tmp_path):
    """Of a script that notes how many images each call has."""
    (tmp_path / "mine.py").write_text(MEANS + COUNTED)
    return ScriptParams(str(tmp_path / "mine.py"), python=sys.executable)


def calls(params):
    return [int(line) for line in Path(params.script).with_name("calls").read_text().split()]


def test_every_different_image_is_scored_once_and_in_one_process(params):
    scorer = ScriptScorer(params, ScorerContext.alone())
    images = scored([0, 0, 1, 1, 2], digest="abacd", pixels=[IMAGES[i] for i in (0, 1, 0, 2, 3)])
    means = [IMAGES[i].astype(np.int64).sum() for i in (0, 1, 0, 2, 3)]
    assert scorer.score(images, images.user).tolist() == means
    assert calls(params) == [4]
    other = scored([5, 4, 3, 2], digest="dcba", pixels=IMAGES[::-1])
    assert scorer.score(other, other.user).tolist() == [means[4], means[3], means[1], means[0]]
    assert calls(params) == [4]  # the same images for others, such as the items that stand for failures
    scorer.score(scored([0], digest="a", pixels=IMAGES), np.zeros(1, int))
    assert calls(params) == [4, 1]


def test_the_prompt_of_the_task_reaches_the_script(params):
    images = scored([0], pixels=IMAGES)
    plain, prompted = (
        ScriptScorer(replace(params, prompt=prompt), ScorerContext.alone()).score(images, images.user)
        for prompt in (None, "abc")
    )
    assert prompted - plain == 3e9


def test_the_card_says_what_the_task_says(params):
    card = ScriptScorer.card(params)
    assert (card.name, card.unit, card.higher_is_better, card.role) == ("mine.py", "score", True, "")
    assert "mine.py" in card.meaning
    card = ScriptScorer.card(
        replace(params, title="Mine", unit="points", higher_is_better=False, meaning="How odd.", reference="A 2020")
    )
    assert card == type(card)("Mine", "points", False, "How odd.", "A 2020")


def test_it_keeps_the_contract_of_scorers(params):
    contract = type("TestScript", (ScorerContract,), {"plugin": ScriptScorer, "params": params, "name": "script"})
    bad = [result for result in run_contract(contract) if result.status not in ("passed", "skipped")]
    assert bad == []


def test_a_script_without_scores_is_named_with_its_scorer(params, tmp_path):
    (tmp_path / "mine.py").write_text("raise SystemExit('no weights')\n")
    images = scored([0], pixels=IMAGES)
    with pytest.raises(PluginError, match=r"mine\.py left with exit code 1\n  no weights"):
        ScriptScorer(params, ScorerContext.alone()).score(images, images.user)


# ------------------------------------------------------------------------------------------------------------- tasks


@pytest.fixture
def task(tiny):
    """The tiny task with a script that needs pydantic 1."""
    with_old_pydantic(tiny.parent / "old-env")
    (tiny.parent / "mine.py").write_text(LISTED)
    tiny.write_text(TINY.replace("scorers:\n", "scorers:" + ENTRY))
    return tiny


def address_of_scores(path, tmp_path, *overrides):
    return find(load_task(path, overrides), tmp_path / "addresses").scores["rebeca", "old"].key


def test_scores_depend_on_the_script_and_its_packages_and_not_on_limits_or_places(task, tmp_path):
    first = address_of_scores(task, tmp_path)
    assert (
        address_of_scores(task, tmp_path, "scorers.old.params.seconds=5", "scorers.old.params.memory_mb=999") == first
    )
    (task.parent / "old-env").rename(task.parent / "moved-env")
    assert address_of_scores(task, tmp_path, "scorers.old.params.python=moved-env/bin/python") == first
    (task.parent / "moved-env").rename(task.parent / "old-env")
    (site,) = (task.parent / "old-env" / "lib").glob("python*/site-packages")
    (site / "pydantic-1.10.99.dist-info" / "METADATA").write_text("Name: pydantic\nVersion: 1.11.0\n")
    os.utime(site)
    changed = address_of_scores(task, tmp_path)
    (task.parent / "mine.py").write_text(LISTED + "\n")
    assert len({first, changed, address_of_scores(task, tmp_path)}) == 3


@pytest.mark.parametrize("command", ["validate", "plan", "run --dry-run", "run"])
@pytest.mark.parametrize(
    ("value", "code", "said"),
    [
        ("python=no-env/bin/python", 2, "no-env/bin/python does not exist"),
        ("python=mine.py", 2, "mine.py cannot be executed"),
        ("script=yours.py", 4, "yours.py"),
        ("python=null", 2, "mine.py: expected one block '# /// script' that lists its dependencies, found 0"),
    ],
)
def test_what_is_missing_is_refused_before_the_first_fit(value, code, said, command, task, tmp_path):
    words = [*command.split(), task, "--set", f"scorers.old.params.{value}"]
    words += [] if command == "validate" else ["--workdir", tmp_path / "w"]
    output = invoke(*words, code=code)
    assert said in output and "hint: " in output
    if command in ("validate", "plan"):
        assert f"{task}: scorer 'old': " in output
    assert not any((tmp_path / "w" / stage).exists() for stage in ("embeddings", "judge", "images"))


def test_where_uv_is_missing_the_task_says_what_to_do(task, monkeypatch, tmp_path):
    (task.parent / "mine.py").write_text("# /// script\n# dependencies = ['pydantic<2']\n# ///\n" + LISTED)
    monkeypatch.setenv("PATH", str(tmp_path))
    for command in (["validate"], ["plan", "--workdir", tmp_path / "w"]):
        output = invoke(*command, task, "--set", "scorers.old.params.python=null", code=4)
        assert f"{task}: scorer 'old': " in output and "uv, which makes the environment" in output
        assert "name an interpreter as python, whose environment has pydantic<2; or install uv" in output


def test_a_run_scores_with_packages_that_conflict_and_records_their_versions(task, done, tmp_path):
    shutil.copytree(done / "w", tmp_path / "w")
    invoke("run", task, "--workdir", tmp_path / "w", "--quiet")
    records = tmp_path / "w" / "records" / "tiny" / "v1"
    record = json.loads((records / "rebeca" / "record.json").read_text())
    versions = record["provenance"]["environments"]["scorer old"]
    content = versions.pop("mine.py").removeprefix("sha256:")
    assert versions == {"pydantic": "1.10.99", "python": sys.version.split()[0]}
    whole = json.loads((records / "_task" / "comparison.json").read_text())
    (entry,) = (entry for entry in whole["spec"]["scorers"] if entry["id"] == "old")
    assert entry["params"]["content"] == content and entry["params"]["script"] == "mine.py"
    assert "python" not in entry["params"] and "seconds" not in entry["params"]
    assert whole["provenance"]["weights"] == {}  # a script is no file of weights
    assert str(tmp_path) not in json.dumps(whole)
    assert record["measures"]["old"]["card"]["name"] == "Old score"
    scores = pd.read_parquet(records / "rebeca" / "scores.parquet").query("scorer == 'old'")
    assert len(scores) == 36 and scores.groupby("digest").score.nunique().max() == 1 and scores.score.nunique() > 3
    assert "all agree" in invoke("verify", records)
    task.write_text(task.read_text().replace("bin/python,", "bin/python3, seconds: 99,"))
    assert " ..." not in invoke("run", task, "--workdir", tmp_path / "w")
    earlier = done / "w" / "records" / "tiny" / "v1" / "_task" / "comparison.json"
    assert '"environments"' not in earlier.read_text()  # records of tasks without scripts are what they were
