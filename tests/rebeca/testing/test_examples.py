"""Every public name of rebeca.testing has a docstring with an example that runs, without pytest, torch or files."""

import doctest
import subprocess
import sys
from importlib import import_module

import pytest

from rebeca import testing
from rebeca.testing.contract import Contract, checks_of

MODULES = ("contract", "world", "generator", "scorer", "judge", "encoder", "decoder", "dataset")
CONTRACTS = [getattr(testing, name) for name in testing.__all__ if name.endswith("Contract")]


@pytest.mark.parametrize("name", testing.__all__)
def test_public_names_show_an_example(name):
    assert getattr(testing, name).__doc__.count(">>>") >= 2


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    result = doctest.testmod(import_module(f"rebeca.testing.{name}"))
    assert result.attempted and not result.failed


def test_neither_pytest_nor_torch_is_needed():
    code = "import sys, rebeca.testing; print({'pytest', 'torch', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_check_says_what_must_hold(contract):
    names = checks_of(contract)
    assert len(names) >= 20 and issubclass(contract, Contract)
    for name in names:
        title = getattr(contract, name).__doc__
        assert title.endswith(".") and "\n" not in title and len(title) <= 120, (name, title)
