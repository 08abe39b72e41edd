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


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """An empty folder, and the variables of a shell whose Python has this project and its packages."""
    home = tmp_path_factory.mktemp("newcomer")
    venv.create(home / "venv", symlinks=True)
    packages = home / "venv" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    seen = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "seen.pth").write_text("\n".join([str(ROOT), *seen]) + "\n")
    command = home / "venv" / "bin" / "rebeca-bench"
    start = "from benchmark.commands.main import main; main()"
    command.write_text(f"#!{home}/venv/bin/python3\n{WITHOUT_PAGE}\n{start}\n")
    command.chmod(0o755)
    variables = os.environ | {
        "PATH": f"{home}/venv/bin:{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(home / "cache"),
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it so: no isolation, hence no download
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    return home, variables


def shell(machine, text, folder):
    """What a shell prints; a command that fails ends it."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], cwd=folder, env=machine[1], capture_output=True, text=True
    )
    assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def commands(page):
    return re.search(r"```sh\n(.*?)```", page, re.DOTALL)[1]


@pytest.mark.parametrize("kind", GROUPS)
def test_a_new_plugin_passes_and_runs_at_once(machine, kind):
    home, _ = machine
    name = f"my-{kind}"
    shell(machine, f"rebeca-bench new plugin {kind}", home)
    output = shell(machine, commands((home / name / "README.md").read_text()), home / name)
    assert re.search(r"\d+ passed", output) and "failed" not in output
    records = home / "cache" / "rebeca-bench" / "records" / f"{name}-example" / "v1"
    assert "all agree" in invoke("verify", records)
    if kind in MEASURES:
        assert MEASURES[kind] in json.loads((records / "catalogue-random" / "record.json").read_text())["summary"]
    listed = json.loads(shell(machine, "rebeca-bench doctor --json", home))["plugins"]
    (own,) = [plugin for plugin in listed if plugin["name"] == name]
    assert (own["package"], own["version"], own["problem"]) == (name, "0.1.0", "")
    assert any(own["hash"] in path.read_text() for path in records.rglob("*.json"))


def test_new_plugins_are_typed_strictly(machine):
    home, _ = machine
    for kind in GROUPS:
        if not (home / f"my-{kind}").exists():
            shell(machine, f"rebeca-bench new plugin {kind}", home)
    shell(machine, "python3 -m mypy --strict my-*/*.py", home)


def test_the_readme_adds_a_generator(machine):
    home, _ = machine
    text = (ROOT / "README.md").read_text()
    block = commands(text[text.index("## Add a generator") :])
    assert len(block.splitlines()) <= 20
    (home / "readme").mkdir()
    assert "has the highest preference" in shell(machine, block, home / "readme")
