"""The examples of docs/how-to/write-a-plugin.md, installed into a folder as a package of its own."""

import os
import re
import sys

import pytest

from rebeca.registered import registered
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "how-to" / "write-a-plugin.md"
GROUPS = ("generators", "scorers", "judges", "encoders", "decoders", "datasets")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


EXAMPLES = blocks("python")
TESTS = "\n".join(blocks("py"))
TASK = next(text for text in blocks("yaml") if text.startswith("schema"))
ENTRY_POINTS = re.sub(r'\[project.entry-points."(.*?)"\]', r"[\1]", blocks("toml")[0]).replace('"', "")
PACKAGE = "my_plugins"


def forget(packages=(PACKAGE,)):
    """What the process knows of installed packages."""
    registered.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
        del sys.modules[name]


class Installed:
    """The package, to be changed by tests."""

    def __init__(self, root):
        self.root = root
        self.package = root / PACKAGE
        self.package.mkdir(parents=True)
        self.write("__init__.py", "\n".join(EXAMPLES))
        self.write("helper.py", "WORD = 'one'\n")
        self.about()

    def write(self, name, text):
        (self.package / name).write_text(text)
        forget()

    def replace(self, old, new):
        text = (self.package / "__init__.py").read_text()
        assert old in text
        self.write("__init__.py", text.replace(old, new, 1))

    def about(self, version="1.0", requires=(), files=None, direct_url=None):
        """Writes the metadata; with ``files``, as a wheel's installation lists them."""
        for old in self.root.glob("*.dist-info"):
            for path in old.iterdir():
                path.unlink()
            old.rmdir()
        folder = self.root / f"{PACKAGE}-{version}.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {PACKAGE}", f"Version: {version}"]
        lines += [f"Requires-Dist: {text}" for text in requires]
        (folder / "METADATA").write_text("\n".join(lines) + "\n")
        (folder / "entry_points.txt").write_text(ENTRY_POINTS)
        if files is not None:
            (folder / "RECORD").write_text("".join(f"{name},,\n" for name in files))
        if direct_url is not None:
            (folder / "direct_url.json").write_text(direct_url)
        forget()


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"), prepend=os.pathsep)
    yield Installed(tmp_path / "packages")
    forget()


@pytest.fixture
def task(tmp_path):
    (tmp_path / "shades.yaml").write_text(TASK)
    return tmp_path / "shades.yaml"
