"""Every environment variable that is read stands in one table, and none changes a task."""

import ast
import json
import re
import subprocess
import sys

import click
import pytest

from benchmark.commands.main import main
from benchmark.commands.settings import SETTINGS
from benchmark.runner import threads
from tests.conftest import ROOT, invoke

ALLOWED = {"workdir", "store", "device", "quiet"}
"""Options with a variable: none of them is part of a task."""
READ_BY_LIBRARIES = {
    "XDG_CACHE_HOME": "user_cache_path",
    "TMPDIR": "tempfile",
    "COLUMNS": "get_terminal_size",
    "HF_HUB_CACHE": "HF_HUB_CACHE",
    "HF_HUB_OFFLINE": "HF_HUB_OFFLINE",
}
"""Variables that a library reads for the project, with what calls it."""


def sources():
    return [path for package in ("rebeca", "baselines", "benchmark") for path in (ROOT / package).rglob("*.py")]


def text_of(node):
    constant = ast.unparse(node).removeprefix("threads.")
    if constant in ("VARIABLE", "PROCESSES"):
        return getattr(threads, constant)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def variables(tree):
    """Names that a module reads: ``os.environ[...]``, ``.get``, ``getenv`` and ``envvar=``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
            yield text_of(node.slice)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.endswith(("environ.get", "environ.setdefault", "environ.pop", "getenv")):
                yield text_of(node.args[0])
            yield from (text_of(keyword.value) for keyword in node.keywords if keyword.arg == "envvar")


def commands(group=main, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_every_variable_that_is_read_is_listed():
    read = {name for path in sources() for name in variables(ast.parse(path.read_text(encoding="utf-8")))}
    assert None not in read, "a variable whose name is not written down"
    mentioned = {name for path in sources() for name in re.findall(r"\bREBECA_[A-Z_]+", path.read_text())}
    listed = {setting.name for setting in SETTINGS}
    assert read | mentioned <= listed
    assert len(listed) == len(SETTINGS) and listed - read - mentioned == READ_BY_LIBRARIES.keys()
    whole = "\n".join(path.read_text() for path in sources())
    assert all(call in whole for call in READ_BY_LIBRARIES.values())


def test_variables_are_seen():
    code = "os.environ['A']; os.environ.get('B', 1); getenv('C'); option(envvar='D'); os.environ.get(name)"
    assert set(variables(ast.parse(code))) == {"A", "B", "C", "D", None}


def test_no_variable_changes_a_task():
    with_variable = {
        (option.name, option.envvar) for _, command in commands() for option in command.params if option.envvar
    }
    assert with_variable == {(name, f"REBECA_{name.upper()}") for name in ALLOWED}
    assert main.context_settings.get("auto_envvar_prefix") is None


OF_THEIR_OWN = {(name, "workdir") for name in ("check run", "verify", "reproduce")}
"""They compute everything again, by default in a work folder that is new."""


def test_every_such_option_has_its_variable():
    for name, command in commands():
        for option in command.params:
            expected = option.name in ALLOWED and (name, option.name) not in OF_THEIR_OWN
            assert bool(option.envvar) == expected, (name, option.name)


def test_the_docs_show_the_same_table():
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [(setting.name, setting.meaning, setting.default) for setting in SETTINGS]


def test_present_values_are_printed(tmp_path, monkeypatch):
    monkeypatch.setenv("REBECA_WORKDIR", str(tmp_path))
    monkeypatch.setenv("REBECA_WEIGHTS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    listed = {setting["name"]: setting for setting in json.loads(invoke("settings", "--json"))}
    assert listed["REBECA_WORKDIR"]["value"] == str(tmp_path) and listed["REBECA_WORKDIR"]["is_set"]
    assert listed["REBECA_WEIGHTS"]["value"] == "/caches/rebeca-bench/weights"
    assert not listed["REBECA_WEIGHTS"]["is_set"]
    assert list(listed) == [setting.name for setting in SETTINGS]


@pytest.mark.parametrize(("threads", "expected"), [(None, ("1", False)), ("3", ("3", True))])
def test_threads_that_commands_set_themselves_are_a_default(threads, expected):
    environment = {"PATH": "/usr/bin", "HOME": "/"} | ({} if threads is None else {"OMP_NUM_THREADS": threads})
    code = "from benchmark.commands.main import main; main(['settings', '--json'])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, cwd=ROOT, check=True)
    (setting,) = [own for own in json.loads(output.stdout) if own["name"] == "OMP_NUM_THREADS"]
    assert (setting["value"], setting["is_set"]) == expected


def test_a_variable_stands_for_its_option_and_the_option_wins(done, tmp_path, monkeypatch):
    monkeypatch.setenv("REBECA_WORKDIR", str(done / "w"))
    assert "rebeca" in invoke("show", "tiny")
    assert "no run in" in invoke("status", "--workdir", tmp_path)
    monkeypatch.setenv("REBECA_DEVICE", "cuda:77")
    assert "--device cuda:77: this machine has no" in invoke("run", done / "tiny.yaml", code=2)
    invoke("run", done / "tiny.yaml", "--device", "cpu", "--dry-run")


def test_variables_named_like_options_of_a_task_change_nothing(done, monkeypatch):
    plain = invoke("validate", done / "tiny.yaml", "--json")
    for name in ("LIMIT_USERS", "VALIDATE_LIMIT_USERS", "SET", "OVERRIDES", "VALIDATE_OVERRIDES"):
        monkeypatch.setenv(f"REBECA_{name}", "3" if "LIMIT" in name else "images=2")
    assert invoke("validate", done / "tiny.yaml", "--json") == plain
