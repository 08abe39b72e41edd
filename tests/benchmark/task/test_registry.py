"""Names of plug-ins."""

from importlib.metadata import EntryPoint

import pytest

from benchmark.task import registry
from rebeca.errors import MissingDependency, PluginError, SpecError
from rebeca.guards import guarded


@pytest.fixture
def registered(monkeypatch, tmp_path):
    """Registers a module of somebody else's, with the given text, under the name ``mine``."""

    def register(text, attribute="Mine"):
        (tmp_path / "somebodys.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        point = EntryPoint("mine", f"somebodys:{attribute}", "rebeca_bench.generators")
        monkeypatch.setattr(registry, "registered", lambda group: {"mine": (point,)})
        monkeypatch.delitem(__import__("sys").modules, "somebodys", raising=False)

    return register


def test_the_projects_own_are_registered_like_anybodys():
    assert {"rebeca", "catalogue", "folder", "prompts"} <= set(registry.names("generators"))
    assert registry.load("scorers", "ncf").__name__ == "VerifierScorer"
    assert registry.identity("generator", "rebeca").is_own


def test_misspelt_names_have_a_hint():
    with pytest.raises(SpecError, match="no generator is called 'rebecca'") as raised:
        registry.load("generators", "rebecca")
    assert "did you mean 'rebeca'" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("import no_such_package_anywhere", MissingDependency, "needs the package 'no_such_package_anywhere'"),
        ("class Other:\n    pass\n", PluginError, "registered as somebodys:Mine, which does not exist"),
        ("raise ValueError('no')", PluginError, "importing somebodys:Mine failed: ValueError: no"),
        ("import sys; sys.exit('bye')", PluginError, "importing somebodys:Mine failed: SystemExit: bye"),
    ],
)
def test_what_cannot_be_imported_is_named(registered, text, kind, message):
    registered(text)
    with pytest.raises(kind, match=message):
        registry.load("generators", "mine")


GENERATOR = """
from dataclasses import dataclass
from rebeca import Generator

class Mine(Generator):
    def fit(self, train): ...
    def save(self, folder): ...
    def load(self, folder): ...
    def generate(self, requests): ...
"""


def test_a_class_of_somebody_elses_is_found(registered):
    registered(GENERATOR)
    assert registry.plugin_class("generator", "mine").__name__ == "Mine"
    assert not registry.identity("generator", "mine").is_own


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class Mine: pass", "generator 'mine' is the class Mine, which is not derived from rebeca.Generator"),
        ("Mine = 3", "generator 'mine' is a int, which is not derived from rebeca.Generator"),
        ("from rebeca import Scorer as Mine", "generator 'mine' is the class Scorer, which is not derived from"),
        (GENERATOR.replace("def save", "def keep"), "generator 'mine': the class Mine does not define save"),
        (f"{GENERATOR}    class Params: pass\n", r"generator 'mine': Mine.Params is no dataclass"),
        (f"{GENERATOR}    Params = dict(a=1)\n", r"generator 'mine': Mine.Params is no dataclass"),
    ],
)
def test_what_is_no_generator_is_named(registered, text, message):
    registered(text)
    with pytest.raises(PluginError, match=message):
        registry.plugin_class("generator", "mine")


def test_scorers_may_be_of_two_kinds(monkeypatch):
    for base in registry.BASES["scorer"]:
        concrete = type("Concrete", (base,), dict.fromkeys(base.__abstractmethods__))
        monkeypatch.setattr(registry, "load", lambda group, name, plugin=concrete: plugin)
        assert registry.plugin_class("scorer", "mine") is concrete
    monkeypatch.setattr(registry, "load", lambda group, name: dict)
    with pytest.raises(PluginError, match=r"not derived from rebeca\.Scorer or rebeca\.SetScorer"):
        registry.plugin_class("scorer", "mine")


def test_identities_of_nothing_and_of_lost_files(registered, monkeypatch):
    with pytest.raises(SpecError, match="no judge is called 'nfc'") as raised:
        registry.identity("judge", "nfc")
    assert "did you mean 'ncf'" in raised.value.hint
    registered(GENERATOR)
    point = EntryPoint("mine", "nowhere_at_all.deep:Mine", "rebeca_bench.generators")
    monkeypatch.setattr(registry, "registered", lambda group: {"mine": (point,)})
    with pytest.raises(PluginError, match=r"generator 'mine': the files of nowhere_at_all\.deep cannot be found"):
        registry.identity("generator", "mine")


def test_code_that_no_package_lists_counts_by_its_module(registered, tmp_path):
    registered(GENERATOR)
    first = registry.identity("generator", "mine")
    assert (first.distribution, first.version) == ("", "") and not first.is_own
    registered(f"{GENERATOR}\n# changed")
    assert registry.identity("generator", "mine").hash != first.hash


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (ValueError("no"), PluginError, "judge 'mine' failed: ValueError: no"),
        (PluginError("three rows"), PluginError, "judge 'mine': three rows"),
        (PluginError("judge 'mine': three rows"), PluginError, "judge 'mine': three rows"),
        (SpecError("no such file"), SpecError, "no such file"),
        (MemoryError(), MemoryError, ""),
        (RuntimeError("CUDA out of memory"), RuntimeError, "CUDA out of memory"),
        (OSError(28, "No space left on device"), OSError, "[Errno 28] No space left on device"),
        (OSError("gone"), PluginError, "judge 'mine' failed: OSError: gone"),
    ],
)
def test_errors_of_a_plugin_are_named_and_those_of_the_machine_stay(raised, kind, message):
    with pytest.raises(kind) as caught, guarded("judge", "mine"):
        raise raised
    assert type(caught.value) is kind
    assert getattr(caught.value, "message", str(caught.value)) == message


def test_remedies_survive():
    with pytest.raises(PluginError) as caught, guarded("judge", "mine"):
        raise PluginError("three rows", hint="give four")
    assert caught.value.hint == "give four"


def test_endless_messages_are_cut():
    with pytest.raises(PluginError) as caught, guarded("judge", "mine"):
        raise ValueError("x" * 10_000)
    assert caught.value.message.endswith("xxx...") and len(caught.value.message) < 1100


def test_interrupts_are_nobodys_fault():
    with pytest.raises(KeyboardInterrupt), guarded("judge", "mine"):
        raise KeyboardInterrupt
