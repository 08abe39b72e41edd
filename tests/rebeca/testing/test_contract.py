"""Contracts are imported without pytest and torch, and their checks say what must hold."""

import subprocess
import sys

import pytest

from rebeca import testing
from rebeca.testing.contract import Contract, checks_of

CONTRACTS = [getattr(testing, name) for name in testing.__all__ if name.endswith("Contract")]


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
