"""Names of plug-ins."""

from importlib.metadata import EntryPoint

import pytest

from benchmark.task import registry
from rebeca.errors import MissingDependency, SpecError


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
    assert not registry.is_foreign("generators", "rebeca")
    assert registry.foreign_code("generators", "rebeca") is None


def test_misspelt_names_have_a_hint():
    with pytest.raises(SpecError, match="no generator is called 'rebecca'") as raised:
        registry.load("generators", "rebecca")
    assert "did you mean 'rebeca'" in str(raised.value.hint)


def test_other_peoples_code_is_known_by_its_hash(registered):
    registered("class Mine:\n    pass\n")
    assert registry.is_foreign("generators", "mine")
    first = registry.foreign_code("generators", "mine")
    registered("class Mine:\n    changed = True\n")
    assert len(first) == 64 and registry.foreign_code("generators", "mine") != first


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("import no_such_package_anywhere", MissingDependency, "needs the package 'no_such_package_anywhere'"),
        ("class Other:\n    pass\n", SpecError, "registered as somebodys:Mine, which is not there"),
        ("raise ValueError('no')", SpecError, "importing somebodys:Mine failed: ValueError: no"),
    ],
)
def test_what_cannot_be_imported_is_named(registered, text, kind, message):
    registered(text)
    with pytest.raises(kind, match=message):
        registry.load("generators", "mine")
