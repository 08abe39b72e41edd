"""The page's seven examples, word for word, make up a task that runs, and each is as short as it says."""

import ast
import doctest
import json
import re
import subprocess
import sys

import torch

from tests.conftest import invoke
from tests.plugins.conftest import EXAMPLES, TESTS, blocks
from tests.test_examples import run

KINDS = ("Generator", "Scorer", "SetScorer", "Judge", "Encoder", "Decoder", "DatasetSource")


def test_a_task_of_seven_plugins_runs_and_verifies(plugins, task, tmp_path):
    workdir = ("--workdir", tmp_path / "w")
    invoke("run", task, *workdir, "--quiet")
    records = tmp_path / "w" / "records" / "shades" / "v1"
    assert "all agree" in invoke("verify", records)
    rows = json.loads(invoke("show", "shades", "--json", *workdir))
    assert "brightness" in json.dumps(rows) and "colours" in json.dumps(rows)
    again = invoke("run", task, *workdir)
    assert not any(line.strip().startswith(("encode", "fit")) for line in again.splitlines())


def test_a_scorer_may_stand_twice_under_two_ids(plugins, task, tmp_path):
    task.write_text(task.read_text().replace("brightness,", "brightness, {id: brightness-2, use: brightness},"))
    invoke("run", task, "--workdir", tmp_path / "w", "--quiet")
    records = tmp_path / "w" / "records" / "shades" / "v1"
    summary = json.loads((records / "lucky" / "record.json").read_text())["summary"]
    assert {"brightness", "brightness-2"} <= set(summary)
    assert summary["brightness"]["interval"] == summary["brightness-2"]["interval"]
    assert "all agree" in invoke("verify", records)


def test_the_test_of_the_page_runs_in_pytest(plugins, tmp_path):
    (tmp_path / "test_lucky.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0 and re.search(r"\d\d passed", done.stdout), done.stdout


def test_the_scorer_with_weights_keeps_its_contract(tmp_path, monkeypatch):
    (tmp_path / "tint_package.py").write_text(blocks("py")[1])
    monkeypatch.syspath_prepend(str(tmp_path))
    torch.save(torch.nn.Linear(3, 1).state_dict(), tmp_path / "tint.pt")
    weights = ("--params", json.dumps({"weights": str(tmp_path / "tint.pt")}))
    invoke("check", "plugin", "tint_package:Tint", *weights)
    (tmp_path / "tint.pt").unlink()
    assert f"weights: no file {tmp_path / 'tint.pt'}" in invoke(
        "check", "plugin", "tint_package:Tint", *weights, code=4
    ).replace("\n", "")


def test_there_is_one_example_of_each_kind():
    bases = []
    for code in EXAMPLES:
        classes = [node for node in ast.parse(code).body if isinstance(node, ast.ClassDef)]
        plugin = classes[-1]
        assert plugin.end_lineno - plugin.lineno < 25, plugin.name
        bases.append(plugin.bases[0].value.id)
    assert sorted(bases) == sorted(KINDS)


def test_a_plugin_is_tried_without_a_task(plugins):
    [session] = blocks("pycon")
    test = doctest.DocTestParser().get_doctest(session, {}, "session", None, 0)
    assert len(test.examples) > 3
    assert not (failure := run(test)), failure
