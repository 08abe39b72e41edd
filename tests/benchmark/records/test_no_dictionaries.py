"""Values with a shape have a type: no function takes or gives a dictionary of anything."""

import ast

import pytest

from tests.conftest import ROOT

ANYTHING = {"dict[str, Any]", "Mapping[str, Any]", "dict[str, object]", "Mapping[str, object]"}
PLAIN = ("benchmark/records/files.py", "benchmark/task/")
"""Here plain JSON and YAML become objects, and objects become plain."""
WAITING = ("benchmark/dev/", "rebeca/")
"""Still to be typed; take a package out with its last dictionary, add none."""


def annotations(function):
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return [a.annotation for a in named if a is not None and a.annotation] + [function.returns] * bool(function.returns)


def is_dictionary_of_anything(annotation):
    if isinstance(annotation, ast.Subscript):
        return ast.unparse(annotation) in ANYTHING or is_dictionary_of_anything(annotation.slice)
    if isinstance(annotation, ast.Name):
        return annotation.id == "dict"
    return any(is_dictionary_of_anything(child) for child in ast.iter_child_nodes(annotation))


def offenders(source):
    for node in ast.walk(ast.parse(source)):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_function and any(is_dictionary_of_anything(annotation) for annotation in annotations(node)):
            yield node.name


def places():
    for package in ("benchmark", "rebeca", "baselines"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path


def test_no_function_passes_a_dictionary_of_anything():
    functions = {
        f"{place}: {name}"
        for place, path in places()
        if not place.startswith((*PLAIN, *WAITING))
        for name in offenders(path.read_text())
    }
    assert functions == set()


@pytest.mark.parametrize("package", WAITING)
def test_a_typed_package_leaves_the_list(package):
    assert any(list(offenders(path.read_text())) for place, path in places() if place.startswith(package)), package


@pytest.mark.parametrize(
    ("annotation", "refused"),
    [
        ("dict[str, Any]", True),
        ("list[dict[str, Any]] | None", True),
        ("Mapping[str, Any]", True),
        ("dict", True),
        ("tuple[str, dict]", True),
        ("dict[str, float]", False),
        ("Mapping[str, Rank]", False),
    ],
)
def test_what_is_refused(annotation, refused):
    assert list(offenders(f"def f(a: {annotation}): ...")) == ["f"] * refused
    assert list(offenders(f"def f() -> {annotation}: ...")) == ["f"] * refused
