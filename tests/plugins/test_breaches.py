"""Whatever breaks a contract is named by a check, with a remedy; a plug-in that breaks nothing passes every check."""

import re

import pytest

from rebeca.testing import run_contract
from rebeca.testing.contract import checks_of
from tests.plugins.breaches import KINDS, of_kind

CASES = [(kind, number) for kind in KINDS for number in range(len(of_kind(kind).BREACHES))]


def results(module, **members):
    plugin = type("Broken", (module.Right,), {"__module__": module.__name__, **members})
    return list(run_contract(type("TestBroken", (module.CONTRACT,), {"plugin": plugin})))


@pytest.mark.parametrize("kind", KINDS)
def test_a_right_plugin_passes_every_check(kind):
    bad = [result for result in results(of_kind(kind)) if result.status not in ("passed", "skipped")]
    assert bad == []


@pytest.mark.parametrize(("kind", "number"), CASES)
def test_a_breach_is_named_and_leaves_no_file(kind, number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = of_kind(kind)
    expected = module.BREACHES[number]
    broken = [result for result in results(module, **expected.members) if result.broken]
    named = {result.name: result for result in broken}
    assert expected.check in named, [(result.name, result.message) for result in broken]
    result = named[expected.check]
    assert re.search(expected.text, result.message), result.message
    assert result.message.startswith(f"{module.CONTRACT.kind} 'Broken'") and result.remedy and result.exit_code == 5
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_ten_checks_that_find_something(kind):
    module = of_kind(kind)
    checks = {expected.check for expected in module.BREACHES}
    assert checks <= set(checks_of(module.CONTRACT)) and len(checks) >= 10
