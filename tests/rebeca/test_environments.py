"""Which Python runs a script, and what it says of its packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rebeca import environments
from rebeca.environments import check_interpreter, dependencies, interpreter_of, last_words, versions_of
from rebeca.errors import MissingDependency, PluginError, SpecError

BLOCK = "# /// script\n# dependencies = ['torch<2', 'pillow']\n# ///\nimport torch\n"


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(BLOCK)
    return path


@pytest.fixture
def program(tmp_path):
    """Writes a shell script that can be executed."""

    def write(text, name="python"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BLOCK, ("torch<2", "pillow")),
        ("#!/usr/bin/env python\n\n# /// script\n#\n# requires-python = '>=3.9'\n# ///\n", ()),
        ("# /// other\n# x = 1\n# ///\n\n" + BLOCK, ("torch<2", "pillow")),
    ],
)
def test_inline_metadata_say_what_a_script_needs(text, expected, script):
    script.write_text(text)
    assert dependencies(script) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import torch\n", "expected one block '# /// script' that lists its dependencies, found 0"),
        (BLOCK + "\n" + BLOCK, "found 2"),
        ("# /// script\n# dependencies = [\n# ///\n", "is no TOML"),
        ("# /// script\n# dependencies = 'torch'\n# ///\n", "is no list of texts"),
        ("# /// script\n# dependencies = [1]\n# ///\n", "is no list of texts"),
        (b"\xff\n", "no text in UTF-8"),
    ],
)
def test_a_script_that_does_not_say_what_it_needs_is_refused(text, said, script):
    script.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SpecError) as raised:
        check_interpreter(script, None)
    assert f"{script}: " in raised.value.message and said in raised.value.message


def test_what_nothing_could_run_is_refused(script, tmp_path, monkeypatch):
    with pytest.raises(MissingDependency, match=r"script: .*no\.py does not exist"):
        check_interpreter(tmp_path / "no.py", Path(sys.executable))
    with pytest.raises(SpecError, match=r"python: .*no/python does not exist"):
        check_interpreter(script, tmp_path / "no" / "python")
    with pytest.raises(SpecError, match=r"python: .*mine\.py cannot be executed"):
        check_interpreter(script, script)
    with pytest.raises(SpecError, match="cannot be executed"):
        check_interpreter(script, tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependency, match=r"mine\.py: uv, which .* is not on this machine") as raised:
        check_interpreter(script, None)
    assert "whose environment has torch<2, pillow; or install uv" in raised.value.hint


def test_an_interpreter_is_asked_again_when_packages_changed(tmp_path, monkeypatch):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    python = tmp_path / "env" / "bin" / "python"
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    assert versions_of(python) == {"python": sys.version.split()[0]}
    asked = []
    usual = environments.run_limited
    monkeypatch.setattr(environments, "run_limited", lambda *a, **k: asked.append(a) or usual(*a, **k))
    versions_of(python)["mine"] = "changes nothing"
    assert versions_of(python) == {"python": sys.version.split()[0]} and asked == []
    (site / "Old_Model-1.2.dist-info").mkdir()
    (site / "Old_Model-1.2.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: Old_Model\nVersion: 1.2\n")
    (site / "damaged-1.dist-info").mkdir()
    assert versions_of(python) == {"old-model": "1.2", "python": sys.version.split()[0]} and len(asked) == 1


def test_packages_of_this_python_are_not_anothers(tmp_path, monkeypatch):
    (tmp_path / "leak-1.dist-info").mkdir()
    (tmp_path / "leak-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: leak\nVersion: 1\n")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert "leak" not in versions_of(tmp_path / "env" / "bin" / "python")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo no such module; exit 1", "it left with exit code 1\n  no such module"),
        ("exit 0", "it left with exit code 0"),
        ("echo '[1]' > $3", "it left with exit code 0"),
        ("echo '{\"python\": 3}' > $3", "it left with exit code 0"),
        ("kill -9 $$", "it was killed by SIGKILL"),
    ],
)
def test_an_interpreter_that_does_not_answer_is_named(text, said, program):
    python = program(text)
    with pytest.raises(PluginError) as raised:
        versions_of(python)
    assert raised.value.message == f"python: {python} did not say which packages it has; {said}"
    assert "3.8" in raised.value.hint


def test_an_interpreter_that_hangs_is_stopped(program, monkeypatch):
    monkeypatch.setattr(environments, "SECONDS_TO_ASK", 0.3)
    with pytest.raises(PluginError, match=r"it was stopped after 0.3 s"):
        versions_of(program("sleep 60"))


def test_uv_makes_the_environment_of_a_script_once(script, program, tmp_path, monkeypatch):
    log = tmp_path / "log"
    program(f'echo "$@" >> {log}\necho "Installed 2 packages" >&2\necho {sys.executable}', "bin/uv")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert interpreter_of(script, None) == interpreter_of(script, None) == Path(sys.executable)
    assert log.read_text().splitlines() == [f"sync --script {script}", f"python find --script {script}"]
    script.with_name("mine.py.lock").write_text("version = 1\n")
    interpreter_of(script, None)
    assert len(log.read_text().splitlines()) == 4


def test_a_named_interpreter_keeps_the_links_that_lead_to_its_packages(script, tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    assert interpreter_of(script, Path("bin/python")) == tmp_path / "bin" / "python"


def test_what_uv_says_of_its_failure_is_shown(script, program, tmp_path, monkeypatch):
    program("echo 'No solution found: torch<2'; exit 1", "bin/uv")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(MissingDependency) as raised:
        interpreter_of(script, None)
    said = f"{script}: uv sync --script left with exit code 1:\n  No solution found: torch<2"
    assert raised.value.message == said and "name an interpreter" in raised.value.hint


def test_last_words_are_short_and_fit_for_a_terminal():
    assert last_words("") == last_words("\n \r\n") == ""
    assert last_words("10 %\r50 %\r100 %\nfailed\x1b[31m\u202e\r\n") == "\n  100 %\n  failed\ufffd[31m\ufffd"
    many = last_words("\n".join(str(i) * 500 for i in range(50)))
    assert many.count("\n") == 12 and "49" in many and max(map(len, many.split("\n"))) < 210
