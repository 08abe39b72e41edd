"""Names of plug-ins."""

from importlib.metadata import EntryPoint

import pytest

from benchmark.task import registry
from rebeca.errors import MissingDependency, PluginError, SpecError


@pytest.fixture
def registered(monkeypatch, tmp_path):
    """Registers a module of somebody else's, with the given text, under the name ``mine``."""

    def register(text, attribute="Mine"):
        (tmp_path / "somebodys.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        point = EntryPoint("mine", f"somebodys:{attribute}", "rebeca_bench.generators")
        monkeypatch.setattr(registry, "_points", lambda group: {"mine": point})
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
    ],
)
def test_what_cannot_be_imported_is_named(registered, text, kind, message):
    registered(text)
    with pytest.raises(kind, match=message):
        registry.load("generators", "mine")
