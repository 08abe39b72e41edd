"""What ``new plugin`` writes is installed, tested, checked and run by the very commands of its own README."""

import json
import os
import re
import subprocess
import sys
import venv

import pytest

from benchmark.commands.new_plugin import GROUPS
from tests.conftest import ROOT, WITHOUT_PAGE, invoke

pytestmark = pytest.mark.slow

MEASURES = {"scorer": "my-scorer", "set-scorer": "my-set-scorer"}


class Machine:
    """A folder and a shell, whose Python has this project and its packages and installs others without a network."""

    def __init__(self, home):
        self.home = home
        venv.create(home / "venv", symlinks=True)
        packages = home / "venv" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        seen = [path for path in sys.path if path.endswith("site-packages")]
        (packages / "seen.pth").write_text("\n".join([str(ROOT), *seen]) + "\n")
        command = home / "venv" / "bin" / "rebeca-bench"
        start = "from benchmark.commands.main import main; main()"
        command.write_text(f"#!{home}/venv/bin/python3\n{WITHOUT_PAGE}\n{start}\n")
        command.chmod(0o755)
        self.variables = os.environ | {
            "PATH": f"{home}/venv/bin:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(home / "cache"),
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it so: no isolation, hence no download
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def type(self, text, folder=".", **variables):
        """What the shell prints; a command that fails ends it."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.home / folder, env=self.variables | variables, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def records(self, name):
        return self.home / "cache" / "rebeca-bench" / "records" / f"{name}-example" / "v1"


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    return Machine(tmp_path_factory.mktemp("newcomer"))


def commands(page):
    return re.search(r"```sh\n(.*?)```", page, re.DOTALL)[1]


@pytest.mark.parametrize("kind", GROUPS)
def test_a_new_plugin_passes_and_runs_at_once(machine, kind):
    name = f"my-{kind}"
    machine.type(f"rebeca-bench new plugin {kind}")
    page = (machine.home / name / "README.md").read_text()
    output = machine.type(commands(page), name, PIP_NO_DEPS="1")  # a second each; the last test looks at dependencies
    assert re.search(r"\d+ passed\b", output)
    assert "all agree" in invoke("verify", machine.records(name))
    if kind in MEASURES:
        record = json.loads((machine.records(name) / "catalogue-random" / "record.json").read_text())
        assert MEASURES[kind] in record["summary"]


def test_doctor_and_records_name_the_same_code(machine):
    listed = {plugin["name"]: plugin for plugin in json.loads(machine.type("rebeca-bench doctor --json"))["plugins"]}
    for kind in GROUPS:
        plugin = listed[f"my-{kind}"]
        assert (plugin["package"], plugin["version"], plugin["problem"]) == (f"my-{kind}", "0.1.0", "")
        records = machine.records(f"my-{kind}").rglob("*.json")
        assert any(plugin["hash"] in path.read_text() for path in records), kind


def test_new_plugins_are_typed_strictly(machine):
    assert "no issues found in 14 source files" in machine.type("python3 -m mypy --strict my-*/*.py")


def test_the_readme_adds_a_generator(tmp_path):
    text = (ROOT / "README.md").read_text()
    block = commands(text[text.index("## Add a generator") :])
    assert len(block.splitlines()) <= 20
    output = Machine(tmp_path).type(block)
    assert "Successfully installed my-generator-0.1.0" in output
    assert re.search(r"\d+ passed\b", output) and "the highest preference" in output.replace("\n", " ")
