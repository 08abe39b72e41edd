"""The tutorial on generators: its edits apply to what ``new plugin`` writes, and its commands show what it says."""

import os
import re
import shlex
import subprocess
import sys

import pytest

from tests.conftest import ROOT, WITHOUT_PAGE

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "tutorial" / "first-generator.md"
COMMAND = f"{WITHOUT_PAGE}\nfrom benchmark.commands.main import main; main()"


def edit(folder, block):
    """Lines with a minus become those with a plus, in the one file that has them."""
    before, after = ("".join(f"{line[1:]}\n" for line in block.splitlines() if line[0] != sign) for sign in ("+", "-"))
    (file,) = [file for file in folder.iterdir() if file.is_file() and before in file.read_text()]
    assert file.read_text().count(before) == 1
    file.write_text(file.read_text().replace(before, after))


def install(folder):
    """What pip writes for an editable package; its folder is on the path."""
    (group,) = re.findall(r'entry-points\."(.*)"\]\n(.*)\n', (folder / "pyproject.toml").read_text())
    for name, text in {
        "METADATA": "Metadata-Version: 2.1\nName: my-generator\nVersion: 0.1.0\n",
        "entry_points.txt": "[{}]\n{}\n".format(group[0], group[1].replace('"', "")),
        "RECORD": "my_generator.py,,\n",
    }.items():
        (folder / "my_generator-0.1.0.dist-info").mkdir(exist_ok=True)
        (folder / "my_generator-0.1.0.dist-info" / name).write_text(text)


def type_in(folder, line):
    """What a command of the page prints."""
    words = shlex.split(line)
    if words[0] == "rebeca-bench":
        command = [sys.executable, "-c", COMMAND, *words[1:]]
    elif words[:3] == ["python3", "-m", "pytest"]:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", words[3], *words[3:]]
    else:
        assert line == 'python3 -m pip install --editable "./my-generator[test]"'
        install(folder / "my-generator")
        return ""
    path = os.pathsep.join([str(folder / "my-generator"), str(ROOT)])
    variables = os.environ | {"PYTHONPATH": path, "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, f"{line}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_the_page_works_as_typed(tmp_path):
    output = []
    for language, block in re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL):
        if language == "diff":
            edit(tmp_path / "my-generator", block)
        else:
            output += [type_in(tmp_path, line) for line in block.splitlines()]
    tables = [text for text in output if "highest preference" in text]
    assert re.search(r"my-generator .* better, p", tables[0])
    assert len(tables) == 2 and "my-generator-pushed" in tables[1]
    assert sum(bool(re.search(r"\d\d passed.* in \d", text)) for text in output) == 2
    compared, checked = output[-2:]
    assert "my-generator-pushed minus my-generator" in compared and "inconclusive" in compared
    assert ", 0 failed" in checked
