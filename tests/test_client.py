"""A user's script with every public name runs, and mypy accepts it without any configuration."""

import ast
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.test_examples import NAMES

SCRIPTS = ["client.py"]
SCRIPTS += [  # to be merged: name these three above
    script
    for script, module, name in (
        ("client_method.py", "rebeca", "Prior"),
        ("client_results.py", "benchmark", "Results"),
        ("client_contracts.py", "rebeca.testing", "GeneratorContract"),
    )
    if (module, name) in NAMES
]
"""In the order in which they show what the packages can do."""
SHOWN = {
    "client.py": "wanted: [0.87",
    "client_method.py": "ann likes the samples more than bob: True",
    "client_results.py": "loaded: True",
    "client_contracts.py": "kept: TestColours",
}
MISTAKES = """
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from rebeca import GeneratedImage, Generator, Interactions, NoParams, Request, Scorer, ScorerCard
from rebeca.params import Count, make_params
@dataclass(frozen=True)
class LuckyParams:
    number: Count = 7
class Lucky(Generator[LuckyParams]):
    def fit(self, train: Interactions) -> None:
        train.where("all")  # arg-type
        train.users  # attr-defined
    def save(self, folder: Path) -> None:
        folder / self.params.numer  # attr-defined
    def load(self, folder: str) -> None: ...  # override
    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        yield self.context.catalogue.pixels(0)  # misc
        yield GeneratedImage(np.zeros((8, 8, 3)))  # arg-type
        yield self.context.candidates.of(requests[0].user)  # misc arg-type
class Bright(Scorer[NoParams]):
    @classmethod
    def card(cls, params: NoParams) -> ScorerCard:
        return ScorerCard("Bright", "grey level", True, "Mean.", role="verifyer")  # arg-type
Bright(NoParams(), None)  # abstract arg-type
Request("ann", "0", 1)  # arg-type
make_params(LuckyParams, {}, "params").numer  # attr-defined
"""


def mypy(scripts, folder):
    """What mypy says about scripts, as somebody sees it who has no configuration; one error per line."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-pretty", "--hide-error-context"]
    cache = f"--cache-dir={ROOT / '.mypy_cache' / 'client'}"
    done = subprocess.run([*command, cache, *scripts], cwd=folder, capture_output=True, text=True, timeout=300)
    assert not done.stderr, done.stderr
    return [line for line in done.stdout.splitlines() if ": error: " in line]


def used_names(script):
    """Names that a script imports and uses, with their modules."""
    tree = ast.parse((ROOT / "tests" / script).read_text())
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return {(node.module, alias.name) for node in froms for alias in node.names if alias.name in loaded}


def test_the_scripts_use_every_public_name():
    used = set().union(*map(used_names, SCRIPTS))
    assert set(NAMES) - used == set()


@pytest.fixture
def folder(tmp_path):
    """The scripts in a folder of their own, away from the checkout: only installed packages are at hand."""
    for script in SCRIPTS:
        shutil.copy(ROOT / "tests" / script, tmp_path)
    return tmp_path


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_scripts_run(script, folder):
    done = subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert SHOWN[script] in done.stdout


def test_types_of_the_scripts_are_right(folder):
    assert mypy(SCRIPTS, folder) == []


def test_mistakes_of_users_are_seen(tmp_path):
    """None of the types is so wide that mypy overlooks a wrong argument, attribute or result."""
    script = tmp_path / "mistakes.py"
    script.write_text(MISTAKES)
    seen = re.findall(r"mistakes.py:(\d+): error: .*\[([a-z-]+)\]$", "\n".join(mypy([script], tmp_path)), re.MULTILINE)
    comments = ((number, line.partition("  # ")[2]) for number, line in enumerate(MISTAKES.splitlines(), start=1))
    assert sorted(seen) == sorted((str(number), code) for number, codes in comments for code in codes.split())


@pytest.mark.parametrize("name", ["rebeca", "baselines", "benchmark"])
def test_packages_say_that_they_are_typed(name):
    assert (ROOT / name / "py.typed").read_text() == ""
