"""Every public name says what it is and shows an example, and every example does what it shows."""

import doctest
import importlib.util
import inspect

import pytest

from tests.conftest import ROOT

PUBLIC = ("rebeca", "rebeca.arrays", "rebeca.hashes", "rebeca.params", "rebeca.seeds")
"""Modules that a user imports from; each lists its public names in ``__all__``."""
PUBLIC += tuple(  # to be merged: name these three above, and raise FEWEST to 77
    name
    for name in ("benchmark", "rebeca.scorers", "rebeca.testing")
    if importlib.util.find_spec(name) and hasattr(importlib.import_module(name), "__all__")
)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FEWEST, MOST_LINES = 58, 25
"""Public names, and lines of one example: more belong on a page."""
NAMES = [(module, name) for module in PUBLIC for name in importlib.import_module(module).__all__]


def has_own_docstring(value):
    """An alias of a type shows the docstring of the type, or none."""
    return inspect.isclass(value) or inspect.isroutine(value)


def documented(module, name):
    """The docstring that is about a public name: its own one, or for aliases of types that of their module."""
    value = getattr(importlib.import_module(module), name)
    return value.__doc__ or "" if has_own_docstring(value) else importlib.import_module(module).__doc__


def examples(module, name=None):
    """The doctests of a public name and of its methods, or of the module itself."""
    home = importlib.import_module(module)
    if name is None or not has_own_docstring(getattr(home, name)):
        return [doctest.DocTestParser().get_doctest(home.__doc__, {}, module, home.__file__, 0)]
    return doctest.DocTestFinder().find(getattr(home, name), f"{module}.{name}", globs={})


def run(test):
    """What went wrong, as doctest says it."""
    skipped = [part.source for part in test.examples if doctest.SKIP in part.options]
    assert not skipped, f"not executed: {skipped}"
    failures = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=failures.append)
    return "".join(failures)


def test_all_public_names_are_looked_at():
    assert len(NAMES) >= FEWEST
    assert len({name for _, name in NAMES}) == len(NAMES), "a name has one home"


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_a_public_name_shows_a_value(module, name):
    text = documented(module, name)
    summary, _, example = text.partition("Example:\n")
    assert len(summary.split()) > 2, "it says nothing"
    assert name.lower() in example.lower(), "no example uses it"
    shown = doctest.DocTestParser().get_examples(example)
    assert any(part.want for part in shown), "its example shows no value"
    assert sum(part.source.count("\n") for part in shown) <= MOST_LINES


@pytest.mark.parametrize(("module", "name"), [*NAMES, *((module, None) for module in PUBLIC)])
def test_examples_do_what_they_show(module, name, tmp_path, monkeypatch):
    (tmp_path / "results").symlink_to(ROOT / "results")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for test in examples(module, name):
        assert not (failure := run(test)), failure


@pytest.mark.parametrize(("text", "fails"), [(">>> 1 + 1\n2\n", False), (">>> 1 + 1\n3\n", True), (">>> x\n", True)])
def test_wrong_examples_are_seen(text, fails):
    assert bool(run(doctest.DocTestParser().get_doctest(text, {}, "text", "text", 0))) is fails
