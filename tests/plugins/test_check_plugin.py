"""``check plugin``: every check with its verdict, every breach with its remedy, and an exit code."""

import json
import sys

import pytest

from benchmark.commands.check_plugin import PluginReport, print_check
from benchmark.commands.layout import terminal
from rebeca.testing import CheckResult
from tests.conftest import invoke, make_folder

EXAMPLES = {
    "lucky": "generator",
    "brightness": "scorer",
    "colours": "set scorer",
    "nearness": "judge",
    "thumbnail": "encoder",
    "stripes": "decoder",
    "shades": "data set",
}


@pytest.mark.parametrize(("name", "kind"), EXAMPLES.items())
def test_the_examples_of_the_docs_keep_their_contracts(plugins, name, kind):
    report = json.loads(invoke("check", "plugin", name, "--json"))
    assert report["kind"] == kind and len(report["checks"]) > 20
    assert {result["status"] for result in report["checks"]} <= {"passed", "skipped"}


def test_a_breach_is_named_with_its_remedy(plugins, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    plugins.replace("for request in requests:", "for request in requests[1:]:")
    output = invoke("check", "plugin", "lucky", code=5)
    assert max(map(len, output.splitlines())) <= 80
    text = " ".join(output.split())
    assert "generator 'lucky': generate gave 23 answers to 24 requests hint: yield one image, or None" in text
    assert "test_there_is_one_image_per_request" in text and "(see test_there_is_one_image_per_request)" in text
    report = json.loads(invoke("check", "plugin", "lucky", "--json", code=5))
    named = {result["name"]: result for result in report["checks"]}
    assert named["test_there_is_one_image_per_request"]["status"] == "broken"


def test_parameters_are_read_as_from_a_task(plugins):
    invoke("check", "plugin", "lucky", "--params", '{"number": 3}')
    assert "did you mean 'number'" in invoke("check", "plugin", "lucky", "--params", '{"numbr": 3}', code=2)
    assert "--params is no JSON" in invoke("check", "plugin", "lucky", "--params", "number=3", code=2)
    assert "expected a mapping" in invoke("check", "plugin", "lucky", "--params", "3", code=2)
    assert "--params.dims: a value is required, and none is given" in invoke("check", "plugin", "pca", code=2)


def test_a_class_that_is_not_registered(plugins):
    assert "generator 'my_plugins:Lucky'" in invoke("check", "plugin", "my_plugins:Lucky")
    assert "no class 'Luck'" in invoke("check", "plugin", "my_plugins:Luck", code=2)
    assert "no module is called 'nowhere'" in invoke("check", "plugin", "nowhere:Luck", code=2)
    assert "derived from none of" in invoke("check", "plugin", "my_plugins:LuckyParams", code=5)
    plugins.write("broken.py", "import no_such_package")
    assert "pip install no_such_package" in invoke("check", "plugin", "my_plugins.broken:Lucky", code=4)


def test_names_that_several_kinds_share():
    output = invoke("check", "plugin", "ncf", code=2)
    assert "--kind scorer or --kind judge" in output
    assert "scorer 'ncf'" in invoke("check", "plugin", "ncf", "--kind", "scorer")
    assert "did you mean 'catalogue'" in invoke("check", "plugin", "katalogue", code=2)
    assert "no judge is called 'catalogue'" in invoke("check", "plugin", "catalogue", "--kind", "judge", code=2)


def test_weights_that_are_missing_are_no_breach(tmp_path, monkeypatch):
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path))
    output = invoke("check", "plugin", "published", "--params", '{"name": "vit-h"}', code=4)
    assert "rebeca-bench weights fetch" in output


def test_a_data_set_says_that_it_needs_a_folder(tmp_path):
    params = ("--params", '{"scale": [1, 7], "licence": "none"}')
    output = invoke("check", "plugin", "folder", "--kind", "data-set", *params, code=2)
    assert "data.path is not set" in output and "(see test_it_answers)" in output
    make_folder(tmp_path / "data")
    output = invoke(
        "check", "plugin", "folder", "--kind", "data-set", *params, "--set", f"data.path={tmp_path / 'data'}"
    )
    assert "0 failed" in output
    assert "only data.path" in invoke("check", "plugin", "sprites", "--set", "data.kind=x", code=2)


def test_an_error_is_located(plugins):
    plugins.replace("        users = {name", "        raise KeyError(7)\n        users = {name")
    output = invoke("check", "plugin", "lucky", code=5)
    lines = (plugins.package / "__init__.py").read_text().splitlines()
    assert "generator 'lucky' failed: KeyError: 7" in output
    assert f"__init__.py, line {lines.index('        raise KeyError(7)') + 1}" in " ".join(output.split())


def test_results_are_laid_out_in_80_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    long = "a word that is repeated " * 6
    results = [
        CheckResult("test_a", f"It holds {long}.", "passed"),
        CheckResult("test_b", f"It breaks {long}.", "broken", f"expected {long}", f"mend {long}", 5),
        CheckResult("test_c", "It does not matter.", "skipped", "no fit"),
    ]
    for result in results:
        print_check(terminal(), result)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line[:4].strip() for line in lines if line[:4].strip()] == ["yes", "no", "-"]
    report = PluginReport("mine", "judge", results)
    assert report.summary == "judge 'mine': 1 passed, 1 failed, 1 not needed or not possible"


def test_a_breach_decides_the_exit_code():
    passed, stopped, broken = (CheckResult("test", "It holds.", "passed", exit_code=code) for code in (0, 3, 5))
    assert PluginReport("mine", "judge", [passed, stopped, broken]).exit_code == 5
    assert PluginReport("mine", "judge", [passed, stopped]).exit_code == 3
    assert PluginReport("mine", "judge", [passed]).exit_code == 0


BARE = """
import os, sys
import numpy as np
from rebeca import NoParams, Scorer, ScorerCard

class Odd(Scorer[NoParams]):
    @classmethod
    def card(cls, params):
        return ScorerCard("Odd", "points", True, "Nothing.")

    def score(self, images, users):
        {}
"""


@pytest.mark.parametrize("end", ["sys.exit(0)", "os._exit(0)"])
def test_a_plugin_that_ends_the_process_does_not_pass(tmp_path, monkeypatch, end):
    (tmp_path / "odd_exits.py").write_text(BARE.format(end))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "odd_exits", raising=False)
    assert "failed: SystemExit" in " ".join(invoke("check", "plugin", "odd_exits:Odd", code=5).split())


def test_a_module_that_cannot_be_imported_is_one_message(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, text in (("odd_quits", "raise SystemExit(0)"), ("odd_fails", "raise ValueError('boom')")):
        (tmp_path / f"{name}.py").write_text(text)
        assert f"importing {name} failed" in invoke("check", "plugin", f"{name}:Odd", code=5)


@pytest.mark.parametrize(
    "body",
    [
        "return np.stack([np.arange(len(images)) * 0.0] * 2, 1)[:, 0].astype(np.float32)",
        "print('scored'); return np.array([float(images.pixels_of(i).mean()) for i in range(len(images))])",
        "return np.fromiter(map(lambda i: images.pixels_of(i).std(), range(len(images))), float)",
    ],
    ids=["a strided view", "prints", "an iterator"],
)
def test_unusual_scorers_that_are_right_break_nothing(tmp_path, monkeypatch, body):
    (tmp_path / "odd_right.py").write_text(BARE.format(body))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "odd_right", raising=False)
    assert ", 0 failed" in invoke("check", "plugin", "odd_right:Odd")
