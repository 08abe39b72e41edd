"""Names that a shell completes, and that completing is fast."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from benchmark.commands.completion import PROGRAM, VARIABLE
from benchmark.commands.main import main
from benchmark.task.bundled import bundled_tasks
from tests.conftest import ROOT, invoke

SCRIPT = Path(sys.executable).with_name(PROGRAM)


def completed(*words):
    """What the last word completes to."""
    *before, incomplete = map(str, words)
    items = ShellComplete(main, {}, PROGRAM, VARIABLE).get_completions(before, incomplete)
    return [item.value for item in items if item.type == "plain"]


@pytest.fixture
def here(done, tmp_path, monkeypatch):
    """A folder with task files, and a work folder with records of ``tiny``."""
    shutil.copy(done / "tiny.yaml", tmp_path / "tiny.yaml")
    (tmp_path / "own.yml").write_text("id: own")
    (tmp_path / "notes.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REBECA_WORKDIR", str(done / "w"))


def test_commands_and_options():
    assert completed("sta") == ["status"] and completed("cache", "p") == ["prune"]
    assert completed("completion", "") == ["bash", "zsh", "fish"]
    assert completed("run", "--dry") == ["--dry-run"]


@pytest.mark.parametrize(
    "command", [("run",), ("plan",), ("validate",), ("export",), ("weights", "list"), ("check", "run")]
)
def test_tasks_that_can_run(here, command):
    assert completed(*command, "") == [*bundled_tasks(), "own.yml", "tiny.yaml"]
    assert completed(*command, "spri") == ["sprites", "sprites-published"]


@pytest.mark.parametrize(
    "command", [("show",), ("compare",), ("figures",), ("calibrate",), ("status",), ("cache", "rm")]
)
def test_tasks_with_records(here, command):
    assert completed(*command, "") == ["tiny", "own.yml", "tiny.yaml"]


def test_records_are_looked_for_where_the_command_would(here, tmp_path):
    assert completed("show", "--results", ROOT / "results", "spr") == ["sprites"]
    assert completed("show", "--workdir", tmp_path, "") == ["own.yml", "tiny.yaml"]


def test_a_path_is_left_to_the_shell(here):
    items = ShellComplete(main, {}, PROGRAM, VARIABLE).get_completions(["run"], "../ti")
    assert [(item.value, item.type) for item in items] == [("../ti", "file")]


def test_generators_of_a_record(here):
    generators = ["rebeca", "rebeca-no-user", "rebeca-shuffled-users", "catalogue-random", "catalogue-verifier"]
    assert sorted(completed("compare", "tiny", "")) == sorted(generators)
    assert completed("compare", "tiny.yaml", "catalogue-r") == ["catalogue-random"]
    assert completed("compare", "tiny", "catalogue-random", "catalogue-") == ["catalogue-verifier"]
    results = ("--results", ROOT / "results")
    order = json.loads((ROOT / "results/sprites/v2/_task/comparison.json").read_text())["order"]
    assert completed("compare", *results, "sprites", "") == order
    assert completed("compare", ROOT / "results/sprites/v2", "") == order


def test_generators_of_a_task_file(here):
    assert completed("run", "tiny.yaml", "--only", "cat") == ["catalogue-random", "catalogue-verifier"]
    assert completed("run", "tiny.yaml", "--only", "catalogue-random", "--only", "cat") == ["catalogue-verifier"]
    assert "rebeca" in completed("run", "sprites", "--only", "")


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("run ", True),
        ("show ", False),
        ("compare --results RESULTS sprites ", True),
        ("run sprites --only ", True),
        ("weights fetch ", True),
    ],
)
def test_completing_loads_nothing_heavy(words, known, tmp_path):
    code = f"""
import atexit, sys
heavy = ("torch", "pandas", "scipy", "sklearn", "transformers", "diffusers", "altair")
atexit.register(lambda: print([name for name in heavy if name in sys.modules], file=sys.stderr))
from benchmark.commands.main import main
main(prog_name="{PROGRAM}")
"""
    line = f"{PROGRAM} {words.replace('RESULTS', str(ROOT / 'results'))}"
    environment = os.environ | {VARIABLE: "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()))}
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path)},
        cwd=tmp_path,
        check=True,
    )
    assert process.stderr == "[]\n"
    assert ("plain," in process.stdout) == known


@pytest.mark.skipif(shutil.which("bash") is None or not SCRIPT.is_file(), reason="needs bash and the installed command")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("run spri", "sprites sprites-published"),
        ("cache v", "verify"),
        ("weights fetch laion", "laion-v2"),
        ("run sprites --only catalogue-m", "catalogue-most-liked"),
    ],
)
def test_in_bash(words, expected, tmp_path):
    script = f"""
PATH={SCRIPT.parent}:$PATH
eval "$({PROGRAM} completion bash)"
complete -p {PROGRAM} >&2
COMP_WORDS=({PROGRAM} {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_rebeca_bench_completion {PROGRAM}
echo "${{COMPREPLY[@]}}"
"""
    process = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert process.stdout == f"{expected}\n"
    assert f"-F _rebeca_bench_completion {PROGRAM}" in process.stderr


@pytest.mark.parametrize(
    ("shell", "words"), [("zsh", f"#compdef {PROGRAM}"), ("fish", f"complete --no-files --command {PROGRAM}")]
)
def test_scripts_of_other_shells(shell, words):
    output = invoke("completion", shell)
    assert words in output and f"{VARIABLE}={shell}_complete" in output
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=output, text=True, check=True)
