"""A first package for a plug-in: its files, and the names that are refused. tests/e2e installs and runs them."""

import ast
import json
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

import rebeca
from benchmark.commands.new_plugin import GROUPS, write_plugin
from benchmark.task import registry
from benchmark.task.bundled import folder
from rebeca.errors import SpecError
from tests.conftest import invoke

BASES = {
    "generator": "Generator", "scorer": "Scorer", "set-scorer": "SetScorer", "judge": "Judge", "encoder": "Encoder",
    "decoder": "Decoder", "dataset": "DatasetSource",
}  # fmt: skip


@pytest.fixture(params=GROUPS)
def kind(request):
    return request.param


@pytest.fixture
def package(kind, tmp_path):
    return write_plugin(kind, "warm-hues", tmp_path / "out").folder


def test_there_is_a_model_of_every_kind():
    assert {path.name for path in (folder("tasks") / "new_plugin").iterdir() if path.is_dir()} == {*GROUPS, "shared"}
    assert set(GROUPS) == set(BASES) and set(GROUPS.values()) == set(registry.KINDS)


def test_every_word_of_the_model_is_replaced(package):
    files = {path.name for path in package.iterdir()}
    assert files == {"README.md", "pyproject.toml", "task.yaml", "warm_hues.py", "test_warm_hues.py"}
    for path in package.iterdir():
        assert not re.search(r"[Mm]y.?[Pp]lugin|KIND|GROUP", path.read_text()), path.name


def test_the_class_derives_from_the_base_of_its_kind(package, kind):
    tree = ast.parse((package / "warm_hues.py").read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    plugin = classes["WarmHues"]
    assert plugin.bases[0].value.id == BASES[kind] and hasattr(rebeca, BASES[kind])
    assert plugin.bases[0].slice.id == "WarmHuesParams" in classes
    tests = ast.parse((package / "test_warm_hues.py").read_text())
    contract, *own = [node for node in tests.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
    assert contract.bases[0].id == f"{BASES[kind].removesuffix('Source')}Contract" and own


def test_the_entry_point_leads_to_the_class(package, kind):
    project = tomllib.loads((package / "pyproject.toml").read_text())
    assert project["project"]["name"] == "warm-hues"
    assert project["project"]["entry-points"] == {f"rebeca_bench.{GROUPS[kind]}": {"warm-hues": "warm_hues:WarmHues"}}
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"] == ["warm_hues.py"]


def test_the_example_task_uses_it_and_is_small(package):
    task = yaml.safe_load((package / "task.yaml").read_text())
    assert task["id"] == "warm-hues-example"
    assert "warm-hues" in json.dumps({key: value for key, value in task.items() if key not in ("id", "title")})
    assert task["analysis"]["permutations"] < 1000 and "path" not in task["data"]


def test_it_passes_ruff_as_it_comes(package):
    for command in (("check",), ("format", "--check")):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", "."],
            cwd=package, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Warm Hues", "such as 'warm-hues'"),
        ("warm_hues", "such as 'warm-hues'"),
        ("2d", "such as 'd'"),
        ("ünter--wegs", "such as 'nter-wegs'"),
        ("../up", "such as 'up'"),
        ("-", "such as 'my-encoder'"),
        ("a" * 41, "40 characters at most"),
        ("class", "'class': Python has a word or a module 'class' already"),
        ("match", "Python has a word or a module 'match' already"),
        ("random", "Python has a word or a module 'random' already"),
        ("numpy", "a module 'numpy' is installed already"),
        ("rebeca", "a module 'rebeca' is installed already"),
        ("pillow", "the package pillow"),
        ("fourier", "encoder 'fourier' is registered already"),
        ("encoder", "the package would have two classes 'Encoder'"),
        ("test-contract", "the package would have two classes 'TestContract'"),
    ],
)
def test_names_that_cannot_be_used_are_refused(tmp_path, name, message):
    output = invoke("new", "plugin", "encoder", "--name", name, "--output", tmp_path / "out", code=2)
    assert message in output and "hint: " in output
    assert not (tmp_path / "out").exists()


def test_the_longest_name_still_fits_the_lines(tmp_path, kind):
    name = "-".join(["abcdefg"] * 5)
    text = (write_plugin(kind, name, tmp_path).folder / f"{name.replace('-', '_')}.py").read_text()
    ast.parse(text)


def test_a_folder_is_overwritten_by_force_only(tmp_path):
    out = tmp_path / "out"
    write_plugin("generator", "warm-hues", out)
    (out / "warm_hues.py").write_text("mine = True\n")
    (out / "notes.txt").write_text("mine")
    output = invoke("new", "plugin", "generator", "--name", "warm-hues", "--output", out, code=2)
    assert f"{out} is not empty" in output and "--force" in output
    assert (out / "warm_hues.py").read_text() == "mine = True\n"
    invoke("new", "plugin", "generator", "--name", "warm-hues", "--output", out, "--force")
    assert "class WarmHues" in (out / "warm_hues.py").read_text()
    assert (out / "notes.txt").read_text() == "mine"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(SpecError, match="a file, not a folder"):
        write_plugin("judge", "warm-hues", tmp_path / "out", force=True)


def test_a_package_that_is_installed_is_written_again_by_force(tmp_path, monkeypatch):
    out = write_plugin("generator", "warm-hues", tmp_path / "out").folder
    about = tmp_path / "out" / "warm_hues-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: warm-hues\nVersion: 0.1.0\n")
    (about / "entry_points.txt").write_text("[rebeca_bench.generators]\nwarm-hues = warm_hues:WarmHues\n")
    monkeypatch.syspath_prepend(str(out))
    assert write_plugin("generator", "warm-hues", out, force=True).files
    with pytest.raises(SpecError, match="generator 'warm-hues' is registered already"):
        write_plugin("generator", "warm-hues", tmp_path / "elsewhere")
    with pytest.raises(SpecError, match="a module 'warm_hues' is installed already"):
        write_plugin("judge", "warm-hues", tmp_path / "elsewhere")


def test_the_command_says_what_to_type_next(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = invoke("new", "plugin", "set-scorer")
    assert (
        "wrote my-set-scorer: README.md, my_set_scorer.py, pyproject.toml, task.yaml, test_my_set_scorer.py" in output
    )
    assert 'cd my-set-scorer && python3 -m pip install --editable ".[test]" && python3 -m pytest' in output
    written = json.loads(invoke("new", "plugin", "judge", "--output", "with space", "--json"))
    assert written["folder"] == "with space" and "my_judge.py" in written["files"]
    assert "'generator', 'scorer', 'set-scorer'" in invoke("new", "plugin", "model", code=2)
